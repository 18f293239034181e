"""The best path: the order whose neighbours are the likeliest to be in it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rerankllm.aggregation.ballots import Ballots, Floats, by_place
from rerankllm.aggregation.base import Aggregation
from rerankllm.errors import SpecError

MOST = 18
"""The longest list solved exactly: memory and time double with every item."""


@dataclass(frozen=True, slots=True)
class BestPath(Aggregation):
    """The order in which neighbours' shares of wins over one another add up to the most.

    TSPRank's reading of pair scores as a travelling salesman's path (Zhang et al. 2024, "TSPRank: bridging pairwise and
    listwise methods with a bilinear travelling salesman model"). Only neighbours count, so under noise it orders less
    well than `kemeny`, which counts all pairs. Up to `exact` items it is exact, by dynamic programming over sets (Held
    and Karp 1962), O(2ⁿn²); beyond, it starts from the order by wins and moves one item at a time for as long as that
    helps, which need not find the best.

    A tie, and a pair nobody compared, has 0.5 either way, so disconnected comparisons can be strung together in any
    order. Items that a vote lacks are not compared by it, unless it is a head. Where several paths are best, the
    items' own order decides (the search may stop at another); where no item wins more often than it loses to any other
    all are tied.

    Attributes:
        exact: The longest list to solve exactly, from 0 to 18.
    """

    exact: int = 14

    def __post_init__(self) -> None:
        if not 0 <= self.exact <= MOST:
            raise SpecError(f"best_path: exact should be from 0 to {MOST}, found {self.exact}")

    def tally(self, profile: Ballots) -> Floats:
        """How many items are behind, in the order of the items."""
        if not profile.margins().any():
            return np.zeros(profile.n)
        wins = profile.wins()
        games = wins + wins.T
        shares = np.divide(wins, games, out=np.full(wins.shape, 0.5), where=games > 0)
        path = held_karp(shares) if profile.n <= self.exact else insertion_path(shares)
        return by_place([[item] for item in path], profile.n)


def held_karp(shares: Floats) -> list[int]:
    """The path through all nodes with the largest sum of `shares` from each node to the next; n is at least 1.

    Of several, it is the one with the lowest node first, then the lowest second, and so on.
    """
    n = len(shares)
    shares = np.round(shares * 2**30) / 2**30  # sums are exact, and equal ones are equal
    sets = np.arange(1 << n)
    sizes = sum((sets >> i) & 1 for i in range(n))
    best = np.full((1 << n, n), -np.inf)  # of the paths through a set that start at a node
    best[1 << np.arange(n), np.arange(n)] = 0.0
    after = np.zeros((1 << n, n), dtype=np.intp)
    for size in range(2, n + 1):
        of_size = sets[sizes == size]
        for first in range(n):
            having = of_size[(of_size >> first) & 1 == 1]
            sums = best[having ^ (1 << first)] + shares[first]
            after[having, first] = sums.argmax(axis=1)
            best[having, first] = sums.max(axis=1)
    node, rest = int(best[-1].argmax()), (1 << n) - 1
    path = [node]
    while len(path) < n:
        node, rest = int(after[rest, node]), rest ^ (1 << node)
        path.append(node)
    return path


def insertion_path(shares: Floats) -> list[int]:
    """A path that moving any one node makes no better, from the order by mean share."""
    path: NDArray[np.intp] = np.argsort(-shares.sum(axis=1), kind="stable")
    improved = True
    while improved:
        improved = False
        for node in path.tolist():
            at = int(np.flatnonzero(path == node)[0])
            others = np.delete(path, at)
            into, out, cut = shares[others, node], shares[node, others], shares[others[:-1], others[1:]]
            gains = np.append(0.0, into) + np.append(out, 0.0) - np.concatenate([[0.0], cut, [0.0]])
            best = int(np.argmax(gains))
            if gains[best] > gains[at] + 1e-9:
                path = np.insert(others, best, node)
                improved = True
    return [int(node) for node in path]
