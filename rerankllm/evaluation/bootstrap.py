"""Bootstrap intervals of means over queries."""

import numpy as np

from rerankllm.errors import InputError
from rerankllm.evaluation.standard_error import Array, Strata, by_stratum

RESAMPLES = 20_000
CELLS = 2**22
"""Values held at a time."""


def bootstrap(
    values: Array,
    minus: Array | None = None,
    *,
    strata: Strata | None = None,
    level: float = 0.95,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> tuple[float, float]:
    """The percentile interval of a mean over queries, or of the difference of two, paired by query.

    Queries are drawn with replacement, within their collection where several are pooled (Efron and Tibshirani 1993, An
    Introduction to the Bootstrap, chapter 13). Values of shape (runs, queries) are resampled both ways: runs as a
    whole, apart for each system, and queries. The interval then speaks of other runs too; from r runs it takes their
    variance for (r − 1)/r of what it is. It depends on neither the order of the queries nor that of equal values.

    Args:
        values: Shape (queries,), or (runs, queries).
        minus: The same for the system that is subtracted; it may have another number of runs.
        strata: The collection of each query.
        level: Of the interval.
        resamples: How many means are drawn.
        seed: Of the draws.

    Raises:
        InputError: There is no query.
    """
    first, second = np.atleast_2d(values), None if minus is None else np.atleast_2d(minus)
    if first.shape[1] == 0:
        raise InputError("no query to resample")
    rng = np.random.default_rng(seed)
    stack = first if second is None else np.vstack([first, second])
    total = np.zeros(resamples)
    weights = _run_weights(rng, len(first), resamples)
    if second is not None:
        weights = np.hstack([weights, -_run_weights(rng, len(second), resamples)])
    for part in by_stratum(stack, strata):
        total += _sums(rng, part[:, np.lexsort(part)], weights)
    low, high = np.quantile(total / first.shape[1], [0.5 - level / 2, 0.5 + level / 2])
    return float(low), float(high)


def _run_weights(rng: np.random.Generator, runs: int, resamples: int) -> Array:
    """How much of each resample is each run's, shape (resamples, runs)."""
    if runs == 1:
        return np.ones((resamples, 1))
    return rng.multinomial(runs, np.full(runs, 1 / runs), size=resamples) / runs


def _sums(rng: np.random.Generator, part: Array, weights: Array) -> Array:
    """The sum over queries of each resample, shape (resamples,)."""
    n = part.shape[1]
    step = max(1, CELLS // n)
    found = []
    for start in range(0, len(weights), step):
        some = weights[start : start + step]
        drawn = rng.integers(n, size=(len(some), n))
        found.append(np.take_along_axis(some @ part, drawn, axis=1).sum(axis=1))
    return np.concatenate(found)
