"""evaluate."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from rerankllm.collections.base import Collection
from rerankllm.errors import InputError
from rerankllm.evaluation.measures import Qrels, at_level, mean, relevant_from, trec_order
from rerankllm.evaluation.subtopics import Subtopics, needs_subtopics, per_query_with
from rerankllm.notes import tell
from rerankllm.runs.source import allowed, open_dataset, read_judgements


def told_level(measures: Sequence[Any], level: int) -> list[Any]:
    """The measures at the grade that counts as relevant; says on stderr which change by it."""
    changed = [m if needs_subtopics(m) else at_level([m], level)[0] for m in measures]
    names = [str(after) for before, after in zip(measures, changed, strict=True) if before != after]
    if names:
        tell(
            f"relevant is grade {level} and above here, as in TREC-DL: measuring {', '.join(names)}; "
            "a measure that says rel= itself keeps it"
        )
    return changed


AT_A_TIME = 1000
"""Queries of a run that are measured together."""


@dataclass(frozen=True, slots=True)
class _Judged:
    """Judgements, and the rules of the collection they are of."""

    qrels: Qrels
    collection: Collection | None = None
    subtopics: Subtopics = field(default_factory=dict)
    parts: Mapping[str, str] = field(default_factory=dict)

    @property
    def level(self) -> int:
        """The lowest grade that binary measures count as relevant."""
        return relevant_from(self.qrels) if self.collection is None else self.collection.relevant_from

    def report(self, path: Path, measures: Sequence[Any]) -> dict[str, Any]:
        """What there is to say of one run."""
        from rerankllm.formats.runfile import Lists  # noqa: PLC0415

        run: Mapping[str, Sequence[tuple[str, float]]] = Lists(path)
        if self.collection is not None:
            run = allowed(self.collection, run, str(path))
        values = self._values(run, measures)
        missing = [query_id for query_id in self.qrels if query_id not in run]
        if missing:
            tell(f"{path} lacks {len(missing)} of {len(self.qrels)} judged queries ({', '.join(missing[:3])})")
        return {
            "run": str(path),
            "queries": len(values),
            "missing_queries": missing,
            "mean": {str(m): mean(values, m, self.parts) for m in measures},
            "per_query": values,
        }

    def _values(
        self, run: Mapping[str, Sequence[tuple[str, float]]], measures: Sequence[Any]
    ) -> dict[str, dict[str, float]]:
        """The value of every measure for every judged query of the run, in the judgements' order; few are held."""
        found: dict[str, dict[str, float]] = {}
        left = iter(run.items())
        while some := dict(islice(left, AT_A_TIME)):
            rankings = {query_id: trec_order(scored) for query_id, scored in some.items()}
            judged = {query_id: self.qrels[query_id] for query_id in some if query_id in self.qrels}
            found |= per_query_with(judged, self.subtopics, rankings, measures)
        return {query_id: found[query_id] for query_id in self.qrels if query_id in found}


def _judged(qrels: Path | None, dataset: str | None) -> _Judged:
    if (qrels is None) == (dataset is None):
        raise InputError("give the judgements once: --qrels with a file, or --dataset with a name")
    if qrels is not None:
        return _Judged(read_judgements(qrels))
    collection = open_dataset(str(dataset))
    return _Judged(collection.qrels, collection, collection.subtopics, collection.parts)
