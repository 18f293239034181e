"""Evaluates run files: the mean of each measure over the judged queries that a run has."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from os import PathLike
from pathlib import Path
from typing import Any, TypeAlias

from rerankllm.collections.base import Collection
from rerankllm.errors import InputError
from rerankllm.evaluation.measures import DEFAULT_MEASURES, Qrels, at_level, mean, relevant_from, trec_order
from rerankllm.evaluation.subtopics import Subtopics, needs_subtopics, parse, per_query_with
from rerankllm.notes import tell
from rerankllm.runs.provenance import differences
from rerankllm.runs.source import allowed, read_judgements
from rerankllm.runs.writer import tell_if_cut

AT_A_TIME = 1000
"""Queries of a run that are measured together."""
File: TypeAlias = str | PathLike[str]
RunFiles: TypeAlias = Mapping[str, File] | Sequence[File] | File


@dataclass(frozen=True, slots=True)
class RunEvaluation:
    """How good one run is.

    Attributes:
        run: Its name, or its path where it has none.
        mean: The mean of each measure.
        per_query: The value of each measure by query.
        missing_queries: Judged queries that the run lacks; they are no part of the mean.
    """

    run: str
    mean: Mapping[str, float]
    per_query: Mapping[str, Mapping[str, float]]
    missing_queries: tuple[str, ...] = ()

    def to_dict(self, *, per_query: bool = True) -> dict[str, Any]:
        """All of it, ready for JSON; without the queries' values if they are not wanted."""
        found: dict[str, Any] = {
            "run": self.run,
            "queries": len(self.per_query),
            "missing_queries": list(self.missing_queries),
            "mean": dict(self.mean),
        }
        return {**found, "per_query": dict(self.per_query)} if per_query else found


@dataclass(frozen=True, slots=True)
class Evaluation:
    """How good several runs are; `print` shows a line for each run and measure.

    Attributes:
        runs: In the order given.
    """

    runs: tuple[RunEvaluation, ...]

    @property
    def mean(self) -> dict[str, Mapping[str, float]]:
        """The mean of each measure, by run."""
        return {each.run: each.mean for each in self.runs}

    def to_list(self, *, per_query: bool = False) -> list[dict[str, Any]]:
        """An object for each run: what `rerankllm eval --json` prints, with `per_query` what it prints with that."""
        return [each.to_dict(per_query=per_query) for each in self.runs]

    def lines(self, *, per_query: bool = False) -> Iterator[str]:
        """Run, measure, query (`all` for the mean) and value, with tabs between, as trec_eval prints them."""
        for each in self.runs:
            for query_id, values in each.per_query.items() if per_query else ():
                yield from (f"{each.run}\t{name}\t{query_id}\t{value:.4f}" for name, value in values.items())
            yield from (f"{each.run}\t{name}\tall\t{value:.4f}" for name, value in each.mean.items())

    def __str__(self) -> str:
        return "\n".join(self.lines())


def evaluate_runs(
    runs: RunFiles, qrels: File | Qrels | Collection, *, measures: Sequence[str] | None = None
) -> Evaluation:
    """Evaluates run files; ties in score are broken as trec_eval does, and missing queries are left out of the mean.

    Args:
        runs: TREC runs by name, or their files.
        qrels: The judgements: a file of TREC or BEIR qrels, a BEIR folder, grades by query and document, or a
            collection, whose rules on excluded documents, subtopics and parts then hold.
        measures: In ir-measures' notation, such as `nDCG@10` or `RR(rel=2)@10`, or `Coverage@20`; nDCG@10 when None, or
            what the papers of the collection report.

    Raises:
        InputError: A file cannot be read, a measure is unknown, or a run has none of the judged queries.
        MissingExtra: A measure needs a package that is not installed.

    Example:
        >>> evaluate_runs({"bm25": "bm25.txt", "reranked": "reranked.txt"}, "qrels.txt").mean
        {'bm25': {'nDCG@10': 0.5058}, 'reranked': {'nDCG@10': 0.6682}}
    """
    judged = _judged(qrels)
    usual = DEFAULT_MEASURES if judged.collection is None else judged.collection.measures
    wanted = _at_level(parse(measures or usual), judged.level)
    files = _files(runs)
    for _, path in files:
        tell_if_cut(path)
    found = tuple(judged.evaluate(name, path, wanted) for name, path in files)
    for line in differences([path for _, path in files]):
        tell(f"compare with care: {line}")
    return Evaluation(found)


