"""What a journal tells of a run, to be read: every call with its prompt, its answer and its cost, and every failure."""

import json
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from rerankllm.journal import Journal, Place


@dataclass(frozen=True, slots=True)
class Entry:
    """A call that the journal holds.

    Attributes:
        number: Its own number, in the order calls were completed.
        query_id: The query's.
        stage: The stage that asked.
        place: Where it belongs.
        judgement: What kind of judgement it was.
        model: Who answered.
        prompt: What was shown.
        outcome: What came back, as JSON.
        status: How the answer read.
        repairs: What had to be repaired, with how often.
        prompt_tokens: Tokens sent.
        completion_tokens: Tokens generated.
        attempts: Requests it took.
        cost_usd: What it cost; None when unknown.
        at: When, in UTC.
    """

    number: int
    query_id: str
    stage: str
    place: Place
    judgement: str
    model: str
    prompt: str
    outcome: Mapping[str, Any]
    status: str
    repairs: Mapping[str, int]
    prompt_tokens: int
    completion_tokens: int
    attempts: int
    cost_usd: float | None
    at: str


@dataclass(frozen=True, slots=True)
class Lost:
    """A call that failed, after all its attempts.

    Attributes:
        query_id: The query's.
        model: Who was asked.
        reason: Why there is no answer.
        attempts: Requests sent.
        at: When, in UTC.
    """

    query_id: str
    model: str
    reason: str
    attempts: int
    at: str


def entries(
    journal: Journal, *, query_id: str | None = None, number: int | None = None, texts: bool = True
) -> Iterator[Entry]:
    """The calls a journal holds, in the order they were completed.

    Args:
        journal: The journal.
        query_id: Only those of this query.
        number: Only this one.
        texts: Whether to read prompts and outcomes too.

    Raises:
        InputError: The file is damaged.
    """
    large = "prompt, outcome" if texts else "x'', '{}'"
    rows = journal.rows(
        f"SELECT calls.id, query_id, stage, calls.key, step, item, judgement, model, {large}, status, "  # noqa: S608
        "repairs, prompt_tokens, completion_tokens, attempts, cost_usd, at FROM calls JOIN queries USING (key) "
        "WHERE (? IS NULL OR query_id = ?) AND (? IS NULL OR calls.id = ?) ORDER BY calls.id",
        (query_id, query_id, number, number),
    )
    for at, query, stage, key, step, item, judgement, model, prompt, outcome, status, repairs, *rest in rows:
        shown = zlib.decompress(prompt).decode() if prompt else ""
        place = Place(key, step, item)
        read = (json.loads(outcome), status, json.loads(repairs))
        yield Entry(at, query, stage, place, judgement, model, shown, *read, *rest)


def failures(journal: Journal) -> list[Lost]:
    """The calls that failed, in order."""
    rows = journal.rows(
        "SELECT coalesce(query_id, ''), model, reason, attempts, at FROM failures "
        "LEFT JOIN queries USING (key) ORDER BY failures.id"
    )
    return [Lost(*row) for row in rows]
