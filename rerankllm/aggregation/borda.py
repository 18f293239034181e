"""Borda count."""

from collections.abc import Sequence
from dataclasses import dataclass

from rerankllm.aggregation.base import Vote, mean_ranks


@dataclass(frozen=True, slots=True)
class Borda:
    """In each vote an item gets a point for every item it beats and half a point for every tie.

    On complete votes this is the classic count up to a constant, and LLM-RankFusion's Σ(m − rank + 1) (Zeng et al.
    2024, section 4.3). A vote says nothing about items it lacks: they neither get points from it nor give any.
    """

    def scores(self, items: Sequence[str], votes: Sequence[Vote]) -> list[float]:
        """Scores in the order of `items`."""
        totals = dict.fromkeys(items, 0.0)
        for vote in votes:
            ranks = mean_ranks(vote)
            for item, rank in ranks.items():
                totals[item] += vote.weight * (len(ranks) - rank)
        return [totals[item] for item in items]
