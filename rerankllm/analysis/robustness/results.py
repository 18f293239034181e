"""A system's rankings of the same candidates in several orders, and what is measured of them."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from rerankllm.evaluation.agreement import PERSISTENCE
from rerankllm.evaluation.bootstrap import RESAMPLES
from rerankllm.evaluation.comparison import Estimate
from rerankllm.evaluation.measures import DEFAULT_MEASURES

Rankings: TypeAlias = Mapping[str, Sequence[str]]
"""Document ids, best first, by query id."""
DEPTH, NOTABLE = 10, 0.1
NOTHING = Estimate(math.nan, math.nan, math.nan)


@dataclass(frozen=True, slots=True)
class OrderedRun:
    """A system's rankings of candidates in one order.

    Attributes:
        order: Its name, such as `given`, `reversed` or `shuffled-0`.
        family: Orders of a family differ in their seed alone, and are averaged: `shuffled`.
        rankings: What came out; a query that failed has none.
        candidates: What went in; None where nobody knows.
        same: Whether the candidates are those of the first order, and only their order another one.
    """

    order: str
    family: str
    rankings: Rankings
    candidates: Rankings | None = None
    same: bool = True


@dataclass(frozen=True, slots=True)
class RobustnessSettings:
    """How robustness is measured.

    Attributes:
        measure: In ir-measures' notation.
        depth: Of the overlap at the top.
        persistence: Of rank-biased overlap.
        notable: A query's range above this is counted.
        resamples: Of the bootstrap.
        seed: Of the bootstrap.
        relevant_from: The lowest grade that a binary measure counts; None for what the scale of the qrels says.
    """

    measure: str = DEFAULT_MEASURES[0]
    depth: int = DEPTH
    persistence: float = PERSISTENCE
    notable: float = NOTABLE
    resamples: int = RESAMPLES
    seed: int = 0
    relevant_from: int | None = None


USUAL = RobustnessSettings()


@dataclass(frozen=True, slots=True)
class Order:
    """One order.

    Attributes:
        name: Of the order.
        family: Of its like.
        same: Whether it is of the same candidates as the first.
        queries: Those ranked.
        missing: Those that another order ranks, or that had candidates, and this one does not rank.
        quality: The measure's mean over judged queries; the missing count as 0. None without judgements.
        kept: Kendall's τ of what went in with what came out; None where nobody knows what went in.
    """

    name: str
    family: str
    same: bool
    queries: int
    missing: tuple[str, ...]
    quality: Estimate | None
    kept: Estimate | None


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far the rankings from two orders agree, or from two families of orders, averaged query by query.

    Attributes:
        first: An order, or a family.
        second: Another one; or the same family, whose members are then compared with each other.
        queries: Those that both rank.
        documents: How many documents of a query both rank, in the mean.
        ordered: Queries of which both rank two or more documents: what τ is the mean over.
        tau: Kendall's τ-b of those documents.
        overlap: Share of the first ten that both have there.
        rbo: Rank-biased overlap.
    """

    first: str
    second: str
    queries: int
    documents: float
    ordered: int
    tau: Estimate
    overlap: float
    rbo: float


@dataclass(frozen=True, slots=True)
class Variation:
    """How far quality varies with the order, over the judged queries that all of these orders rank.

    Attributes:
        orders: Their names.
        queries: How many queries.
        means: The measure's mean over them, by order.
        range_of_means: The largest mean less the smallest.
        mean_range: Mean over queries of the largest value less the smallest.
        mean_deviation: Mean over queries of the standard deviation, n − 1 below the line.
        varying: Queries whose range is above what is notable.
    """

    orders: tuple[str, ...]
    queries: int
    means: Mapping[str, float]
    range_of_means: float
    mean_range: Estimate
    mean_deviation: float
    varying: int


@dataclass(frozen=True, slots=True)
class OfQuery:
    """One query.

    Attributes:
        query_id: Its id.
        quality: The measure by order, of those that rank it; empty without judgements.
        range: The largest less the smallest, over orders of the same candidates; NaN for fewer than two.
        tau: Mean Kendall's τ over pairs of those orders; NaN without any.
    """

    query_id: str
    quality: Mapping[str, float]
    range: float
    tau: float


@dataclass(frozen=True, slots=True)
class Robustness:
    """Robustness of one system to the order of its candidates.

    A system that does not depend on the order has τ = overlap = RBO = 1 and range 0.

    Attributes:
        settings: How it was measured.
        judged: Queries with judgements; None without any judgements.
        orders: In the order given.
        families: Agreement between families, averaged over their members; a family with itself where it has several.
        pairs: Agreement of every two orders.
        same: How quality varies over the orders of the same candidates; None for fewer than two, or without judgements.
        stages: The same over the first order and those of other candidates; None where there are none.
        by_query: Every query.
    """

    settings: RobustnessSettings
    judged: int | None
    orders: tuple[Order, ...]
    families: tuple[Agreement, ...]
    pairs: tuple[Agreement, ...]
    same: Variation | None
    stages: Variation | None
    by_query: tuple[OfQuery, ...]
