"""Median rank."""

from dataclasses import dataclass

import numpy as np

from rerankllm.aggregation.ballots import Ballots, Floats
from rerankllm.aggregation.base import Aggregation


@dataclass(frozen=True, slots=True)
class MedianRank(Aggregation):
    """Minus the median of the ranks that the votes give an item.

    Fagin, Kumar and Sivakumar, "Efficient similarity search and classification via rank aggregation", SIGMOD 2003,
    section 2. Weighted: half of the weight is on either side; between two middle ranks it is their mean. Ties share
    their mean rank. Votes that lack an item do not count for it, unless they are heads: then it shares the ranks
    behind them. An item that no vote judges has rank n + 1. Disconnected comparisons need no care, but a rank means
    the same in votes on equally many items only.
    """

    def tally(self, profile: Ballots) -> Floats:
        """Minus the median ranks in the order of the items."""
        medians = np.full(profile.n, -(profile.n + 1.0))
        ballots = profile.full()
        if not ballots:
            return medians
        items = np.concatenate([ballot.items for ballot in ballots])
        ranks = np.concatenate([ballot.ranks for ballot in ballots])
        weights = np.concatenate([np.full(len(ballot.items), ballot.weight) for ballot in ballots])
        order = np.lexsort((ranks, items))
        bounds = np.searchsorted(items[order], np.arange(profile.n + 1))
        ranks, weights = ranks[order], weights[order]
        for item in np.flatnonzero(np.diff(bounds)):
            mine = slice(bounds[item], bounds[item + 1])
            medians[item] = -_median(ranks[mine], weights[mine])
        return medians


def _median(ranks: Floats, weights: Floats) -> float:
    """The weighted median of ascending ranks."""
    reached = np.cumsum(weights)
    half = reached[-1] / 2
    low = np.searchsorted(reached, half * (1 - 1e-9))
    high = np.searchsorted(reached, half * (1 + 1e-9), side="right")
    return float(ranks[low] + ranks[min(high, len(ranks) - 1)]) / 2
