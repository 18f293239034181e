"""Reads a journal: calls with prompt, answer and cost, judgements with their answers, and failures."""

import json
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from rerankllm.journal.store import CallPlace, Journal
from rerankllm.notes import tell


@dataclass(frozen=True, slots=True)
class Entry:
    """A call that the journal holds.

    Attributes:
        number: The number of the call; calls are numbered in the order in which they were completed.
        query_id: The id of the query.
        stage: The stage that asked.
        place: Where the call belongs in its run.
        judgement: The kind of judgement.
        model: The model that answered.
        prompt: The prompt.
        outcome: The outcome, as JSON.
        status: How the answer was read.
        repairs: What had to be repaired, and how often.
        prompt_tokens: Tokens sent.
        completion_tokens: Tokens generated.
        attempts: How many HTTP requests it took.
        cost_usd: Its cost; None if unknown.
        at: When it was completed, in UTC.
    """

    number: int
    query_id: str
    stage: str
    place: CallPlace
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
        query_id: The id of the query; empty where the journal does not hold the query.
        stage: The stage that asked; empty where the journal does not hold the query.
        place: The step and the item of the call.
        judgement: The kind of judgement.
        model: The model that was asked.
        reason: Why there is no answer.
        attempts: How many HTTP requests were sent.
        at: When it failed, in UTC.
    """

    query_id: str
    stage: str
    place: CallPlace
    judgement: str
    model: str
    reason: str
    attempts: int
    at: str


@dataclass(frozen=True, slots=True)
class Judged:
    """A judgement with its answer.

    Attributes:
        query_id: The id of the query.
        stage: The stage that asked.
        place: Where the judgement belongs in its run.
        judge: The judge that answered, as JSON.
        record: The judgement and its answer, as JSON: see `rerankllm.formats.recordings`.
        call: The number of the call; None if the answer was taken from another ranking's call.
    """

    query_id: str
    stage: str
    place: CallPlace
    judge: str
    record: str
    call: int | None


def entries(
    journal: Journal, *, query_id: str | None = None, number: int | None = None, texts: bool = True
) -> Iterator[Entry]:
    """The calls a journal holds, in the order they were completed.

    Args:
        journal: The journal.
        query_id: Reads only the calls of this query.
        number: Reads only the call with this number.
        texts: Whether to read prompts and outcomes too.

    A row that is damaged is said and left out.

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
        place = CallPlace(key, step, item)
        try:
            shown = zlib.decompress(prompt).decode() if prompt else ""
            read = (json.loads(outcome), status, json.loads(repairs))
        except (TypeError, ValueError, zlib.error, RecursionError) as error:
            tell(f"{journal.path}: call {at} cannot be read ({type(error).__name__}); it is left out")
            continue
        yield Entry(at, query, stage, place, judgement, model, shown, *read, *rest)


def judged(
    journal: Journal, *, query_id: str | None = None, stage: str | None = None, key: str | None = None
) -> Iterator[Judged]:
    """The judgements a journal holds, in the order of queries, steps and items.

    Args:
        journal: The journal.
        query_id: Reads only judgements about this query.
        stage: Reads only judgements that this stage asked for, as it prints.
        key: Reads only the judgements of this ranking, as `rankings` names it.
    """
    rows = journal.rows(
        "SELECT query_id, stage, answers.key, answers.step, answers.item, judges.judge, record, calls.id FROM answers "
        "JOIN queries USING (key) JOIN judges ON judges.id = answers.judge LEFT JOIN calls USING (key, step, item) "
        "WHERE (? IS NULL OR query_id = ?) AND (? IS NULL OR stage = ?) AND (? IS NULL OR answers.key = ?) "
        "ORDER BY queries.rowid, answers.step, answers.item",
        (query_id, query_id, stage, stage, key, key),
    )
    for asked, by, *place, judge, record, call in rows:
        yield Judged(asked, by, CallPlace(*place), judge, record, call)


def rankings(journal: Journal, query_id: str) -> list[tuple[str, str]]:
    """Key and stage of every ranking of a query, in the order in which they began."""
    return list(journal.rows("SELECT key, stage FROM queries WHERE query_id = ? ORDER BY rowid", (query_id,)))


def judges(journal: Journal, key: str) -> set[str]:
    """The models whose answers one ranking used."""
    rows = journal.rows(
        "SELECT DISTINCT judges.judge FROM answers JOIN judges ON judges.id = answers.judge WHERE key = ?", (key,)
    )
    found = {str(json.loads(described)["model"]) for (described,) in rows}
    return found | {model for (model,) in journal.rows("SELECT DISTINCT model FROM calls WHERE key = ?", (key,))}


def unheard(journal: Journal, key: str) -> tuple[int, list[str]]:
    """Of one ranking, how many calls lack a note of their judgement, and why calls failed that never came back."""
    ((missing,),) = journal.rows(
        "SELECT count(*) FROM calls LEFT JOIN answers USING (key, step, item) "
        "WHERE calls.key = ? AND record IS NULL AND judgement != 'Prior'",
        (key,),
    )
    lost = journal.rows(
        "SELECT reason FROM failures LEFT JOIN calls USING (key, step, item) WHERE failures.key = ? "
        "AND calls.id IS NULL ORDER BY failures.id",
        (key,),
    )
    return missing, [reason for (reason,) in lost]


def failures(journal: Journal) -> list[Lost]:
    """The calls that failed, in order."""
    rows = journal.rows(
        "SELECT coalesce(query_id, ''), coalesce(stage, ''), key, step, item, judgement, model, reason, attempts, at "
        "FROM failures LEFT JOIN queries USING (key) ORDER BY failures.id"
    )
    return [Lost(query_id, stage, CallPlace(*rest[:3]), *rest[3:]) for query_id, stage, *rest in rows]