@dataclass(frozen=True, slots=True)
class _Judged:
    """Judgements, and the rules of the collection that they are of."""

    qrels: Qrels
    collection: Collection | None = None
    subtopics: Subtopics = field(default_factory=dict)
    parts: Mapping[str, str] = field(default_factory=dict)

    @property
    def level(self) -> int:
        """The lowest grade that binary measures count as relevant."""
        return relevant_from(self.qrels) if self.collection is None else self.collection.relevant_from

    def evaluate(self, name: str, path: Path, measures: Sequence[Any]) -> RunEvaluation:
        """Measures one run."""
        from rerankllm.formats.runfile import Lists  # noqa: PLC0415

        run: Mapping[str, Sequence[tuple[str, float]]] = Lists(path)
        if self.collection is not None:
            run = allowed(self.collection, run, str(path))
        values = self._values(run, measures)
        if not values:
            raise InputError(
                f"{path} ranks none of the {len(self.qrels)} judged queries: are these its qrels?"
                if self.qrels
                else "the qrels judge nothing: is this the right file?"
            )
        missing = tuple(query_id for query_id in self.qrels if query_id not in run)
        if missing:
            tell(f"{path} lacks {len(missing)} of {len(self.qrels)} judged queries ({', '.join(missing[:3])})")
        return RunEvaluation(name, {str(m): mean(values, m, self.parts) for m in measures}, values, missing)

    def _values(
        self, run: Mapping[str, Sequence[tuple[str, float]]], measures: Sequence[Any]
    ) -> dict[str, dict[str, float]]:
        """Each measure's value for each judged query of the run, in the judgements' order; few rankings are held."""
        found: dict[str, dict[str, float]] = {}
        left = iter(run.items())
        while some := dict(islice(left, AT_A_TIME)):
            rankings = {query_id: trec_order(scored) for query_id, scored in some.items()}
            judged = {query_id: self.qrels[query_id] for query_id in some if query_id in self.qrels}
            found |= per_query_with(judged, self.subtopics, rankings, measures)
        return {query_id: found[query_id] for query_id in self.qrels if query_id in found}


def _judged(qrels: File | Qrels | Collection) -> _Judged:
    if isinstance(qrels, Collection):
        return _Judged(qrels.qrels, qrels, qrels.subtopics, qrels.parts)
    return _Judged(read_judgements(Path(qrels)) if isinstance(qrels, (str, PathLike)) else qrels)


def _at_level(measures: Sequence[Any], level: int) -> list[Any]:
    """The measures at the grade that counts as relevant; tells which of them change by it."""
    changed = [m if needs_subtopics(m) else at_level([m], level)[0] for m in measures]
    names = [str(after) for before, after in zip(measures, changed, strict=True) if before != after]
    if names:
        tell(
            f"relevant is grade {level} and above here, as in TREC-DL: measuring {', '.join(names)}; "
            "a measure that says rel= itself keeps it"
        )
    return changed


def _files(runs: RunFiles) -> list[tuple[str, Path]]:
    """Name and path of each run."""
    if isinstance(runs, (str, PathLike)):
        runs = [runs]
    found = (
        [(name, Path(file)) for name, file in runs.items()]
        if isinstance(runs, Mapping)
        else [(str(file), Path(file)) for file in runs]
    )
    if not found:
        raise InputError("there is no run to evaluate: give at least one")
    return found
