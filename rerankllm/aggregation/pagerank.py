"""PageRank of who lost to whom."""

from dataclasses import dataclass

import numpy as np

from rerankllm.aggregation.ballots import Ballots, Floats
from rerankllm.aggregation.base import Aggregation
from rerankllm.errors import SpecError


@dataclass(frozen=True, slots=True)
class PageRank(Aggregation):
    """The share of time at each item of a walk from losers to winners that now and then restarts anywhere.

    Brin and Page, "The anatomy of a large-scale hypertextual web search engine", WWW 1998, section 2.1; on comparisons
    the default of JointRank (Dedov 2025, section 3). The edge to each winner has the weight of its wins, and a tie is
    half an edge each way. From an unbeaten item the walk restarts, so disconnected comparisons are all reached, each
    by its share of the items, and an item nobody compared lives on restarts alone, as a winless one does. Items that
    a vote lacks are not compared by it, unless it is a head.

    Attributes:
        damping: How likely the walk goes on instead of restarting, from 0 to below 1.
    """

    damping: float = 0.85

    def __post_init__(self) -> None:
        if not 0 <= self.damping < 1:
            raise SpecError(f"pagerank: damping should be from 0 to below 1, found {self.damping}")

    def tally(self, profile: Ballots) -> Floats:
        """Shares in the order of the items; they add up to 1."""
        return pagerank(profile.wins().T, np.ones(profile.n), self.damping)


def pagerank(weights: Floats, restart: Floats, damping: float = 0.85) -> Floats:
    """The share of time at each node of a walk that follows edges by weight, or restarts.

    Args:
        weights: Row i holds the edges out of node i; a node without any restarts.
        restart: Where a restart leads, by weight.
        damping: How likely the walk goes on instead of restarting.
    """
    if not len(weights):
        return np.zeros(0)
    home = restart / restart.sum()
    out = weights.sum(axis=1, keepdims=True)
    moves = np.where(out > 0, weights / np.where(out > 0, out, 1), home)
    share: Floats = np.linalg.solve(np.eye(len(home)) - damping * moves.T, (1 - damping) * home)
    return share
