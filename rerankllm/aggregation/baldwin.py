"""Baldwin's rule."""

from dataclasses import dataclass

import numpy as np

from rerankllm.aggregation.ballots import Ballots, Floats, by_place
from rerankllm.aggregation.base import Aggregation


@dataclass(frozen=True, slots=True)
class Baldwin(Aggregation):
    """Borda counts again and again, each time without the item that had the least.

    Baldwin, "The technique of the Nanson preferential majority system of election", Proceedings of the Royal Society
    of Victoria 39 (1926); as in Rofin et al. 2023, "Vote'n'Rank", section 3. Items that share the least drop out
    together and are tied. Missing items and ties within votes as in `borda`: an item without contests drops out first.
    Disconnected comparisons need no care, but more contests bring more points. O(n²).
    """

    def tally(self, profile: Ballots) -> Floats:
        """How many items drop out before, ties sharing the mean of their places."""
        wins = profile.wins()
        points, rounding = wins.sum(axis=1), 1e-9 * (1 + wins.sum(axis=1))
        left = np.ones(profile.n, dtype=bool)
        groups: list[list[int]] = []
        while left.any():
            fewest = points[left].min()
            out = np.flatnonzero(left & (points <= fewest + rounding))
            groups.append(out.tolist())
            left[out] = False
            points -= wins[:, out].sum(axis=1)
        return by_place(groups[::-1], profile.n)
