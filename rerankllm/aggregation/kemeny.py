"""Kemeny's order: the fewest disagreements."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rerankllm.aggregation.ballots import Ballots, Floats, by_place
from rerankllm.aggregation.base import Aggregation
from rerankllm.aggregation.linear_order import best_order
from rerankllm.errors import SpecError

Order = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Kemeny(Aggregation):
    """The order with the fewest pairwise disagreements with the votes.

    Kemeny, "Mathematics without numbers", Daedalus 88 (1959); the integer program of Conitzer, Davenport and
    Kalagnanam, "Improved bounds for computing Kemeny rankings", AAAI 2006, section 3. First the items are parted where
    every item of one part beats every one of the next by majority: the order must keep to that (Truchon 1998). Parts
    of up to `exact` items are solved exactly, which needs scipy; longer ones by local search from the Borda order,
    moving one item at a time for as long as that helps. `exact=0` always searches.

    Pairs tied within a vote, or that it lacks, cost nothing either way, unless it is a head; a part in which no pair
    has a majority, such as items nobody compared, is one tie. Where several orders are best, pairs without a majority
    keep the items' own order as far as the others let them, and a circle of equal majorities is opened anywhere;
    disconnected comparisons have many.

    Attributes:
        exact: The longest part to solve exactly.
    """

    exact: int = 40

    def __post_init__(self) -> None:
        if self.exact < 0:
            raise SpecError(f"kemeny: exact should be 0 or more, found {self.exact}")

    def tally(self, profile: Ballots) -> Floats:
        """How many items are behind, in the order of the items."""
        return by_place(self.groups(profile.margins()), profile.n)

    def groups(self, margins: Floats) -> list[list[int]]:
        """The order for these wins minus losses, shape (n, n), in groups of tied items."""
        groups: list[list[int]] = []
        for part in parts(margins):
            inside = margins[np.ix_(part, part)]
            if not inside.any():
                groups.append(part.tolist())
                continue
            order = best_order(inside) if len(part) <= self.exact else insertion_search(inside)
            groups += [[int(part[i])] for i in settled(order, inside)]
        return groups


def parts(margins: Floats) -> list[Order]:
    """The finest division of the items of which each part beats all that follow, pair by pair, best part first."""
    beats = margins > 0
    order = np.argsort(-np.sign(margins).sum(axis=1), kind="stable")  # such parts are apart in Copeland's count
    n = len(order)
    beaten = np.zeros((n + 1, n + 1), dtype=np.intp)
    beaten[1:, 1:] = beats[np.ix_(order, order)].cumsum(axis=0).cumsum(axis=1)
    first = np.arange(1, n)
    cuts = np.flatnonzero(beaten[first, n] - beaten[first, first] == first * (n - first)) + 1
    return [np.sort(part) for part in np.split(order, cuts)] if n else []


def settled(order: Order, margins: Floats) -> list[int]:
    """The order with the lowest item first, then the lowest second, and so on, that turns round ties alone."""
    waits = (margins != 0)[np.ix_(order, order)]
    left, found = order.tolist(), list[int]()
    while left:
        free = ~np.tril(waits, -1).any(axis=1)
        at = min(np.flatnonzero(free).tolist(), key=left.__getitem__)
        found.append(left.pop(at))
        waits = np.delete(np.delete(waits, at, axis=0), at, axis=1)
    return found


def insertion_search(margins: Floats) -> Order:
    """An order that moving any one item makes no better, from the order by mean margin."""
    order = np.argsort(-margins.sum(axis=1), kind="stable")
    improved = True
    while improved:
        improved = False
        for item in order.tolist():
            at = int(np.flatnonzero(order == item)[0])
            others = np.delete(order, at)
            gains = np.concatenate([[0.0], np.cumsum(margins[others, item])])  # of standing behind so many
            best = int(np.argmax(gains))
            if gains[best] > gains[at] + 1e-9 * (1 + abs(gains[at])):
                order = np.insert(others, best, item)
                improved = True
    return order


def disagreements(wins: Floats, scores: Floats) -> float:
    """The weight of the pairs that the votes have the other way round than `scores`; half of it for ties of either."""
    ahead = (scores[:, None] > scores) + 0.5 * (scores[:, None] == scores)
    return float((wins.T * ahead).sum())
