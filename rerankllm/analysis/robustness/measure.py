"""Measures how far a system's rankings and their quality depend on the order of its candidates."""

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations, combinations_with_replacement
from typing import TypeAlias

import numpy as np

from rerankllm.analysis.robustness.results import (
    NOTHING,
    USUAL,
    Agreement,
    OfQuery,
    Order,
    OrderedRun,
    Robustness,
    RobustnessSettings,
    Variation,
)
from rerankllm.errors import InputError
from rerankllm.evaluation.agreement import FEWEST, kendall_tau, rank_biased_overlap, top_overlap
from rerankllm.evaluation.bootstrap import bootstrap
from rerankllm.evaluation.comparison import Estimate
from rerankllm.evaluation.measures import Qrels, at_level, parse_measures, per_query, relevant_from
from rerankllm.evaluation.standard_error import Array


def measure_robustness(
    orders: Sequence[OrderedRun], qrels: Qrels | None, settings: RobustnessSettings = USUAL
) -> Robustness:
    """How far a system's rankings, and their quality, depend on the order of its candidates.

    Args:
        orders: What it made of each; the first is what others are orders of.
        qrels: Grades by query and document; None where there are none.
        settings: How to measure.

    Raises:
        InputError: There is no order, two share a name, a document comes twice, or orders of the same candidates rank
            different documents of a query.
        MissingExtra: scipy is not installed.
    """
    _check(orders)
    queries = list(dict.fromkeys(q for each in orders for part in (each.candidates or {}, each.rankings) for q in part))
    quality = None if qrels is None else _quality(orders, qrels, settings)
    judged = [query_id for query_id in queries if qrels is not None and query_id in qrels]
    compared = _Pairs(orders, settings)
    same = [each for each in orders if each.same]
    stages = [orders[0], *(each for each in orders if not each.same)]
    return Robustness(
        settings,
        None if qrels is None else len(judged),
        tuple(_order(each, queries, quality, judged, settings) for each in orders),
        tuple(compared.families()),
        tuple(compared.agreement(a.order, b.order, [(a, b)]) for a, b in combinations(orders, 2)),
        _variation([each.order for each in same], quality, judged, settings),
        _variation([each.order for each in stages], quality, judged, settings),
        tuple(_of_query(query_id, same, quality, compared) for query_id in queries),
    )


def _check(orders: Sequence[OrderedRun]) -> None:
    names = [each.order for each in orders]
    if not orders or len(set(names)) < len(names):
        raise InputError(f"orders should have a name each, at least one; found {', '.join(names) or 'none'}")
    known: dict[str, tuple[str, set[str]]] = {}
    for each in orders:
        for query_id, doc_ids in each.rankings.items():
            found = set(doc_ids)
            if len(found) < len(doc_ids):
                raise InputError(f"order {each.order}, query {query_id}: a document is ranked twice")
            name, expected = known.setdefault(query_id, (each.order, found)) if each.same else (each.order, found)
            if found != expected:
                odd = min(found ^ expected)
                has, lacks = (each.order, name) if odd in found else (name, each.order)
                raise InputError(
                    f"query {query_id}: order {has} ranks {odd} and order {lacks} does not, so they are no orders of "
                    "the same candidates; name one of them as of another first stage, or rank them whole"
                )


Quality: TypeAlias = Mapping[str, Mapping[str, float]]
"""The measure's value by order and query."""


def _quality(orders: Sequence[OrderedRun], qrels: Qrels, settings: RobustnessSettings) -> Quality:
    (measure,) = at_level(parse_measures([settings.measure]), settings.relevant_from or relevant_from(qrels))
    return {
        each.order: {q: values[str(measure)] for q, values in per_query(qrels, each.rankings, [measure]).items()}
        for each in orders
    }


def _order(
    ranked: OrderedRun,
    queries: Sequence[str],
    quality: Quality | None,
    judged: Sequence[str],
    settings: RobustnessSettings,
) -> Order:
    kept = None
    if ranked.candidates is not None:
        both = [(ranked.candidates[q], out) for q, out in ranked.rankings.items() if q in ranked.candidates]
        kept = _estimate([kendall_tau(*pair) for pair in both], settings)
    return Order(
        ranked.order,
        ranked.family,
        ranked.same,
        len(ranked.rankings),
        tuple(query_id for query_id in queries if query_id not in ranked.rankings),
        None if quality is None else _estimate([quality[ranked.order].get(q, 0.0) for q in judged], settings),
        kept,
    )


