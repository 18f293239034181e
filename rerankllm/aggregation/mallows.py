"""Mallows' model: a centre, and how far the votes spread around it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from rerankllm.aggregation.ballots import Ballots, Floats
from rerankllm.aggregation.base import Aggregation
from rerankllm.aggregation.kemeny import Kemeny, disagreements
from rerankllm.aggregation.votes import Vote

LIMIT = 20.0
"""The largest spread parameter: no two votes can be expected to differ any more."""


@dataclass(frozen=True, slots=True)
class Mallows(Aggregation):
    """The Kemeny order, with scores that say how sure it is.

    Mallows, "Non-null ranking models. I", Biometrika 44 (1957); fit as in Fligner and Verducci, "Distance based
    ranking models", JRSS B 48 (1986): P(order) ∝ exp(−θ · disagreements with the centre), whose most likely centre
    is Kemeny's order. An item's score is θ times the number of items behind it, so that neighbours differ by the
    log-odds that a vote has them in this order; where the votes are as good as random, θ is 0 and all are tied.

    A vote on some of the items is taken as an order of these, drawn around the centre's; half of the pairs it ties
    disagree. Items that a vote lacks, ties and disconnected comparisons otherwise as in `kemeny`.

    Attributes:
        exact: As in `kemeny`.
    """

    exact: int = 40

    def __post_init__(self) -> None:
        Kemeny(self.exact)

    def tally(self, profile: Ballots) -> Floats:
        """Log-odds in the order of the items."""
        centre = Kemeny(self.exact).tally(profile)
        return spread(profile, centre)[0] * centre


@dataclass(frozen=True, slots=True)
class Fit:
    """What Mallows' model says of some votes.

    Attributes:
        order: The centre, best first, in groups of tied items.
        theta: The spread parameter, from 0 (votes are as good as random) to 20 (they agree).
        distance: The share of the pairs in votes that disagree with the centre.
    """

    order: tuple[tuple[str, ...], ...]
    theta: float
    distance: float


def fit_mallows(items: Sequence[str], votes: Iterable[Vote], exact: int = 40) -> Fit:
    """Fits Mallows' model.

    Args:
        items: Every item, once.
        votes: Orders of them, or of some of them.
        exact: As in `kemeny`.
    """
    profile = Ballots.of(items, votes)
    centre = Kemeny(exact).tally(profile)
    theta, distance = spread(profile, centre)
    groups = (np.flatnonzero(centre == score).tolist() for score in np.unique(centre)[::-1])
    return Fit(tuple(tuple(items[i] for i in group) for group in groups), theta, distance)


def spread(profile: Ballots, centre: Floats) -> tuple[float, float]:
    """θ and the share of pairs that disagree with a centre, given as scores; 0 and 0.5 where there are no pairs."""
    lengths: dict[int, float] = {}
    for ballot in profile.full():
        lengths[len(ballot.items)] = lengths.get(len(ballot.items), 0.0) + ballot.weight
    pairs = sum(weight * m * (m - 1) / 2 for m, weight in lengths.items())
    if not pairs:
        return 0.0, 0.5
    found = disagreements(profile.wins(), centre)
    if found >= pairs / 2:
        return 0.0, found / pairs
    low, high = 0.0, LIMIT
    for _ in range(60):
        middle = (low + high) / 2
        expected = sum(weight * expected_distance(m, middle) for m, weight in lengths.items())
        low, high = (middle, high) if expected > found else (low, middle)
    return high, found / pairs


def expected_distance(n: int, theta: float) -> float:
    """The mean number of pairs in which an order of n items drawn with θ > 0 disagrees with the centre."""
    j = np.arange(1, n + 1)
    with np.errstate(over="ignore"):
        return float((1 / np.expm1(theta) - j / np.expm1(j * theta)).sum())
