"""What a model was asked and answered for a run, by query, from the run's journal."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rerankllm.journal.read import Entry, Judged, Lost, entries, failures, judged
from rerankllm.journal.store import Journal

LOST = "lost"
"""The status of a call that never came back."""


@dataclass(frozen=True, slots=True)
class Call:
    """One judgement of a run.

    Attributes:
        step: How many batches the strategy asked for before.
        item: The judgement's number in its batch.
        kind: What was asked, as in `rerankllm.judgements`.
        model: Who was asked.
        stage: The stage that asked, as it prints.
        status: `parsed`, `repaired`, `failed` or `lost`.
        repairs: What had to be repaired, with how often.
        docs: Ids of the documents, in the order shown.
        answer: How the answer was read, as JSON; None where it could not be.
        reason: Why there is no answer.
        prompt: What was shown; None for an answer that an identical call of another place gave.
        outcome: What came back, as JSON.
        tokens: Sent and generated.
        cost_usd: What it cost; None when unknown.
    """

    step: int
    item: int
    kind: str
    model: str
    stage: str
    status: str
    repairs: Mapping[str, int]
    docs: tuple[str, ...] = ()
    answer: Any = None
    reason: str | None = None
    prompt: str | None = None
    outcome: Mapping[str, Any] | None = None
    tokens: tuple[int, int] = (0, 0)
    cost_usd: float | None = None


def read_calls(path: Path, strategy: str | None = None) -> dict[str, list[Call]]:
    """The calls a journal holds, by query id, in the order the strategy asked.

    Args:
        path: The journal.
        strategy: The stage that made the run; where the journal holds calls of it, those of others are left out.

    Raises:
        InputError: It is no journal, or damaged.
    """
    journal = Journal(path, create=False)
    try:
        found = {each.place: (each.query_id, _lost(each)) for each in failures(journal) if each.stage}
        for entry in entries(journal):
            found[entry.place] = (entry.query_id, _paid(entry))
        for each in judged(journal):
            call, paid = _judged(each), found.get(each.place)
            both = call if paid is None or paid[1].status == LOST else _both(paid[1], call)
            found[each.place] = (each.query_id, both)
    finally:
        journal.close()
    stages = {call.stage for _, call in found.values()}
    by_query: dict[str, list[Call]] = {}
    for place, (query_id, call) in sorted(found.items(), key=lambda each: (each[0].key, each[0].step, each[0].item)):
        del place
        if strategy not in stages or call.stage == strategy:
            by_query.setdefault(query_id, []).append(call)
    return by_query


def _lost(each: Lost) -> Call:
    """A call that never came back."""
    place = each.place
    return Call(place.step, place.item, each.judgement, each.model, each.stage, LOST, {}, reason=each.reason)


def _paid(entry: Entry) -> Call:
    """A call that was made, with its prompt and its cost."""
    tokens = (entry.prompt_tokens, entry.completion_tokens)
    return Call(
        entry.place.step, entry.place.item, entry.judgement, entry.model, entry.stage, entry.status, entry.repairs,
        prompt=entry.prompt, outcome=entry.outcome, tokens=tokens, cost_usd=entry.cost_usd,
    )  # fmt: skip


def _judged(each: Judged) -> Call:
    """A judgement with its answer, whoever paid for it: without its prompt and its cost."""
    record: Mapping[str, Any] = json.loads(each.record)
    sent, generated = record["tokens"]
    return Call(
        each.place.step, each.place.item, record["judgement"], str(json.loads(each.judge)["model"]), each.stage,
        record["status"], record["repairs"], tuple(doc_id for doc_id, _ in record["docs"]), record.get("answer"),
        record.get("reason"), tokens=(sent, generated),
    )  # fmt: skip


def _both(paid: Call, read: Call) -> Call:
    """A call with what was sent and how the answer was read."""
    return replace(paid, docs=read.docs, answer=read.answer, reason=read.reason)
