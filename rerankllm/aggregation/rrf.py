"""Reciprocal rank fusion."""

from dataclasses import dataclass

import numpy as np

from rerankllm.aggregation.ballots import Ballots, Floats, Stakes
from rerankllm.aggregation.base import Aggregation
from rerankllm.errors import SpecError


@dataclass(frozen=True, slots=True)
class ReciprocalRankFusion(Aggregation):
    """Σ weight / (k + rank) over the votes that hold the item, ranks from 1.

    Cormack, Clarke and Büttcher, "Reciprocal rank fusion outperforms Condorcet and individual rank learning methods",
    SIGIR 2009, section 2. A sum, not a mean: an item that a vote lacks gets nothing from it. Ties share their mean
    rank. Disconnected comparisons need no care: ranks are all that counts.

    Attributes:
        k: Damps the lead of the first ranks; 60 in the paper.
    """

    k: int = 60

    def __post_init__(self) -> None:
        if self.k < 0:
            raise SpecError(f"rrf: k should be 0 or more, found {self.k}")

    def tally(self, profile: Ballots) -> Floats:
        """Sums in the order of the items."""
        sums = np.zeros(profile.n)
        for ballot in profile.ballots:
            sums[ballot.items] += ballot.weight / (self.k + ballot.ranks)
        return sums

    def stakes(self, profile: Ballots) -> Stakes:
        """Reciprocal ranks."""
        found = Stakes.of(profile.n, profile.ballots, lambda size: 1 / (self.k + np.arange(1, size + 1)))
        for vote, ballot in enumerate(profile.ballots):
            found.now[vote, ballot.items] = ballot.weight / (self.k + ballot.ranks)
        return found