class _Pairs:
    """Every two orders, compared query by query, each pair once."""

    def __init__(self, orders: Sequence[OrderedRun], settings: RobustnessSettings) -> None:
        self._orders, self._settings = orders, settings
        self._found: dict[tuple[str, str, str], tuple[float, float, float, float]] = {}

    def families(self) -> Iterator[Agreement]:
        """The agreement of every two families that have pairs of orders, averaged over these pairs."""
        names = list(dict.fromkeys(each.family for each in self._orders))
        members = {name: [each for each in self._orders if each.family == name] for name in names}
        for first, second in combinations_with_replacement(names, 2):
            pairs = (
                list(combinations(members[first], 2))
                if first == second
                else [(a, b) for a in members[first] for b in members[second]]
            )
            if pairs:
                yield self.agreement(first, second, pairs)

    def agreement(self, first: str, second: str, pairs: Sequence[tuple[OrderedRun, OrderedRun]]) -> Agreement:
        """The agreement of some pairs of orders: averaged in each query, then over queries."""
        queries = list(dict.fromkeys(q for a, b in pairs for q in a.rankings if q in b.rankings))
        found = [[self.of(a, b, q) for a, b in pairs if q in a.rankings and q in b.rankings] for q in queries]
        documents, taus, overlaps, rbos = ([_mean([one[i] for one in each]) for each in found] for i in range(4))
        return Agreement(
            first, second, len(queries), _mean(documents), sum(not math.isnan(tau) for tau in taus),
            _estimate(taus, self._settings), _mean(overlaps), _mean(rbos),
        )  # fmt: skip

    def of(self, a: OrderedRun, b: OrderedRun, query_id: str) -> tuple[float, float, float, float]:
        """How many documents both rank, their τ, and the rankings' overlap and RBO."""
        key = (a.order, b.order, query_id)
        if key not in self._found:
            one, other = a.rankings[query_id], b.rankings[query_id]
            self._found[key] = (
                float(len(set(one) & set(other))),
                kendall_tau(one, other),
                top_overlap(one, other, self._settings.depth),
                rank_biased_overlap(one, other, self._settings.persistence),
            )
        return self._found[key]


def _variation(
    names: Sequence[str], quality: Quality | None, judged: Sequence[str], settings: RobustnessSettings
) -> Variation | None:
    if quality is None or len(names) < FEWEST:
        return None
    shared = [query_id for query_id in judged if all(query_id in quality[name] for name in names)]
    values: Array = np.array([[quality[name][query_id] for query_id in shared] for name in names])
    if not shared:
        nan = math.nan
        return Variation(tuple(names), 0, dict.fromkeys(names, nan), nan, NOTHING, nan, 0)
    means, ranges = values.mean(axis=1), np.ptp(values, axis=0)
    return Variation(
        tuple(names),
        len(shared),
        dict(zip(names, map(float, means), strict=True)),
        float(np.ptp(means)),
        _estimate(ranges, settings),
        float(values.std(axis=0, ddof=1).mean()),
        int((ranges > settings.notable).sum()),
    )


def _of_query(query_id: str, same: Sequence[OrderedRun], quality: Quality | None, compared: _Pairs) -> OfQuery:
    values = {name: found[query_id] for name, found in (quality or {}).items() if query_id in found}
    own = [values[each.order] for each in same if each.order in values]
    pairs = combinations([each for each in same if query_id in each.rankings], 2)
    spread = max(own) - min(own) if len(own) >= FEWEST else math.nan
    return OfQuery(query_id, values, spread, _mean([compared.of(a, b, query_id)[1] for a, b in pairs]))


def _mean(values: Sequence[float]) -> float:
    """The mean of the values that are not NaN; NaN for none."""
    known = [value for value in values if not math.isnan(value)]
    return sum(known) / len(known) if known else math.nan


def _estimate(values: Sequence[float] | Array, settings: RobustnessSettings) -> Estimate:
    """The mean of the values that are not NaN, with its interval over queries."""
    known = np.array([value for value in values if not math.isnan(value)], dtype=float)
    if not len(known):
        return NOTHING
    low, high = bootstrap(known, resamples=settings.resamples, seed=settings.seed)
    return Estimate(float(known.mean()), low, high)
