"""Plurality: who comes first most often."""

from dataclasses import dataclass

import numpy as np

from rerankllm.aggregation.ballots import Ballots, Floats, Stakes, shared
from rerankllm.aggregation.base import Aggregation


@dataclass(frozen=True, slots=True)
class Plurality(Aggregation):
    """The weight of the votes that put an item first.

    As in Rofin et al. 2023, "Vote'n'Rank: revision of benchmarking with social choice theory", section 3. Items tied
    in the first place share the point. An item gets nothing from a vote that lacks it or has it lower, so all that are
    never first are tied. Disconnected comparisons need no care: every vote gives its one point.
    """

    def tally(self, profile: Ballots) -> Floats:
        """Points in the order of the items."""
        points = np.zeros(profile.n)
        for ballot in profile.ballots:
            first = np.zeros(len(ballot.items))
            first[:1] = 1.0
            points[ballot.items] += ballot.weight * shared(first, ballot)
        return points

    def stakes(self, profile: Ballots) -> Stakes:
        """One point for the first place."""
        return Stakes.of(profile.n, profile.ballots, lambda size: (np.arange(size) == 0).astype(float))
