"""How many votes may say anything else before another item comes into a top k.

A top k is a set of items: it changes as soon as an item outside is placed above one inside. So it is enough to look at
every such pair. For one pair, nothing that a vote could say does more than to put the one outside first and the one
inside last: in a rule that adds up points, and in Copeland's count of majorities. The fewest such votes follow: by
adding up the largest gains where points are added up, by a search over votes for Copeland. Kemeny's order keeps parts
apart where each item of one beats each of the next (Truchon 1998): its top k stays for as long as each item inside
beats each outside, which gives a lower bound.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import comb
from typing import NamedTuple, Protocol

import numpy as np

from rerankllm.aggregation.ballots import Ballots, Floats, Stakes
from rerankllm.aggregation.base import Aggregation
from rerankllm.aggregation.copeland import Copeland
from rerankllm.aggregation.kemeny import Kemeny
from rerankllm.aggregation.votes import Vote

ROUNDING = 1e-9
"""Sums so near to one another, relative to what votes can give, are equal."""
MOST = 20_000
"""Sets of votes that are tried for a pair before it is left at a lower bound."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """What a top k survives.

    Attributes:
        survives: It holds the same items whichever so many of the votes say anything else; no item outside is above
            one inside.
        of: How many votes there are.
        exact: Whether one more can change it. If not, `survives` is a lower bound.
        leaves: The item inside that one more may put below one outside; None where all votes together change nothing.
        enters: That one.
    """

    survives: int
    of: int
    exact: bool
    leaves: str | None = None
    enters: str | None = None


class Needed(NamedTuple):
    """The fewest votes that turn a pair round; more than there are where none do. If not exact, no fewer do."""

    votes: int
    exact: bool = True


class Search(Protocol):
    """A rule's answer for one pair of items."""

    def least(self, inside: int, outside: int) -> int:
        """A number of votes that it takes at least to put `outside` above `inside`."""

    def needed(self, inside: int, outside: int, most: int) -> Needed:
        """The fewest votes that do so; where it takes more than `most`, any number above that."""


def certify(
    rule: Aggregation, items: Sequence[str], votes: Sequence[Vote], top_k: int, *, only: str | None = None
) -> Certificate | None:
    """How many votes may say anything else before the top k changes.

    A vote that says anything else lists the same items, in any order and with any ties, or is missing. Equal scores
    are ordered as `items` are.

    Args:
        rule: The rule.
        items: Every item, once.
        votes: The votes.
        top_k: How many first places.
        only: An item: says how many votes it takes to put it above one inside, or below one outside, without which it
            does not come in, or go. Of Kemeny's order only the whole is known.

    Returns:
        None for rules of which nothing is known: those that are neither sums, nor Copeland's, nor Kemeny's.
    """
    profile = Ballots.of(items, votes)
    search = _search(rule, profile)
    if search is None:
        return None
    order = np.argsort(-rule.tally(profile), kind="stable").tolist()
    number = None if only is None or isinstance(search, _Parts) else items.index(only)
    pairs = [(i, o) for i in order[:top_k] for o in order[top_k:] if number in (None, i, o)]
    size = len(profile.ballots)
    best, turned = Needed(size + 1), (None, None)
    for least, inside, outside in sorted((search.least(*pair), *pair) for pair in pairs):
        if least > best.votes or (least == best.votes and best.exact):
            break
        found = search.needed(inside, outside, best.votes)
        if found.votes < best.votes or (found.votes == best.votes <= size and found.exact > best.exact):
            best, turned = found, (items[inside], items[outside])
    return Certificate(best.votes - 1, size, best.exact, *turned)


def _search(rule: Aggregation, profile: Ballots) -> Search | None:
    stakes = rule.stakes(profile)
    if stakes is not None:
        return _Sums(rule.tally(profile), stakes)
    if isinstance(rule, Copeland):
        return _Majorities(profile)
    return _Parts(profile) if isinstance(rule, Kemeny) else None


