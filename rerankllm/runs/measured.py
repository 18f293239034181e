"""How good a run was before and after, measured as its queries come: neither orders nor grades pile up for the end."""

from collections.abc import Mapping, Sequence
from typing import Any

from rerankllm.errors import InputError
from rerankllm.evaluation.measures import Qrels, parse_measures, per_query

MEASURED = 10
"""Places of each ranking that are measured."""
TOGETHER = 256
"""Queries that are measured together."""


class Measured:
    """nDCG@10 of the judged queries of a run, in the order in which they came in and as they were ranked.

    Args:
        qrels: Grades by query and document.

    Attributes:
        before: Of each judged query, with that of the ones that failed.
        after: Of each judged query that was ranked.
    """

    def __init__(self, qrels: Qrels) -> None:
        self.before: dict[str, float] = {}
        self.after: dict[str, float] = {}
        self._qrels = qrels
        self._first: dict[str, Sequence[str]] = {}
        self._ranked: dict[str, Sequence[str]] = {}
        self._most = TOGETHER

    @staticmethod
    def measure() -> Any:
        """nDCG@10."""
        return parse_measures([f"nDCG@{MEASURED}"])[0]

    def came(self, query_id: str, doc_ids: Sequence[str]) -> None:
        """Notes the documents of a query in the order in which they came in."""
        if query_id not in self._qrels:
            return
        if len(self._first) >= self._most:
            try:
                self._measure()
            except InputError:  # no reason to stop a run: it is said at the end, when all is written
                self._most *= 2
        self._first[query_id] = tuple(doc_ids[:MEASURED])

    def ranked(self, query_id: str, doc_ids: Sequence[str]) -> None:
        """Notes the same documents as they were ranked."""
        if query_id in self._qrels:
            self._ranked[query_id] = tuple(doc_ids[:MEASURED])

    def means(self, parts: Mapping[str, str] | None) -> dict[str, Any]:
        """Both means, where parts are given as the mean of their parts' means; a failed query counts as 0 after.

        Raises:
            InputError: ir-measures cannot compute it here.
        """
        self._measure()
        measured = [query_id for query_id in self._qrels if query_id in self.before]
        before, after = ([values.get(each, 0.0) for each in measured] for values in (self.before, self.after))
        named = [parts[query_id] for query_id in measured] if parts else [""] * len(measured)
        return {"before": _mean(before, named), "after": _mean(after, named), "queries": len(measured)}

    def _measure(self) -> None:
        """Measures what is not measured yet."""
        measure = self.measure()
        grades = {query_id: self._qrels[query_id] for query_id in self._first}
        for noted, values in ((self._first, self.before), (self._ranked, self.after)):
            found = per_query(grades, noted, [measure])
            values.update((query_id, value[str(measure)]) for query_id, value in found.items())
            noted.clear()


def _mean(values: Sequence[float], parts: Sequence[str]) -> float:
    by_part: dict[str, list[float]] = {}
    for value, part in zip(values, parts, strict=True):
        by_part.setdefault(part, []).append(value)
    means = [sum(each) / len(each) for each in by_part.values()]
    return sum(means) / len(means) if means else float("nan")
