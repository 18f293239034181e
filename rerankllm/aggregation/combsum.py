"""CombSUM."""

from dataclasses import dataclass

import numpy as np

from rerankllm.aggregation.ballots import Ballots, Floats, Stakes
from rerankllm.aggregation.base import Aggregation
from rerankllm.aggregation.comb import Scale, on_scale


@dataclass(frozen=True, slots=True)
class CombSum(Aggregation):
    """Σ of the scores that the lists give an item, each list's on a scale of its own.

    Fox and Shaw, "Combination of multiple searches", TREC-2 (1994); min-max scaling from Lee, "Analyses of multiple
    evidence combination", SIGIR 1997, z-scores from Montague and Aslam, "Relevance score normalization for
    metasearch", CIKM 2001. Scores count from the lowest of each list, so an item that a list lacks fares as its last,
    under either scale. Equal scores are equal; a list whose scores are all equal gives each 1. Lists without scores
    count by rank. Disconnected comparisons need no care: scores are all that counts.

    Attributes:
        scale: `minmax` or `zscore`: the range of a list's scores is 1, or their standard deviation.
    """

    scale: Scale = "minmax"

    def tally(self, profile: Ballots) -> Floats:
        """Sums in the order of the items."""
        sums = np.zeros(profile.n)
        for ballot in profile.ballots:
            sums[ballot.items] += ballot.weight * on_scale(ballot, self.scale)
        return sums

    def stakes(self, profile: Ballots) -> Stakes | None:
        """From 0 to 1 with `minmax`; nothing is said of standard deviations."""
        if self.scale != "minmax":
            return None
        found = Stakes.of(profile.n, profile.ballots, lambda size: np.linspace(1, 0, size))
        for vote, ballot in enumerate(profile.ballots):
            found.now[vote, ballot.items] = ballot.weight * on_scale(ballot, self.scale)
        return found
