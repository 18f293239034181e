"""Borda count."""

from dataclasses import dataclass

import numpy as np

from rerankllm.aggregation.ballots import Ballots, Floats, Stakes
from rerankllm.aggregation.base import Aggregation


@dataclass(frozen=True, slots=True)
class Borda(Aggregation):
    """In each vote an item gets a point for every item it beats and half a point for every tie.

    On complete votes this is the classic count up to a constant, and LLM-RankFusion's Σ(m − rank + 1) (Zeng et al.
    2024, section 4.3). A vote says nothing about items it lacks: they neither get points from it nor give any, and an
    item no vote names has 0. Behind a head they are beaten and tied like any others. Disconnected comparisons need no
    care, points being points; yet an item judged more often can get more of them.
    """

    def tally(self, profile: Ballots) -> Floats:
        """Points in the order of the items."""
        points = np.zeros(profile.n)
        for ballot in profile.full():
            points[ballot.items] += ballot.weight * (len(ballot.items) - ballot.ranks)
        return points

    def stakes(self, profile: Ballots) -> Stakes:
        """A point for every item behind."""
        return Stakes.of(profile.n, profile.full(), lambda size: np.arange(size - 1.0, -1.0, -1.0), whole=True)
