"""Measures over the parts of an information need: FreshStack's nuggets, TREC Web's subtopics."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rerankllm.errors import InputError, MissingExtra
from rerankllm.evaluation.measures import Qrels, parse_measures, per_query

Subtopics = Mapping[str, Qrels]
"""For each query id and subtopic the grade of each judged doc_id."""
_BY_NDEVAL = frozenset({"alpha_DCG", "alpha_nDCG", "ERR_IA", "nERR_IA", "NRBP", "nNRBP", "AP_IA", "P_IA", "StRecall"})


@dataclass(frozen=True, slots=True)
class Coverage:
    """The share of a query's subtopics that a document among the first `cutoff` is relevant to.

    As FreshStack defines it (Thakur et al. 2025, section 5; `freshstack/retrieval/metrics.py`): subtopics for which no
    document was found relevant count as not covered. ir-measures' StRecall leaves them out.
    """

    cutoff: int

    def __str__(self) -> str:
        return f"Coverage@{self.cutoff}"

    def value(self, subtopics: Qrels, ranked: Sequence[str]) -> float:
        """Between 0 and 1, for one query."""
        seen = set(ranked[: self.cutoff])
        covered = [any(grade > 0 and doc_id in seen for doc_id, grade in one.items()) for one in subtopics.values()]
        return sum(covered) / len(covered)


def parse(names: Iterable[str]) -> list[Any]:
    """Measures by name: `Coverage@20`, or what ir-measures knows.

    Raises:
        InputError: A name that neither does.
    """
    return [
        Coverage(int(found[1])) if (found := re.fullmatch(r"Coverage@([1-9]\d*)", name)) else parse_measures([name])[0]
        for name in names
    ]


def needs_subtopics(measure: Any) -> bool:
    """Whether the measure is about subtopics."""
    return isinstance(measure, Coverage) or measure.NAME in _BY_NDEVAL


def per_query_with(
    qrels: Qrels, subtopics: Subtopics, rankings: Mapping[str, Sequence[str]], measures: Sequence[Any]
) -> dict[str, dict[str, float]]:
    """As `measures.per_query`, with measures over subtopics among them.

    Raises:
        InputError: Such a measure, and no subtopics.
        MissingExtra: pyndeval is not installed.
    """
    special = [measure for measure in measures if needs_subtopics(measure)]
    plain = [measure for measure in measures if measure not in special]
    if special and not subtopics:
        raise InputError(f"{special[0]} needs judgements by subtopic, which FreshStack has (--dataset freshstack/…)")
    values = per_query(qrels, rankings, plain) if plain else {key: {} for key in qrels if key in rankings}
    for measure in special:
        if isinstance(measure, Coverage):
            found = {key: measure.value(subtopics[key], rankings[key]) for key in values if subtopics.get(key)}
        else:
            found = _by_ndeval(subtopics, {key: rankings[key] for key in values}, measure)
        for query_id, value in found.items():
            values[query_id][str(measure)] = value
    order = list(map(str, measures))
    return {key: {name: by[name] for name in order if name in by} for key, by in values.items()}


def _by_ndeval(subtopics: Subtopics, rankings: Mapping[str, Sequence[str]], measure: Any) -> dict[str, float]:
    import ir_measures  # noqa: PLC0415

    judged = [
        ir_measures.Qrel(query_id, doc_id, grade, subtopic)
        for query_id in rankings
        for subtopic, grades in subtopics.get(query_id, {}).items()
        for doc_id, grade in grades.items()
    ]
    run = {key: {doc_id: float(-place) for place, doc_id in enumerate(ranked)} for key, ranked in rankings.items()}
    try:
        provider = ir_measures.pyndeval
        if not provider.is_available():
            raise MissingExtra(f"{measure} needs pyndeval: pip install 'rerankllm[collections]'")
        return {metric.query_id: float(metric.value) for metric in provider.iter_calc([measure], judged, run)}
    except (ValueError, AssertionError, RuntimeError) as error:
        raise InputError(f"ndeval cannot compute {measure}: {' '.join(str(error).split())[:200]}") from error
