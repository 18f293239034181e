"""The Condorcet winner: who beats every other."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from rerankllm.aggregation.ballots import Ballots, Floats
from rerankllm.aggregation.base import Aggregation
from rerankllm.aggregation.borda import Borda
from rerankllm.aggregation.votes import Vote


@dataclass(frozen=True, slots=True)
class Condorcet(Aggregation):
    """The Condorcet winner first, where there is one; all others, or all, by another rule.

    Condorcet, "Essai sur l'application de l'analyse à la probabilité des décisions" (1785). A winner beats each other
    item by majority: a tie, or a pair nobody compared, leaves none, so disconnected comparisons have none. Items that
    a vote lacks are not compared by it, unless it is a head; for the rest of the order the other rule says.

    Attributes:
        fallback: The rule for all but the winner.
    """

    fallback: Aggregation = field(default_factory=Borda)

    def tally(self, profile: Ballots) -> Floats:
        """The other rule's scores, the winner's lifted above them."""
        scores = self.fallback.tally(profile)
        winner = _winner(profile)
        if winner is not None:
            scores[winner] = scores.max() + 1
        return scores


def condorcet_winner(items: Sequence[str], votes: Iterable[Vote]) -> str | None:
    """The item that beats each other one by majority; None where there is none. One item alone wins."""
    winner = _winner(Ballots.of(items, votes))
    return None if winner is None else items[winner]


def _winner(profile: Ballots) -> int | None:
    beats_all = np.flatnonzero((profile.margins() > 0).sum(axis=1) == profile.n - 1)
    return int(beats_all[0]) if len(beats_all) else None
