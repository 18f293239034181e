"""p-values of several tests, adjusted so that any false alarm among them all stays as rare as one was meant to be."""

import math
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType


def holm(values: Sequence[float]) -> list[float]:
    """Holm 1979, "A simple sequentially rejective multiple test procedure": in the order given; NaN counts as 1."""
    known = [1.0 if math.isnan(value) else value for value in values]
    adjusted, worst = [0.0] * len(known), 0.0
    for place, i in enumerate(sorted(range(len(known)), key=known.__getitem__)):
        worst = max(worst, min(1.0, (len(known) - place) * known[i]))
        adjusted[i] = worst
    return adjusted


def bonferroni(values: Sequence[float]) -> list[float]:
    """Each times their number, at most 1; in the order given; NaN counts as 1."""
    return [1.0 if math.isnan(value) else min(1.0, len(values) * value) for value in values]


CORRECTIONS: Mapping[str, Callable[[Sequence[float]], list[float]]] = MappingProxyType(
    {"holm": holm, "bonferroni": bonferroni}
)
"""By the name the command line has for them."""
