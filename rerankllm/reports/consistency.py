"""How far a system's answers agree with each other and with the form asked for, as its journals show it."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from rerankllm.calibration.diagnostics import (
    Listed,
    PlaceRank,
    Share,
    inconsistency,
    kendall_distance,
    order_kept,
    place_curve,
    self_agreement,
)
from rerankllm.judgements import WeakOrder
from rerankllm.reports.calls import LOST, Call


@dataclass(frozen=True, slots=True)
class Consistency:
    """What the calls of one system show, all its runs and queries together.

    Attributes:
        statuses: Calls by how their answers read: parsed, repaired, failed, lost.
        repairs: What had to be repaired, with how often.
        contradicted: Pairs whose winner changed with the order, of those asked in both.
        first_wins: Mean p(the one shown first wins) over those pairs, ½ is fair; NaN where none was asked twice.
        agreement: Mean Kendall's τ of two answers about the same list in different orders; NaN where none was.
        relisted: How many such pairs of answers there are.
        omitted: Documents that answers to lists left out, of those shown.
        as_shown: Answers that only give back the order shown, of orders of four documents or more.
        kept: Mean Kendall's τ of a list's answer and the order it was shown in; NaN without lists.
        places: The curve of mean ranks by place, over lists of the usual length.
        first_chosen: Selections of the document shown first, of all selections.
        first_fair: The share of those that chance would give it.
    """

    statuses: Mapping[str, int]
    repairs: Mapping[str, int]
    contradicted: Share
    first_wins: float
    agreement: float
    relisted: int
    omitted: Share
    as_shown: Share
    kept: float
    places: tuple[PlaceRank, ...]
    first_chosen: Share
    first_fair: float


def consistency(by_query: Iterable[Sequence[Call]]) -> Consistency:
    """What the calls show.

    Args:
        by_query: The calls of one query of one run each.
    """
    groups = [list(calls) for calls in by_query]
    calls = [call for group in groups for call in group]
    repairs: Counter[str] = Counter()
    for call in calls:
        repairs.update(call.repairs)
    compared = [_comparisons(group) for group in groups]
    both = [p for pairs in compared for (a, b), p in pairs.items() if (b, a) in pairs]
    lists = [_lists(group) for group in groups]
    taus = [tau for of_query in lists for tau in self_agreement(of_query)]
    flat = [each for of_query in lists for each in of_query]
    chosen = [call for call in calls if call.kind == "Select" and call.answer and len(call.docs) > 1]
    kept = [1 - 2 * kendall_distance(each.shown, each.order.ranked) for each in flat if not each.order.omitted]
    return Consistency(
        {status: sum(call.status == status for call in calls) for status in ("parsed", "repaired", "failed", LOST)},
        dict(repairs.most_common()),
        sum((inconsistency(pairs) for pairs in compared), Share(0, 0)),
        _mean(both),
        _mean(taus),
        len(taus),
        Share(sum(len(each.order.omitted) for each in flat), sum(len(each.shown) for each in flat)),
        order_kept(flat),
        _mean([tau for tau in kept if not math.isnan(tau)]),
        tuple(place_curve(flat)),
        Share(sum(call.docs[0] in call.answer for call in chosen), len(chosen)),
        _mean([len(call.answer) / len(call.docs) for call in chosen]),
    )


def _comparisons(calls: Sequence[Call]) -> dict[tuple[str, str], float]:
    usable = [call for call in calls if call.kind == "Compare" and isinstance(call.answer, (int, float))]
    return {(call.docs[0], call.docs[1]): float(call.answer) for call in usable}


def _lists(calls: Sequence[Call]) -> list[Listed]:
    usable = [call for call in calls if call.kind == "Permute" and call.answer is not None]
    return [Listed(call.docs, weak_order(call)) for call in usable]


def weak_order(call: Call) -> WeakOrder:
    """The answer to a list."""
    return WeakOrder(tuple(map(tuple, call.answer["groups"])), tuple(call.answer["omitted"]))


def _mean(values: Sequence[float]) -> float:
    return fmean(values) if values else math.nan
