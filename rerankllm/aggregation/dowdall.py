"""Dowdall's rule: harmonic points."""

from dataclasses import dataclass

import numpy as np

from rerankllm.aggregation.ballots import Ballots, Floats, Stakes, shared
from rerankllm.aggregation.base import Aggregation


@dataclass(frozen=True, slots=True)
class Dowdall(Aggregation):
    """1 point for a first place, 1/2 for a second, 1/3 for a third, and so on.

    Reilly, "Social choice in the south seas: electoral innovation and the Borda count in the Pacific island
    countries", International Political Science Review 23 (2002). Reciprocal ranks without RRF's k, but for ties: tied
    items share the points of the places they take. An item gets nothing from a vote that lacks it. Disconnected
    comparisons need no care: places are all that counts.
    """

    def tally(self, profile: Ballots) -> Floats:
        """Points in the order of the items."""
        points = np.zeros(profile.n)
        for ballot in profile.ballots:
            points[ballot.items] += ballot.weight * shared(1 / np.arange(1, len(ballot.items) + 1), ballot)
        return points

    def stakes(self, profile: Ballots) -> Stakes:
        """Harmonic points."""
        return Stakes.of(profile.n, profile.ballots, lambda size: 1 / np.arange(1, size + 1))
