"""How far a mean over queries may be off: its standard error, within collections where several are pooled."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rerankllm.evaluation.extras import scipy_module

Array = NDArray[np.float64]
Strata = NDArray[np.int64]
"""For each query the number of its collection."""


@dataclass(frozen=True, slots=True)
class Spread:
    """A mean over queries with its standard error.

    Attributes:
        mean: Over all queries.
        error: Its standard error; NaN where a collection has a single query.
        freedom: Degrees of freedom of Student's t, after Satterthwaite where several collections are pooled.
    """

    mean: float
    error: float
    freedom: float

    @classmethod
    def of(cls, values: Array, strata: Strata | None = None) -> "Spread":
        """Of one value a query, shape (queries,); collections are fixed, queries are drawn within them."""
        n = len(values)
        parts = list(by_stratum(values, strata))
        if min(map(len, parts), default=0) < 2:  # noqa: PLR2004
            return cls(float(values.mean()) if n else math.nan, math.nan, math.nan)
        shares = [(len(part) / n) ** 2 * float(part.var(ddof=1)) / len(part) for part in parts]
        below = sum(share**2 / (len(part) - 1) for share, part in zip(shares, parts, strict=True))
        freedom = sum(shares) ** 2 / below if below > 0 else float(n - len(parts))
        return cls(float(values.mean()), math.sqrt(sum(shares)), freedom)

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """Of the mean, by Student's t."""
        half = float(scipy_module("stats").t.ppf(0.5 + level / 2, self.freedom)) * self.error
        return self.mean - half, self.mean + half

    def tail(self, value: float) -> float:
        """P(T ≥ t) of the t that tests whether the mean is `value`; 1 or 0 where nothing varies."""
        if self.error == 0:
            return float(self.mean <= value)
        return float(scipy_module("stats").t.sf((self.mean - value) / self.error, self.freedom))


def by_stratum(values: Array, strata: Strata | None) -> Iterator[Array]:
    """The columns of each collection."""
    if strata is None:
        yield values
        return
    for stratum in np.unique(strata):
        yield values[..., strata == stratum]
