"""Copeland's rule."""

from dataclasses import dataclass

import numpy as np

from rerankllm.aggregation.ballots import Ballots, Floats
from rerankllm.aggregation.base import Aggregation


@dataclass(frozen=True, slots=True)
class Copeland(Aggregation):
    """How many opponents an item beats by majority, less how many beat it.

    Copeland, "A 'reasonable' social welfare function", University of Michigan seminar (1951); as in Rofin et al. 2023,
    "Vote'n'Rank", section 3. With one comparison a pair this is PRP's score of all pairs. A tie and a pair nobody
    compared count 0 for both, so disconnected comparisons are set side by side; an item without contests is in the
    middle, at 0. Items that a vote lacks are not compared by it, unless it is a head.
    """

    def tally(self, profile: Ballots) -> Floats:
        """Opponents beaten less lost to, in the order of the items."""
        balance: Floats = np.sign(profile.margins()).sum(axis=1)
        return balance
