"""CombMNZ."""

from dataclasses import dataclass

import numpy as np

from rerankllm.aggregation.ballots import Ballots, Floats
from rerankllm.aggregation.base import Aggregation
from rerankllm.aggregation.comb import Scale, on_scale


@dataclass(frozen=True, slots=True)
class CombMnz(Aggregation):
    """CombSUM times the number of lists that hold the item, or their weight where lists have weights.

    Fox and Shaw, "Combination of multiple searches", TREC-2 (1994). Scales, missing items, ties and lists without
    scores as in `combsum`; scores count from a list's lowest, so no product is negative. Disconnected comparisons
    need no care.

    Attributes:
        scale: `minmax` or `zscore`: the range of a list's scores is 1, or their standard deviation.
    """

    scale: Scale = "minmax"

    def tally(self, profile: Ballots) -> Floats:
        """Products in the order of the items."""
        sums, lists = np.zeros(profile.n), np.zeros(profile.n)
        for ballot in profile.ballots:
            sums[ballot.items] += ballot.weight * on_scale(ballot, self.scale)
            lists[ballot.items] += ballot.weight
        return sums * lists
