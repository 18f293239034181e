"""Gaussian beliefs about how good documents are, and what an order of some of them changes in them."""

import math
from collections.abc import Sequence
from itertools import pairwise, product
from statistics import NormalDist
from typing import NamedTuple

MEAN, DEVIATION = 25.0, 25 / 3
"""TrueSkill's scale: where beliefs start, and how wide."""
NOISE = 25 / 6
"""How far an answer strays from a document's worth, as a standard deviation: β."""
_SWEEPS = 30
_STEADY = 1e-4


class Belief(NamedTuple):
    """How good a document is: normal, with this mean and standard deviation."""

    mean: float = MEAN
    deviation: float = DEVIATION


class _Message(NamedTuple):
    """A Gaussian factor: its precision, and its precision times its mean."""

    precision: float = 0.0
    shift: float = 0.0

    def plus(self, other: "_Message", sign: int = 1) -> "_Message":
        return _Message(self.precision + sign * other.precision, self.shift + sign * other.shift)

    def through(self, noise: float) -> "_Message":
        """The same with independent noise of this variance on top."""
        return _Message(*(value / (1 + self.precision * noise) for value in self))

    @property
    def moments(self) -> tuple[float, float]:
        return self.shift / self.precision, 1 / self.precision


def updated(beliefs: Sequence[Belief], groups: Sequence[Sequence[int]], draw: float = 0.0) -> list[Belief]:
    """Beliefs after an order was seen.

    Herbrich, Minka and Graepel 2006, "TrueSkill: a Bayesian skill rating system", section 2: what was seen is worth
    plus noise, and everything in a group was seen above everything in the next; expectation propagation over these
    differences. A tie says nothing about those in it.

    Args:
        beliefs: One a document.
        groups: Indices of the documents in the order, best first; ties together.
        draw: How often two equal documents would be seen as equal. Above 0, to be seen above another takes being better
            by a margin, so that an order says more.
    """
    margin = NormalDist().inv_cdf((1 + draw) / 2) * math.sqrt(2) * NOISE if draw else 0.0
    prior = {i: _Message(*_natural(beliefs[i])).through(NOISE**2) for group in groups for i in group}
    seen = dict(prior)
    above = [pair for better, worse in pairwise(groups) for pair in product(better, worse)]
    messages = dict.fromkeys(above, (_Message(), _Message()))
    for _ in range(_SWEEPS):
        moved = 0.0
        for a, b in above:
            rest_a, rest_b = (seen[i].plus(m, -1) for i, m in zip((a, b), messages[a, b], strict=True))
            messages[a, b] = _above(rest_a.moments, rest_b.moments, margin)
            for i, rest, message in zip((a, b), (rest_a, rest_b), messages[a, b], strict=True):
                before, seen[i] = seen[i], rest.plus(message)
                moved = max(moved, abs(seen[i].moments[0] - before.moments[0]))
        if moved < _STEADY:
            break
    after = list(beliefs)
    for i, belief in seen.items():
        evidence = belief.plus(prior[i], -1).through(NOISE**2)
        mean, variance = _Message(*_natural(beliefs[i])).plus(evidence).moments
        after[i] = Belief(mean, math.sqrt(variance))
    return after


def _above(a: tuple[float, float], b: tuple[float, float], margin: float) -> tuple[_Message, _Message]:
    """What it says of a, and of b, with these means and variances, that a > b by so much."""
    mean, variance = a[0] - b[0], a[1] + b[1]
    sd = math.sqrt(variance)
    v, w = _truncation((mean - margin) / sd)
    precision = w / (variance * (1 - w))
    shift = (mean + sd * v) / (variance * (1 - w)) - mean / variance
    return (
        _Message(precision, shift + precision * b[0]).through(b[1]),
        _Message(precision, precision * a[0] - shift).through(a[1]),
    )


def _truncation(t: float) -> tuple[float, float]:
    """How a unit normal's mean moves, and by which share its variance shrinks, when only what is above −t is left."""
    below = -30.0  # the tail's ratio of density to mass is all but linear there
    v = NormalDist().pdf(t) / (math.erfc(-t / math.sqrt(2)) / 2) if t > below else -t - 1 / t
    return v, min(v * (v + t), 1 - 1 / (1 + t * t) if t <= below else 1.0)


def _natural(belief: Belief) -> tuple[float, float]:
    return 1 / belief.deviation**2, belief.mean / belief.deviation**2


def chances_above(beliefs: Sequence[Belief], k: int) -> list[float]:
    """For each document, how likely it is above the threshold that k of them are expected to be above."""
    if k >= len(beliefs):
        return [1.0] * len(beliefs)
    reach = 10 * max(b.deviation for b in beliefs)
    low, high = min(b.mean for b in beliefs) - reach, max(b.mean for b in beliefs) + reach
    while high - low > _STEADY:
        middle = (low + high) / 2
        low, high = (middle, high) if sum(_above_all(beliefs, middle)) > k else (low, middle)
    return _above_all(beliefs, low)


def _above_all(beliefs: Sequence[Belief], threshold: float) -> list[float]:
    return [math.erfc((threshold - b.mean) / (b.deviation * math.sqrt(2))) / 2 for b in beliefs]
