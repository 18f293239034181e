"""Elo ratings."""

from dataclasses import dataclass

import numpy as np

from rerankllm.aggregation.ballots import Ballots, Floats
from rerankllm.aggregation.base import Aggregation
from rerankllm.errors import SpecError


@dataclass(frozen=True, slots=True)
class Elo(Aggregation):
    """Ratings that move with every vote, by how much better than expected an item did in it.

    Elo, "The rating of chessplayers, past and present" (1978), section 1.6; used by JointRank (Dedov 2025) and others
    for models' comparisons. A vote of two is a game; in a longer one an item plays each other once, at the ratings
    before the vote, and moves by the mean. A tie is half a win. The votes' order matters, here alone: the later weigh
    more. Items that a vote lacks keep their rating, unless it is a head; one in no vote keeps 1500, and disconnected
    comparisons have nothing in common but that start.

    Attributes:
        k: The most a vote moves a rating, above 0.
    """

    k: float = 32.0

    def __post_init__(self) -> None:
        if self.k <= 0:
            raise SpecError(f"elo: k should be above 0, found {self.k}")

    def tally(self, profile: Ballots) -> Floats:
        """Ratings in the order of the items."""
        ratings = np.full(profile.n, 1500.0)
        for ballot in profile.full():
            opponents = len(ballot.items) - 1
            if opponents < 1:
                continue
            mine = ratings[ballot.items]
            expected = (1 / (1 + 10 ** ((mine - mine[:, None]) / 400))).sum(axis=1) - 0.5
            won = len(ballot.items) - ballot.ranks
            ratings[ballot.items] += ballot.weight * self.k * (won - expected) / opponents
        return ratings
