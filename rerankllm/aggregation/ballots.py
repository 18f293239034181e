"""Votes with their items numbered, as arrays: what the rules compute on."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from rerankllm.aggregation.votes import Vote

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Ballot:
    """One vote.

    Attributes:
        items: The items it lists, by number, best first.
        ranks: Their 1-based ranks, ascending; tied items share the mean of the places they take.
        weight: How much it counts, above 0.
        scores: Their scores, descending, where it has any.
        head: Whether the items it lacks stand behind those it has.
    """

    items: NDArray[np.intp]
    ranks: Floats
    weight: float = 1.0
    scores: Floats | None = None
    head: bool = False

    @classmethod
    def scored(cls, items: NDArray[np.intp], scores: Floats, weight: float = 1.0, *, head: bool = False) -> Self:
        """A ballot of items that have scores, in any order; equal scores are ties."""
        if np.any(scores[1:] > scores[:-1]):
            order = np.argsort(-scores, kind="stable")
            items, scores = items[order], scores[order]
        return cls(items, mean_places(np.diff(_starts(scores), append=len(scores))), weight, scores, head)

    @property
    def places(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """First and last place, from 0, that each item's group of ties takes."""
        starts = _starts(self.ranks)
        sizes = np.diff(starts, append=len(self.ranks))
        return np.repeat(starts, sizes), np.repeat(starts + sizes - 1, sizes)

    @property
    def tied(self) -> int:
        """How many items share their rank with another."""
        same = self.ranks[1:] == self.ranks[:-1]
        return int((np.append(same, False) | np.append(False, same)).sum()) if len(same) else 0

    def over(self, n: int) -> "Ballot":
        """The ballot with the items that it lacks tied at its end, where it is the head of an order of `n` items."""
        if not self.head or len(self.items) == n:
            return self
        absent = np.ones(n, dtype=bool)
        absent[self.items] = False
        rest = np.flatnonzero(absent)
        last = np.full(len(rest), (len(self.items) + 1 + n) / 2)
        return Ballot(np.concatenate([self.items, rest]), np.concatenate([self.ranks, last]), self.weight)


@dataclass(frozen=True, slots=True)
class Ballots:
    """Every vote on the same items.

    Attributes:
        n: How many items there are, numbered from 0.
        ballots: The votes that count.
    """

    n: int
    ballots: tuple[Ballot, ...]

    @classmethod
    def of(cls, items: Sequence[str], votes: Iterable[Vote]) -> Self:
        """Numbers the items in the order given."""
        number = {item: i for i, item in enumerate(items)}
        return cls(len(items), tuple(_ballot(number, vote) for vote in votes if vote.weight > 0))

    def full(self) -> list[Ballot]:
        """The ballots, with the items behind a head tied at its end."""
        return [ballot.over(self.n) for ballot in self.ballots]

    def wins(self) -> Floats:
        """Weighted wins, shape (n, n): row beat column; a tie is half a win each way. O(n²) for each ballot."""
        wins = np.zeros((self.n, self.n))
        for ballot in self.full():
            ranks = ballot.ranks
            beaten = (ranks[:, None] < ranks) + 0.5 * (ranks[:, None] == ranks)
            wins[np.ix_(ballot.items, ballot.items)] += ballot.weight * beaten
        np.fill_diagonal(wins, 0.0)
        return wins

    def margins(self) -> Floats:
        """Wins minus losses, shape (n, n), exactly 0 where they are equal but for rounding."""
        wins = self.wins()
        margins = wins - wins.T
        margins[np.abs(margins) <= 1e-9 * (wins + wins.T)] = 0.0
        return margins

    def named(self) -> NDArray[np.bool_]:
        """Which items some ballot lists, or puts behind those it lists."""
        named = np.full(self.n, any(ballot.head for ballot in self.ballots))
        for ballot in self.ballots:
            named[ballot.items] = True
        return named


class Stakes(NamedTuple):
    """What each vote gives each item, in a rule that adds this up. All of shape (votes, items).

    Attributes:
        now: What it gives.
        most: What it would give if it had the item first.
        least: What it would give if it had the item last.
    """

    now: Floats
    most: Floats
    least: Floats

    @classmethod
    def of(cls, n: int, ballots: Sequence[Ballot], points: Callable[[int], Floats], *, whole: bool = False) -> "Stakes":
        """The stakes where every place of a vote has its points.

        Args:
            n: How many items there are.
            ballots: The votes.
            points: The points of each place of a vote on so many items, best first.
            whole: Whether heads were made whole; else a head could name any item, and leave out any.
        """
        now, most, least = (np.zeros((len(ballots), n)) for _ in range(3))
        for vote, ballot in enumerate(ballots):
            if not len(ballot.items):
                continue
            each = ballot.weight * points(len(ballot.items))
            now[vote, ballot.items] = shared(each, ballot)
            free = ballot.head and not whole
            most[vote, slice(None) if free else ballot.items] = each[0]
            least[vote, ballot.items] = 0.0 if free else each[-1]
        return cls(now, most, least)


def mean_places(sizes: NDArray[np.intp]) -> Floats:
    """The ranks of items in groups of these sizes: each the mean of the places that its group takes."""
    ranks: Floats = np.repeat(np.cumsum(sizes) - (sizes - 1) / 2, sizes)
    return ranks


def shared(points: Floats, ballot: Ballot) -> Floats:
    """The points of each item of a ballot when tied items share those of the places they take.

    Args:
        points: The points of each place, best first.
        ballot: The ballot, no longer than that.
    """
    first, last = ballot.places
    total = np.concatenate([[0.0], np.cumsum(points)])
    shares: Floats = (total[last + 1] - total[first]) / (last - first + 1)
    return shares


def by_place(groups: Sequence[Sequence[int]], n: int) -> Floats:
    """Scores for an order, best group first: how many items are behind, ties sharing the mean of their places."""
    scores = np.zeros(n)
    sizes = np.array([len(group) for group in groups], dtype=np.intp)
    scores[[item for group in groups for item in group]] = n - mean_places(sizes)
    return scores


def _ballot(number: dict[str, int], vote: Vote) -> Ballot:
    items = np.array([number[item] for group in vote.groups for item in group], dtype=np.intp)
    sizes = np.array([len(group) for group in vote.groups], dtype=np.intp)
    scores = None if vote.scores is None else np.repeat(np.array(vote.scores, dtype=float), sizes)
    return Ballot(items, mean_places(sizes), vote.weight, scores, vote.head)


def _starts(values: NDArray[np.float64]) -> NDArray[np.intp]:
    """Where each stretch of equal values starts."""
    return np.flatnonzero(np.concatenate([[True], values[1:] != values[:-1]])[: len(values)])
