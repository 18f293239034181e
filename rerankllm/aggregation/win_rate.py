"""Win rate."""

from dataclasses import dataclass

import numpy as np

from rerankllm.aggregation.ballots import Ballots, Floats
from rerankllm.aggregation.base import Aggregation


@dataclass(frozen=True, slots=True)
class WinRate(Aggregation):
    """The share of its contests that an item wins.

    As in Dedov 2025, "JointRank: rank large set with single pass", section 3. Every pair in a vote is a contest; a tie
    is half a win. Items that a vote lacks have no contest in it, unless it is a head. The strength of the opponents is
    not looked at, so disconnected comparisons are set side by side as they are. An item without contests has 0.5.
    """

    def tally(self, profile: Ballots) -> Floats:
        """Shares in the order of the items."""
        wins = profile.wins()
        won, games = wins.sum(axis=1), (wins + wins.T).sum(axis=1)
        shares: Floats = np.divide(won, games, out=np.full(profile.n, 0.5), where=games > 0)
        return shares
