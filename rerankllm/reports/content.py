"""What stands in a report, ready for JSON: comparisons for the page, and each query for the browser."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rerankllm.evaluation.as_json import document
from rerankllm.evaluation.cost import KINDS
from rerankllm.evaluation.pairwise import Pair, every_pair
from rerankllm.evaluation.paper import paper_table
from rerankllm.files import plain
from rerankllm.reports import frame
from rerankllm.reports.calls import Call, read_calls
from rerankllm.reports.consistency import Consistency, consistency
from rerankllm.reports.headline import UNITS, headline
from rerankllm.reports.packing import Packed, as_data, pack
from rerankllm.reports.query import Answers, query_data
from rerankllm.reports.subject import Attempt, Extent, Key, Robust, Subject, by_difference
from rerankllm.spec.model import without_folders

DIGITS = 6
"""Of a query's value: it is drawn, and shown with four."""


@dataclasses.dataclass(frozen=True, slots=True)
class Content:
    """A report's data.

    Attributes:
        main: What the page shows at once.
        queries: What it shows of a query, by part and place in it.
        scripts: The same, packed: the text of each element by its id.
        left_out: What the runs have and the page has not, a sentence each.
    """

    main: Mapping[str, Any]
    queries: Mapping[str, Mapping[str, Any]]
    scripts: Mapping[str, str]
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
    heard = [_heard(subject) for subject in subjects]
    units = {kind: many for kind, (_, many) in UNITS.items()}
    parts = [_part(subject, calls) for subject, calls in zip(subjects, heard, strict=True)]
    main = plain({"title": title, "version": version, "kinds": list(KINDS), "units": units, "parts": parts,
                  "calls": extent.calls, "attacks": list(attacks)})  # fmt: skip
    packed = pack(_queries(subjects, heard, extent), extent.size - frame.size() - len(as_data(main).encode()))
    for place, part in enumerate(main["parts"]):
        for i, query in enumerate(part["queries"]):
            query["shown"] = f"{place}-{i}" in packed.queries
    return Content(main, packed.queries, packed.scripts, tuple(_left_out(subjects, extent, packed)))


def _queries(subjects: Sequence[Subject], heard: Sequence[Answers], extent: Extent) -> dict[str, Mapping[str, Any]]:
    """The data of queries by part and place, those on which systems differ most first, of all parts in turn."""
    chosen = sorted(
        (rank, place, i)
        for place, subject in enumerate(subjects)
        for rank, i in enumerate(by_difference(subject)[: extent.queries])
    )
    return {
        f"{place}-{i}": plain(
            query_data(subjects[place], subjects[place].comparison.pool.keys[i], heard[place], extent.calls)
        )
        for _, place, i in chosen
    }


def _left_out(subjects: Sequence[Subject], extent: Extent, packed: Packed) -> Iterator[str]:
    for place, subject in enumerate(subjects):
        count = len(subject.comparison.pool.keys)
        kept = sum(name.startswith(f"{place}-") for name in packed.queries)
        if count > kept:
            yield (
                f"Left out: {count - kept} of the {count} queries of {subject.name} cannot be browsed; those "
                "that can are the ones on which systems differ most. The numbers are of all."
            )
    if extent.calls != "all":
        kept_calls = "all calls" if extent.calls == "none" else "calls whose answers read without repair"
        yield f"Left out: prompts and answers of {kept_calls}. The numbers are of all calls."
    if packed.silent:
        count = len(packed.silent)
        yield (
            f"Left out: prompts and answers of {count} {'query' if count == 1 else 'queries'}, to keep the file below "
            f"{extent.size / 1e6:g} MB (--max-size); the others are those on which systems differ most."
        )


def _part(subject: Subject, heard: Answers) -> dict[str, Any]:
    comparison = subject.comparison
    pool, names = comparison.pool, [entrant.name for entrant in subject.entrants]
    pairs = {measure: every_pair(comparison, measure, names) for measure in pool.names}
    paper = paper_table(comparison)
    return {
        "name": subject.name,
        "headline": [*subject.so_far, *headline(comparison, pairs[pool.names[0]], subject.axis)],
        "document": document(comparison, subject.axis),
        "latex": paper.latex(),
        "markdown": paper.markdown(),
        "before": subject.before,
        "entrants": [
            {"name": entrant.name, "runs": [run.name for run in entrant.runs]} for entrant in subject.entrants
        ],
        "queries": [_query(subject, key) for key in pool.keys],
        "values": {
            system.name: {m: [round(float(x), DIGITS) for x in system.by_query(m)] for m in pool.names}
            for system in comparison.systems
        },
        "pairs": {measure: [_pair(pair) for pair in found] for measure, found in pairs.items()},
        "consistency": {name: _consistency(subject, name, heard) for name in names},
        "robust": [_robust(each) for each in subject.robust],
        "notes": list(subject.notes),
    }


def _query(subject: Subject, key: Key) -> dict[str, Any]:
    collection, query_id = key
    pooled = len(subject.comparison.pool.qrels) > 1
    return {"id": query_id, "collection": collection if pooled else None, "text": subject.queries.get(key),
            "shown": False}  # fmt: skip


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
