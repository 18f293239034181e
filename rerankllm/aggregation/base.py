"""The one shape of evidence every aggregation takes, and what every aggregation is."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from rerankllm.aggregation.ballots import Ballots


@dataclass(frozen=True, slots=True)
class Vote:
    """One order of some items: a run, a window's answer, or, with two items, a comparison.

    Attributes:
        groups: Items best first; those in one group are tied. Items that are not in it were not judged by it.
        weight: How much it counts. A comparison won with probability p is two votes, of weight p and 1 - p.
        scores: A score for each group, larger is better, where there are any; only rules that add up scores look.
        head: Whether it is the head of a longer order, as a retriever's first hundred are: the items that it lacks
            were then judged, and stand behind those it has, tied.
    """

    groups: tuple[tuple[str, ...], ...]
    weight: float = 1.0
    scores: tuple[float, ...] | None = None
    head: bool = False

    @classmethod
    def of(cls, order: Sequence[str], weight: float = 1.0) -> "Vote":
        """A vote without ties."""
        return cls(tuple((item,) for item in order), weight)

    @classmethod
    def scored(cls, pairs: Iterable[tuple[str, float]], weight: float = 1.0, *, head: bool = False) -> "Vote":
        """A vote of items with scores, in any order; those with equal scores are tied."""
        groups: dict[float, list[str]] = {}
        for item, score in sorted(pairs, key=lambda pair: -pair[1]):
            groups.setdefault(score, []).append(item)
        return cls(tuple(map(tuple, groups.values())), weight, tuple(groups), head)


class Aggregation(ABC):
    """A rule: many votes, one score an item.

    Rules differ in what they read: places (Borda, reciprocal ranks), scores (CombSUM), or who beat whom (Copeland,
    Bradley–Terry). A vote serves all three: places and scores follow from one another, and a place beats those below
    it. So any rule takes any votes, and one that reads more than the votes say, works with what follows.
    """

    __slots__ = ()

    def scores(self, items: Sequence[str], votes: Iterable[Vote]) -> list[float]:
        """Scores, larger is better, one for each of `items`, in their order.

        Args:
            items: Every item, once; those that no vote names included.
            votes: Any number; one of weight 0 counts for nothing.
        """
        from rerankllm.aggregation.ballots import Ballots  # noqa: PLC0415

        return [float(score) for score in self.tally(Ballots.of(items, votes))]

    @abstractmethod
    def tally(self, profile: "Ballots") -> "NDArray[np.float64]":
        """The same over numbered items, shape (items,)."""


def mean_ranks(vote: Vote) -> dict[str, float]:
    """The 1-based rank of each item; tied items share the mean of the places they take."""
    ranks: dict[str, float] = {}
    for group in vote.groups:
        place = len(ranks) + (len(group) + 1) / 2
        ranks.update(dict.fromkeys(group, place))
    return ranks
