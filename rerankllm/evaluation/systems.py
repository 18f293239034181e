"""What systems scored, query by query: the values that every comparison rests on."""

from collections.abc import Container, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from rerankllm.errors import InputError
from rerankllm.evaluation.cost import Cost
from rerankllm.evaluation.measures import Qrels, at_level, parse_measures, per_query, relevant_from
from rerankllm.evaluation.rbp import rbp
from rerankllm.evaluation.standard_error import Array, Strata

Orders: TypeAlias = Mapping[str, Mapping[str, Sequence[str]]]
"""One run: document ids, best first, by collection and query."""
JUDGED = "Judged@10"


@dataclass(frozen=True)
class System:
    """One system on the judged queries of a pool.

    Attributes:
        name: As it is shown.
        values: By measure, shape (runs, queries), in the pool's order; a query without a ranking has 0.
        answered: Judged queries with a ranking, mean over runs.
        judged: Judged@10 over those, mean.
        rbp: Rank-biased precision at p = .8, mean over all queries.
        residual: How much higher it could be if all that nobody judged were relevant.
        cost: What a query cost; None when nothing tells.
        reference: Whether it is there for orientation only, so that it is tested only where someone says so.
    """

    name: str
    values: Mapping[str, Array]
    answered: float
    judged: float
    rbp: float
    residual: float
    cost: Cost | None = None
    reference: bool = False

    @property
    def runs(self) -> int:
        """How many runs, of different seeds, the values are from."""
        return len(next(iter(self.values.values())))

    def by_query(self, measure: str) -> Array:
        """Shape (queries,): runs averaged first, for queries are the unit."""
        mean: Array = self.values[measure].mean(axis=0)
        return mean


class Pool:
    """The judged queries of one collection, or of several pooled.

    Args:
        qrels: Grades by collection, query and document.
        measures: Objects of ir-measures.
        level: The lowest grade that counts as relevant in every collection; each one's own when None, see
            `relevant_from`. It is what binary measures go by that do not say `rel` themselves.

    Raises:
        InputError: Nothing is judged, or a measure comes twice.
    """

    def __init__(self, qrels: Mapping[str, Qrels], measures: Sequence[Any], level: int | None = None) -> None:
        self.qrels = {collection: qrels[collection] for collection in sorted(qrels)}
        self.levels = {name: level or relevant_from(judged) for name, judged in self.qrels.items()}
        self._measures = {name: at_level(measures, grade) for name, grade in self.levels.items()}
        self.raised = [name for name, own in self._measures.items() if own != list(measures)]
        """The collections where a measure that was asked for counts other grades than ir-measures would by itself."""
        plain = [str(measure) for measure in measures]
        named = {tuple(map(str, own)) for own in self._measures.values()}
        self.names = list(named.pop()) if len(named) == 1 else plain
        if len(set(self.names)) < len(self.names):
            raise InputError(f"a measure is asked for twice: {', '.join(self.names)}")
        self.keys, self.strata = _numbered(self.qrels)
        if not self.keys:
            raise InputError("the qrels hold no judged query: there is nothing to compare on")

    def only(self, keys: Container[tuple[str, str]]) -> "Pool":
        """The same measures, with the same levels, on some of the queries."""
        found = copy(self)
        kept = {
            name: {q: grades for q, grades in judged.items() if (name, q) in keys}
            for name, judged in self.qrels.items()
        }
        found.qrels = {name: judged for name, judged in kept.items() if judged}
        found.keys, found.strata = _numbered(found.qrels)
        return found

    def system(self, name: str, runs: Sequence[Orders], *, cost: Cost | None = None, reference: bool = False) -> System:
        """Measures a system.

        Args:
            name: As it is shown.
            runs: One, or one a seed.
            cost: What a query cost.
            reference: Whether it is there for orientation only.

        Raises:
            InputError: No judged query has a ranking, or a measure cannot be computed.
        """
        measured = [self._measured(run) for run in runs]
        answered = [[key for key in self.keys if JUDGED in found[key]] for found in measured]
        if not any(answered):
            raise InputError(f"{name} ranks none of the {len(self.keys)} judged queries: are these its qrels?")
        values = {
            measure: np.array([[found[key].get(measure, 0.0) for key in self.keys] for found in measured])
            for measure in self.names
        }
        shares = [found[key][JUDGED] for found, keys in zip(measured, answered, strict=True) for key in keys]
        bounds = np.mean([self._rbp(run, key) for run in runs for key in self.keys], axis=0)
        return System(
            name, values, sum(map(len, answered)) / len(runs), float(np.mean(shares)), float(bounds[0]),
            float(bounds[1]), cost, reference,
        )  # fmt: skip

    def _measured(self, run: Orders) -> dict[tuple[str, str], dict[str, float]]:
        """By collection and query: the value of each measure, and Judged@10; nothing where there is no ranking."""
        (judged,) = parse_measures([JUDGED])
        found: dict[tuple[str, str], dict[str, float]] = {key: {} for key in self.keys}
        for collection, qrels in self.qrels.items():
            own = self._measures[collection]
            for query_id, values in per_query(qrels, run.get(collection, {}), {*own, judged}).items():
                found[collection, query_id] = {
                    JUDGED: values[JUDGED],
                    **{name: values[str(measure)] for name, measure in zip(self.names, own, strict=True)},
                }
        return found

    def _rbp(self, run: Orders, key: tuple[str, str]) -> tuple[float, float]:
        collection, query_id = key
        doc_ids = run.get(collection, {}).get(query_id)
        if doc_ids is None:
            return 0.0, 0.0  # not unknown but missing: it gained nothing
        return rbp(doc_ids, self.qrels[collection][query_id], level=self.levels[collection])


def _numbered(qrels: Mapping[str, Qrels]) -> tuple[list[tuple[str, str]], Strata]:
    """Collection and id of every judged query, and the number of its collection."""
    keys = [(collection, query_id) for collection, judged in qrels.items() for query_id in sorted(judged)]
    numbers = {collection: number for number, collection in enumerate(qrels)}
    return keys, np.array([numbers[collection] for collection, _ in keys], dtype=np.int64)


def ideal(first: Orders, qrels: Mapping[str, Qrels], depth: int) -> Orders:
    """The best order of each query's first `depth` candidates: by grade, equal ones as they were; the rest follows.

    What is unjudged has grade 0.
    """
    return {
        collection: {
            query_id: [
                *sorted(doc_ids[:depth], key=lambda doc_id, q=query_id: -max(0, qrels[collection][q].get(doc_id, 0))),  # type: ignore[misc]
                *doc_ids[depth:],
            ]
            for query_id, doc_ids in queries.items()
            if query_id in qrels[collection]
        }
        for collection, queries in first.items()
    }
