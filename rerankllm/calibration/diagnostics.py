"""How far a judge's answers can be trusted: what place, order and chance do to them, measured on the answers alone."""

import math
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import fmean
from typing import TypeAlias

from rerankllm.calibration.order import SUREST, TIE, margin
from rerankllm.judgements import TELLING, WeakOrder, gives_back

Shown: TypeAlias = tuple[str, str]
"""Two documents' ids, in the order shown."""
Comparisons: TypeAlias = Mapping[Shown, float]
"""p(the one shown first wins) for pairs of one query."""
Preference: TypeAlias = Callable[[str, str], float | None]
"""p(the first is better), ½ for a tie; None for a pair that nothing is known of."""

MOST_COUNTED = 300
"""Items up to which every triad with ties or gaps is looked at."""
SAMPLE = 100_000
"""Triads that are drawn where there are more items."""


@dataclass(frozen=True, slots=True)
class Share:
    """So many of so many."""

    count: int
    of: int

    @property
    def value(self) -> float:
        """The share; NaN of nothing."""
        return self.count / self.of if self.of else math.nan

    def __add__(self, other: "Share") -> "Share":
        return Share(self.count + other.count, self.of + other.of)


def inconsistency(comparisons: Comparisons) -> Share:
    """Pairs whose winner is another one when they are shown the other way round (LLM-RankFusion, section 3).

    A tie in one order names no winner, so it contradicts nothing. Counted are pairs with both orders answered.
    """
    both = [(p, comparisons[b, a]) for (a, b), p in comparisons.items() if a < b and (b, a) in comparisons]
    return Share(sum((there > TIE < back) or (there < TIE > back) for there, back in both), len(both))


def margins(comparisons: Comparisons) -> list[float]:
    """The log-odds of the place shown first, ℓ_A − ℓ_B in nats, of every answer that is not all or nothing.

    Where every pair was asked in both orders, what the documents are worth cancels out, and the mean is the gap
    between the mean logits of A and B: what the judge thinks of the places.
    """
    found = (margin(p) for p in comparisons.values())
    return [value for value in found if abs(value) < SUREST]


def cyclic_triads(items: Sequence[str], prefers: Preference, *, seed: int = 0) -> Share:
    """Triads that go round: a beats b, b beats c, and c beats a.

    With a winner for every pair they are C(n, 3) − Σ C(wins, 2), counted in O(n²) (Kendall and Babington Smith 1940);
    with ties or gaps only strict circles count, of all triads of which every pair is known. Above `MOST_COUNTED` items
    those are estimated from `SAMPLE` triads, drawn by `seed`: `of` says how many of them were known.
    """
    n = len(items)
    known = {(i, j): prefers(items[i], items[j]) for i, j in combinations(range(n), 2)}
    if all(p is not None and p != TIE for p in known.values()):
        wins = [0] * n
        for (i, j), p in known.items():
            wins[i if (p or 0) > TIE else j] += 1
        return Share(math.comb(n, 3) - sum(math.comb(won, 2) for won in wins), math.comb(n, 3))
    triads: Iterable[Sequence[int]] = combinations(range(n), 3)
    if n > MOST_COUNTED:
        chance = random.Random(seed)  # noqa: S311
        triads = (sorted(chance.sample(range(n), 3)) for _ in range(SAMPLE))
    found = Share(0, 0)
    for i, j, k in triads:
        ij, jk, ik = known[i, j], known[j, k], known[i, k]
        if ij is not None and jk is not None and ik is not None:
            circular = (ij > TIE and jk > TIE and ik < TIE) or (ij < TIE and jk < TIE and ik > TIE)
            found += Share(int(circular), 1)
    return found


def kendall_distance(one: Sequence[str], other: Sequence[str]) -> float:
    """The share of pairs that two orders of the same items put the other way round; NaN for fewer than two items."""
    place = {item: i for i, item in enumerate(other)}
    pairs = list(combinations(one, 2))
    return sum(place[a] > place[b] for a, b in pairs) / len(pairs) if pairs else math.nan


@dataclass(frozen=True, slots=True)
class Listed:
    """A list prompt's documents, in the order shown, and the order that came back."""

    shown: tuple[str, ...]
    order: WeakOrder

    @property
    def telling(self) -> bool:
        """Whether it puts so many documents in an order that chance rarely gives the one shown."""
        return len(self.order.groups) >= TELLING

    @property
    def as_shown(self) -> bool:
        """Whether the answer only gives back the order shown."""
        return gives_back(self.shown, self.order)


def order_kept(lists: Iterable[Listed]) -> Share:
    """Answers that only give back the order shown, of those in which that tells something."""
    told = [each for each in lists if each.telling]
    return Share(sum(each.as_shown for each in told), len(told))


@dataclass(frozen=True, slots=True)
class PlaceRank:
    """What becomes of the documents at one place of a list prompt.

    Attributes:
        place: Counted from 1.
        rank: Their mean rank in the answers. With shuffled prompts it is the same at every place, unless places count.
        first: The share of answers whose first document is from this place.
    """

    place: int
    rank: float
    first: float


def place_curve(answers: Sequence[Listed]) -> list[PlaceRank]:
    """Position bias by place, over prompts with as many documents; documents an answer omits share the last ranks."""
    size = max((len(answer.shown) for answer in answers), default=0)
    whole = [answer for answer in answers if len(answer.shown) == size]
    ranks = [_ranks(answer) for answer in whole]
    curve: list[PlaceRank] = []
    for place in range(size):
        at = [rank[answer.shown[place]] for answer, rank in zip(whole, ranks, strict=True)]
        chosen = [answer.order.ranked[:1] == (answer.shown[place],) for answer in whole]
        curve.append(PlaceRank(place + 1, fmean(at), fmean(chosen)))
    return curve


def self_agreement(answers: Sequence[Listed]) -> list[float]:
    """Kendall's τ between every two answers about the same documents shown in different orders; 1 is the same order."""
    found: list[float] = []
    for one, other in combinations(answers, 2):
        if sorted(one.shown) == sorted(other.shown) and one.shown != other.shown:
            tau = _tau(_ranks(one), _ranks(other))
            found += [] if math.isnan(tau) else [tau]
    return found


def _ranks(answer: Listed) -> dict[str, float]:
    """Each document's rank, those of a group and of the omitted the mean of their places."""
    groups = (*answer.order.groups, answer.order.omitted)
    ranks: dict[str, float] = {}
    for group in groups:
        ranks.update(dict.fromkeys(group, len(ranks) + (len(group) + 1) / 2))
    return ranks


def _tau(one: Mapping[str, float], other: Mapping[str, float]) -> float:
    """Kendall's τ-b; NaN where one ties everything."""
    signs = [(_sign(one[a] - one[b]), _sign(other[a] - other[b])) for a, b in combinations(one, 2)]
    untied = math.prod(sum(sign[i] != 0 for sign in signs) for i in (0, 1))
    return sum(x * y for x, y in signs) / math.sqrt(untied) if untied else math.nan


def _sign(value: float) -> int:
    return (value > 0) - (value < 0)
