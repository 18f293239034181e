"""Rank centrality."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rerankllm.aggregation.ballots import Ballots, Floats
from rerankllm.aggregation.base import Aggregation
from rerankllm.errors import SpecError


@dataclass(frozen=True, slots=True)
class RankCentrality(Aggregation):
    """The share of time at each item of a walk that moves to an opponent as often as that one wins.

    Negahban, Oh and Shah, "Rank centrality: ranking from pairwise comparisons", Operations Research 65 (2017), section
    2: P_ij is the share of the contests of i and j that j won, over the most opponents any item has; the walk stays
    where it is with the remainder. A tie is half a win. The prior gives each pair that was compared wins both ways,
    so that the walk can leave unbeaten items. Items that a vote lacks are not compared by it, unless it is a head.
    Disconnected comparisons are walks of their own, each with the time due to its share of the items: an item nobody
    compared has 1/n, the mean.

    Attributes:
        prior: Wins given to either side of each pair compared; above 0.
    """

    prior: float = 1.0

    def __post_init__(self) -> None:
        if self.prior <= 0:
            raise SpecError(f"rank_centrality: prior should be above 0, found {self.prior}")

    def tally(self, profile: Ballots) -> Floats:
        """Shares of time in the order of the items; they add up to 1."""
        wins = profile.wins()
        games = wins + wins.T
        rates = np.where(games > 0, (wins.T + self.prior) / (games + 2 * self.prior), 0.0)
        shares = np.full(profile.n, 1 / max(profile.n, 1))
        for members in components(games > 0):
            shares[members] = stationary(rates[np.ix_(members, members)]) * len(members) / profile.n
        return shares


def stationary(rates: Floats) -> Floats:
    """The shares of time of a walk with these rates from row to column; its states all reach one another.

    What all rates are divided by, such as the most opponents any item has, does not matter.

    Args:
        rates: Shape (states, states), 0 on the diagonal.
    """
    balance = rates.T - np.diag(rates.sum(axis=1))
    balance[-1] = 1.0
    shares: Floats = np.linalg.solve(balance, np.eye(len(rates))[-1])
    return shares


def components(linked: NDArray[np.bool_]) -> list[NDArray[np.intp]]:
    """The connected components of a symmetric graph, by their first node."""
    left = np.ones(len(linked), dtype=bool)
    found: list[NDArray[np.intp]] = []
    while left.any():
        inside = np.zeros(len(linked), dtype=bool)
        edge = inside.copy()
        edge[np.argmax(left)] = True
        while edge.any():
            inside |= edge
            edge = linked[edge].any(axis=0) & ~inside
        left &= ~inside
        found.append(np.flatnonzero(inside))
    return found
