"""The one shape of evidence every aggregation takes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Vote:
    """One order of some items: a run, a window's answer, or, with two items, a comparison.

    Attributes:
        groups: Items best first; those in one group are tied. Items that are not in it were not judged by it.
        weight: How much it counts. A comparison won with probability p is two votes, of weight p and 1 - p.
    """

    groups: tuple[tuple[str, ...], ...]
    weight: float = 1.0

    @classmethod
    def of(cls, order: Sequence[str], weight: float = 1.0) -> "Vote":
        """A vote without ties."""
        return cls(tuple((item,) for item in order), weight)


class Aggregation(Protocol):
    """Many votes, one score an item."""

    def scores(self, items: Sequence[str], votes: Sequence[Vote]) -> list[float]:
        """Scores, larger is better, one for each of `items`, in their order."""
        ...


def mean_ranks(vote: Vote) -> dict[str, float]:
    """The 1-based rank of each item; tied items share the mean of the places they take."""
    ranks: dict[str, float] = {}
    for group in vote.groups:
        place = len(ranks) + (len(group) + 1) / 2
        ranks.update(dict.fromkeys(group, place))
    return ranks