class _Sums:
    """Rules that add up what votes give: those votes that gain the most are the fewest. Exact."""

    def __init__(self, scores: Floats, stakes: Stakes) -> None:
        self._scores, self._stakes = scores, stakes
        self._rounding = ROUNDING * float(stakes.most.sum(axis=0).max(initial=0.0))

    def least(self, inside: int, outside: int) -> int:
        now, most, least = self._stakes
        missing = most[:, outside] == 0  # where the one outside has nothing to win, the vote had better be missing
        lost = now[:, inside] - np.where(missing, 0.0, least[:, inside])
        gained = np.cumsum(np.sort(lost + most[:, outside] - now[:, outside])[::-1])
        ahead = self._scores[inside] - self._scores[outside]
        short = gained <= ahead + self._rounding if inside < outside else gained < ahead - self._rounding
        return int(short.sum()) + 1

    def needed(self, inside: int, outside: int, most: int) -> Needed:  # noqa: ARG002
        return Needed(self.least(inside, outside))


class _Contests:
    """What each vote says of one item against each other."""

    def __init__(self, profile: Ballots) -> None:
        self.size, self.n = len(profile.ballots), profile.n
        self._ranks = np.full((self.size, self.n), np.nan)
        self._weights = np.array([ballot.weight for ballot in profile.ballots])[:, None]
        for vote, ballot in enumerate(profile.full()):
            self._ranks[vote, ballot.items] = ballot.ranks

    def of(self, item: int) -> tuple[Floats, Floats]:
        """Wins less losses of an item against each other in each vote, shape (votes, items); and at most how many."""
        ahead = self._ranks - self._ranks[:, item, None]
        judged = ~np.isnan(ahead)
        judged[:, item] = False
        return self._weights * np.sign(np.where(judged, ahead, 0.0)), self._weights * judged


class _Majorities:
    """Copeland's count. A bound lets each pair have votes of its own; then sets of votes are tried, smallest first."""

    def __init__(self, profile: Ballots) -> None:
        self._contests = _Contests(profile)

    def least(self, inside: int, outside: int) -> int:
        down, up = self._changes(inside, outside)
        for votes in range(1, self._contests.size + 1):
            each = (np.sort(part, axis=0)[::-1][:votes].sum(axis=0)[None] for part in (down, up))
            if self._turned(inside, outside, *each).any():
                return votes
        return self._contests.size + 1

    def needed(self, inside: int, outside: int, most: int) -> Needed:
        size = self._contests.size
        down, up = self._changes(inside, outside)
        for votes in range(self.least(inside, outside), min(most, size) + 1):
            if comb(size, votes) > MOST:
                return Needed(votes, exact=False)
            for chosen in _sets(size, votes):
                if self._turned(inside, outside, down[chosen].sum(axis=1), up[chosen].sum(axis=1)).any():
                    return Needed(votes)
        return Needed(size + 1)

    def _changes(self, inside: int, outside: int) -> tuple[Floats, Floats]:
        """How far each vote can take the margins of the one inside down, and those of the one outside up."""
        (mine, reach), (others, most) = self._contests.of(inside), self._contests.of(outside)
        return mine + reach, most - others

    def _turned(self, inside: int, outside: int, down: Floats, up: Floats) -> "np.typing.NDArray[np.bool_]":
        """Whether such changes of margins, shape (sets, items), put the one outside above."""
        (mine, reach), (others, most) = self._contests.of(inside), self._contests.of(outside)
        margins = (
            (mine.sum(axis=0) - down, reach.sum(axis=0)),
            (others.sum(axis=0) + up, most.sum(axis=0)),
        )
        falls, rises = (np.where(np.abs(m) <= ROUNDING * games, 0.0, np.sign(m)).sum(axis=1) for m, games in margins)
        return np.asarray(rises > falls if inside < outside else rises >= falls)


def _sets(size: int, votes: int) -> Iterator["np.typing.NDArray[np.intp]"]:
    """Every set of so many votes, some hundreds at a time."""
    every = np.array(list(combinations(range(size), votes)), dtype=np.intp)
    yield from (every[start : start + 512] for start in range(0, len(every), 512))


class _Parts:
    """Kemeny's order: a lower bound, the votes that it takes until one inside no longer beats one outside."""

    def __init__(self, profile: Ballots) -> None:
        self._contests = _Contests(profile)

    def least(self, inside: int, outside: int) -> int:
        mine, reach = (each[:, outside] for each in self._contests.of(inside))
        left = mine.sum() - np.cumsum(np.sort(mine + reach)[::-1])
        return int((left > ROUNDING * reach.sum()).sum()) + int(mine.sum() > 0)

    def needed(self, inside: int, outside: int, most: int) -> Needed:  # noqa: ARG002
        return Needed(max(1, self.least(inside, outside)), exact=False)
