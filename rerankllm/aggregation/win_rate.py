"""Win rate."""

from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from rerankllm.aggregation.ballots import Ballots, Floats, Stakes
from rerankllm.aggregation.base import Aggregation
from rerankllm.aggregation.borda import Borda


@dataclass(frozen=True, slots=True)
class WinRate(Aggregation):
    """The share of its contests that an item wins.

    Every pair in a vote is a contest; a tie is half a win. Items that a vote lacks have no contest in it, unless it is
    a head. The strength of the opponents is not looked at, so disconnected comparisons are set side by side as they
    are. An item without contests has 0.5. The code of JointRank (Dedov 2025, "JointRank: rank large set with single
    pass", section 3) counts opponents alike however often they were met (`per=opponent`): it takes the mean, over
    those, of the share that an item won against each.

    Attributes:
        per: Whether every contest counts alike, or every opponent.
    """

    per: Literal["contest", "opponent"] = field(default="contest", metadata={"unsaid": True})

    def tally(self, profile: Ballots) -> Floats:
        """Shares in the order of the items."""
        wins = profile.wins()
        met = wins + wins.T
        if self.per == "opponent":
            wins, met = np.divide(wins, met, out=np.zeros_like(wins), where=met > 0), (met > 0).astype(float)
        won, games = wins.sum(axis=1), met.sum(axis=1)
        shares: Floats = np.divide(won, games, out=np.full(profile.n, 0.5), where=games > 0)
        return shares

    def stakes(self, profile: Ballots) -> Stakes | None:
        """The shares of a contest count alike however it ends, so each vote's wins add up; not with `per=opponent`."""
        if self.per == "opponent":
            return None
        won = Borda().stakes(profile)
        wins = profile.wins()
        games = (wins + wins.T).sum(axis=1)
        weight = np.divide(1.0, games, out=np.zeros(profile.n), where=games > 0)
        return Stakes(*(each * weight for each in won))
