"""Reciprocal rank fusion."""

from collections.abc import Sequence
from dataclasses import dataclass

from rerankllm.aggregation.base import Vote, mean_ranks
from rerankllm.errors import SpecError


@dataclass(frozen=True, slots=True)
class ReciprocalRankFusion:
    """Σ weight / (k + rank) over the votes that hold the item, ranks from 1.

    Cormack, Clarke and Büttcher, "Reciprocal rank fusion outperforms Condorcet and individual rank learning methods",
    SIGIR 2009, section 2. A sum, not a mean: an item that a vote lacks gets nothing from it. Ties share their mean
    rank.

    Attributes:
        k: Damps the lead of the first ranks; 60 in the paper.
    """

    k: int = 60

    def __post_init__(self) -> None:
        if self.k < 0:
            raise SpecError(f"rrf: k should be 0 or more, found {self.k}")

    def scores(self, items: Sequence[str], votes: Sequence[Vote]) -> list[float]:
        """Scores in the order of `items`."""
        totals = dict.fromkeys(items, 0.0)
        for vote in votes:
            for item, rank in mean_ranks(vote).items():
                totals[item] += vote.weight / (self.k + rank)
        return [totals[item] for item in items]
