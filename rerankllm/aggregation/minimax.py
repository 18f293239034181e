"""Minimax, the rule of Simpson and Kramer."""

from dataclasses import dataclass

import numpy as np

from rerankllm.aggregation.ballots import Ballots, Floats
from rerankllm.aggregation.base import Aggregation


@dataclass(frozen=True, slots=True)
class Minimax(Aggregation):
    """Minus an item's worst defeat: the largest margin by which any other beats it.

    Simpson, "On defining areas of voter choice", Quarterly Journal of Economics 83 (1969); Kramer, "A dynamical model
    of political equilibrium", Journal of Economic Theory 16 (1977). An item that beats all others has no defeat and
    comes first, with its narrowest win for a score. A tie, and a pair nobody compared, is a defeat by 0: an item
    without contests stands with those that never lost, which is of use only where every item is compared with most.
    Items that a vote lacks are not compared by it, unless it is a head. One item alone has 0.
    """

    def tally(self, profile: Ballots) -> Floats:
        """Minus the worst defeats, in the order of the items."""
        if profile.n < 2:  # noqa: PLR2004
            return np.zeros(profile.n)
        margins = profile.margins()
        np.fill_diagonal(margins, np.inf)
        worst: Floats = margins.min(axis=1)
        return worst
