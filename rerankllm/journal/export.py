"""Makes a recording of a journal's judgements."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from rerankllm.errors import InputError
from rerankllm.formats.recordings import Header
from rerankllm.journal.read import judged
from rerankllm.journal.store import Journal
from rerankllm.spec.stage import Stage, map_stages


@dataclass(frozen=True, slots=True)
class Export:
    """The content of a recording.

    Attributes:
        header: The first line.
        records: The other lines, as JSON.
        queries: How many queries they are about.
        left_out: How many calls are left out because an earlier version did not note their judgements.
    """

    header: Header
    records: list[str]
    queries: int
    left_out: int


def export(
    journal: Journal, version: str, *, query_id: str | None = None, stage: str | None = None, model: str | None = None
) -> Export:
    """The judgements a journal holds, in the order of queries, steps and items.

    A judgement that always got the same answer is exported once, any other as often as it was answered.

    Args:
        journal: The journal.
        version: This package's.
        query_id: Exports only judgements about this query.
        stage: Exports only judgements that this stage asked for, as it prints.
        model: Exports only this model's answers.

    Raises:
        InputError: There are no such judgements, or two judges have answered the same kind of judgement: a recording
            could not know which answer to give.
    """
    rows = list(judged(journal, query_id=query_id, stage=stage))
    rows = [row for row in rows if model is None or json.loads(row.judge)["model"] == model]
    ((missing,),) = journal.rows(
        "SELECT count(*) FROM calls LEFT JOIN answers USING (key, step, item) "
        "WHERE record IS NULL AND judgement != 'Prior'"
    )
    if not rows:
        raise InputError(_nothing(journal, missing, wanted=[query_id, stage, model]))
    judges = _judges(journal, ((row.judge, row.record) for row in rows))
    stages = list(dict.fromkeys(row.stage for row in rows))
    strategies = tuple(dict.fromkeys(str(_bare(Stage.parse(each))) for each in stages))
    header = Header(strategies, tuple(stages), judges, version)
    return Export(header, _once([row.record for row in rows]), len({row.query_id for row in rows}), missing)


def _nothing(journal: Journal, missing: int, wanted: Iterable[str | None]) -> str:
    if any(each is not None for each in wanted):
        return f"{journal.path} holds no such judgements: `rerankllm journal {journal.path}` lists stages and models"
    if missing:
        return (
            f"{journal.path} was written by a version that did not note judgements: run the same command with it again "
            "(nothing is asked again), then export"
        )
    return f"{journal.path} holds no judgements yet"


def _judges(journal: Journal, answered: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """The judge of each kind of judgement."""
    found: dict[str, str] = {}
    for judge, record in answered:
        kind = json.loads(record)["judgement"]
        other = found.setdefault(kind, judge)
        if other != judge:
            raise InputError(
                f"{journal.path}: {kind} was answered by {_named(other)} and by {_named(judge)}, and a recording has "
                "one judge for each: choose with --model or --stage, or give each its own journal"
            )
    return {kind: json.loads(judge) for kind, judge in found.items()}


def _named(judge: str) -> str:
    found = json.loads(judge)
    how = ", ".join(f"{name} {value}" for name, value in found.items() if value and name not in {"model", "revision"})
    return f"{found['model']} ({how})" if how else str(found["model"])


def _once(records: list[str]) -> list[str]:
    """The records without repetitions."""
    heard: dict[str, set[str]] = {}
    asked: list[str] = []
    for record in records:
        fields = json.loads(record)
        asked.append(json.dumps([fields[name] for name in ("judgement", "query_id", "query", "docs", "parameters")]))
        heard.setdefault(asked[-1], set()).add(json.dumps([fields.get("answer"), fields.get("reason")]))
    seen: set[str] = set()
    kept: list[str] = []
    for key, record in zip(asked, records, strict=True):
        if key not in seen or len(heard[key]) > 1:
            kept.append(record)
        seen.add(key)
    return kept


def _bare(stage: Stage) -> Stage:
    """The stage without elicitations and models, as it is run on a recording."""
    return replace(stage, strategy=map_stages(stage.strategy, _bare), elicitation=None, model=None)
