"""What a model was asked and answered for a run, by query, from the run's journal."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rerankllm.journal.read import Entry, entries
from rerankllm.journal.store import CallPlace, Journal

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
        found = _lost(journal)
        for entry in entries(journal):
            found[entry.place] = (entry.query_id, _paid(entry))
        for place, query_id, call in _heard(journal):
            paid = found.get(place)
            found[place] = (query_id, call if paid is None or paid[1].status == LOST else _both(paid[1], call))
    finally:
        journal.close()
    stages = {call.stage for _, call in found.values()}
    by_query: dict[str, list[Call]] = {}
    for place, (query_id, call) in sorted(found.items(), key=lambda each: (each[0].key, each[0].step, each[0].item)):
        del place
        if strategy not in stages or call.stage == strategy:
            by_query.setdefault(query_id, []).append(call)
    return by_query


def _lost(journal: Journal) -> dict[CallPlace, tuple[str, Call]]:
    rows = journal.rows(
        "SELECT query_id, stage, key, step, item, judgement, model, reason FROM failures JOIN queries USING (key) "
        "ORDER BY failures.id"
    )
    return {
        CallPlace(key, step, item): (query_id, Call(step, item, kind, model, stage, LOST, {}, reason=reason))
        for query_id, stage, key, step, item, kind, model, reason in rows
    }


def _paid(entry: Entry) -> Call:
    tokens = (entry.prompt_tokens, entry.completion_tokens)
    return Call(
        entry.place.step, entry.place.item, entry.judgement, entry.model, entry.stage, entry.status, entry.repairs,
        prompt=entry.prompt, outcome=entry.outcome, tokens=tokens, cost_usd=entry.cost_usd,
    )  # fmt: skip


def _heard(journal: Journal) -> Sequence[tuple[CallPlace, str, Call]]:
    rows = journal.rows(
        "SELECT query_id, stage, key, step, item, judges.judge, record FROM answers JOIN queries USING (key) "
        "JOIN judges ON judges.id = answers.judge"
    )
    return [
        (CallPlace(key, step, item), query_id, _read(step, item, stage, json.loads(judge), json.loads(record)))
        for query_id, stage, key, step, item, judge, record in rows
    ]


def _read(step: int, item: int, stage: str, judge: Mapping[str, Any], record: Mapping[str, Any]) -> Call:
    sent, generated = record["tokens"]
    return Call(
        step, item, record["judgement"], str(judge["model"]), stage, record["status"], record["repairs"],
        tuple(doc_id for doc_id, _ in record["docs"]), record.get("answer"), record.get("reason"),
        tokens=(sent, generated),
    )  # fmt: skip


def _both(paid: Call, heard: Call) -> Call:
    """What was sent, with how the answer was read."""
    return replace(paid, docs=heard.docs, answer=heard.answer, reason=heard.reason)
