"""votes."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass


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


def mean_ranks(vote: Vote) -> dict[str, float]:
    """The 1-based rank of each item; tied items share the mean of the places they take."""
    ranks: dict[str, float] = {}
    for group in vote.groups:
        place = len(ranks) + (len(group) + 1) / 2
        ranks.update(dict.fromkeys(group, place))
    return ranks
