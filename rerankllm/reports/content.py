"""What stands in a report, ready for JSON: comparisons for the page, and each query for the browser."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rerankllm.evaluation.as_json import document
from rerankllm.evaluation.cost import KINDS
from rerankllm.evaluation.pairwise import Pair, every_pair
from rerankllm.evaluation.paper import paper_table
from rerankllm.files import plain
from rerankllm.reports.calls import Call, read_calls
from rerankllm.reports.consistency import Consistency, consistency
from rerankllm.reports.headline import UNITS, headline
from rerankllm.reports.query import Answers, query_data
from rerankllm.reports.subject import Attempt, Extent, Key, Robust, Subject, shown_queries
from rerankllm.spec.model import without_folders

DIGITS = 6
"""Of a query's value: it is drawn, and shown with four."""


@dataclasses.dataclass(frozen=True, slots=True)
class Content:
    """A report's data.

    Attributes:
        main: What the page shows at once.
        queries: What it shows of a query, by part and place in it.
        left_out: What the runs have and the page has not, a sentence each.
    """

    main: Mapping[str, Any]
    queries: Mapping[str, Mapping[str, Any]]
    left_out: tuple[str, ...]


def content(
    title: str,
    subjects: Sequence[Subject],
    extent: Extent,
    version: str,
    attacks: Sequence[Mapping[str, Any]] = (),
) -> Content:
    """Everything that goes into the page.

    Args:
        title: Of the page.
        subjects: The comparisons; the first is shown first.
        extent: How much of the runs to put in.
        version: This package's.
        attacks: What attacks did to systems, as `attacked` has it.

    Raises:
        InputError: A journal cannot be read.
        MissingExtra: scipy is not installed.
    """
    queries: dict[str, Mapping[str, Any]] = {}
    parts = [_part(i, subject, extent, queries) for i, subject in enumerate(subjects)]
    units = {kind: many for kind, (_, many) in UNITS.items()}
    main = {"title": title, "version": version, "kinds": list(KINDS), "units": units, "parts": parts,
            "calls": extent.calls, "attacks": list(attacks)}  # fmt: skip
    return Content(plain(main), plain(queries), tuple(_left_out(subjects, extent)))


def _left_out(subjects: Sequence[Subject], extent: Extent) -> Iterator[str]:
    for subject in subjects:
        count = len(subject.comparison.pool.keys)
        if count > extent.queries:
            yield (
                f"Left out: {count - extent.queries} of the {count} queries of {subject.name} cannot be browsed; those "
                "that can are the ones on which systems differ most. The numbers are of all."
            )
    if extent.calls != "all":
        kept = "all calls" if extent.calls == "none" else "calls whose answers read without repair"
        yield f"Left out: prompts and answers of {kept}. The numbers are of all calls."


def _part(place: int, subject: Subject, extent: Extent, queries: dict[str, Mapping[str, Any]]) -> dict[str, Any]:
    comparison = subject.comparison
    pool, names = comparison.pool, [entrant.name for entrant in subject.entrants]
    heard = _heard(subject)
    pairs = {measure: every_pair(comparison, measure, names) for measure in pool.names}
    paper = paper_table(comparison)
    shown = shown_queries(subject, extent.queries)
    for i in shown:
        queries[f"{place}-{i}"] = query_data(subject, pool.keys[i], heard, extent.calls)
    return {
        "name": subject.name,
        "headline": headline(comparison, pairs[pool.names[0]], subject.axis),
        "document": document(comparison, subject.axis),
        "latex": paper.latex(),
        "markdown": paper.markdown(),
        "before": subject.before,
        "entrants": [
            {"name": entrant.name, "runs": [run.name for run in entrant.runs]} for entrant in subject.entrants
        ],
        "queries": [_query(subject, key, f"{place}-{i}" in queries) for i, key in enumerate(pool.keys)],
        "values": {
            system.name: {m: [round(float(x), DIGITS) for x in system.by_query(m)] for m in pool.names}
            for system in comparison.systems
        },
        "pairs": {measure: [_pair(pair) for pair in found] for measure, found in pairs.items()},
        "consistency": {name: _consistency(subject, name, heard) for name in names},
        "robust": [_robust(each) for each in subject.robust],
        "notes": list(subject.notes),
    }


def _query(subject: Subject, key: Key, shown: bool) -> dict[str, Any]:  # noqa: FBT001
    collection, query_id = key
    pooled = len(subject.comparison.pool.qrels) > 1
    return {"id": query_id, "collection": collection if pooled else None, "text": subject.queries.get(key),
            "shown": shown}  # fmt: skip


def _heard(subject: Subject) -> Answers:
    """The calls of every run that has a journal."""
    return {
        (entrant.name, i): _of_run(subject, run)
        for entrant in subject.entrants
        for i, run in enumerate(entrant.runs)
        if run.journals
    }


def _of_run(subject: Subject, run: Attempt) -> dict[Key, Sequence[Call]]:
    found: dict[Key, Sequence[Call]] = {}
    for collection, path, stage in run.journals:
        for query_id, calls in read_calls(path, stage).items():
            for name, judged in subject.comparison.pool.qrels.items():
                if query_id in judged and collection in (None, name):
                    found[name, query_id] = calls
    return found


def _consistency(subject: Subject, name: str, heard: Answers) -> dict[str, Any] | None:
    """How consistent a system's answers are; None where no run of it has a journal."""
    (entrant,) = [each for each in subject.entrants if each.name == name]
    found = [heard[name, i] for i in range(len(entrant.runs)) if (name, i) in heard]
    if not found:
        return None
    told: Consistency = consistency(calls for by_query in found for calls in by_query.values())
    every = [call for by_query in found for calls in by_query.values() for call in calls]
    return {
        **dataclasses.asdict(told),
        "runs": len(found),
        "of": len(entrant.runs),
        "stages": sorted({call.stage for call in every}),
        "models": sorted({without_folders(call.model) for call in every}),
    }


def _pair(pair: Pair) -> dict[str, Any]:
    return {"one": pair.one, "other": pair.other, **dataclasses.asdict(pair.estimate), "p": pair.p,
            "adjusted": pair.adjusted, "record": pair.record}  # fmt: skip


def _robust(found: Robust) -> dict[str, Any]:
    return {
        "system": found.system,
        "measure": found.measure,
        "quality": [{"order": name, **dataclasses.asdict(each)} for name, each in found.quality.items()],
        "pairs": [dataclasses.asdict(pair) for pair in found.pairs],
        "spread": found.spread,
    }
