"""Whether two systems differ: tests of paired differences, one a query."""

from dataclasses import dataclass

import numpy as np

from rerankllm.errors import InputError
from rerankllm.evaluation.bootstrap import CELLS, RESAMPLES
from rerankllm.evaluation.standard_error import Array, Spread, Strata

FEWEST = 10_000
"""The fewest sign flips that give a p worth printing."""


@dataclass(frozen=True, slots=True)
class TTest:
    """Student's test of a mean difference of 0.

    Attributes:
        t: The statistic; infinite where all differences are one other value than 0, NaN where nothing can be said.
        freedom: Degrees of freedom.
        p: Two-sided.
    """

    t: float
    freedom: float
    p: float


def paired_t(differences: Array, strata: Strata | None = None) -> TTest:
    """The paired t-test, with the error of a stratified mean where several collections are pooled.

    Args:
        differences: One a query, shape (queries,).
        strata: The collection of each query.
    """
    spread = Spread.of(differences, strata)
    if spread.error == 0:
        sure = spread.mean != 0
        return TTest(np.copysign(np.inf, spread.mean) if sure else 0.0, spread.freedom, 0.0 if sure else 1.0)
    t = spread.mean / spread.error
    return TTest(t, spread.freedom, 2 * Spread(abs(spread.mean), spread.error, spread.freedom).tail(0.0))


def randomization(differences: Array, *, resamples: int = RESAMPLES, seed: int = 0) -> float:
    """Fisher's randomization test of a mean difference of 0: two-sided p, by flipping signs.

    Smucker, Allan and Carterette 2007, "A comparison of statistical significance tests for information retrieval
    evaluation". Differences of 0 have no sign. Where the others have no more than `resamples` patterns of
    signs, all are counted and p is exact; else p is (1 + as extreme) / (1 + drawn), never 0 (Phipson and Smyth 2010,
    "Permutation p-values should never be zero"). Signs are flipped query by query, so pooled collections stay apart by
    themselves. p depends on neither the order of the queries nor which system comes first.

    Args:
        differences: One a query, shape (queries,).
        resamples: How many patterns of signs are drawn, at least 10,000.
        seed: Of the draws.

    Raises:
        InputError: Fewer than 10,000 are to be drawn.
    """
    if resamples < FEWEST:
        raise InputError(f"a randomization test takes at least {FEWEST} resamples, not {resamples}")
    sizes = np.sort(np.abs(differences[differences != 0]))
    if not len(sizes):
        return 1.0
    least = abs(float(differences.sum())) - 1e-12 * float(sizes.sum())
    if 2 ** len(sizes) <= resamples:
        patterns = np.arange(2 ** len(sizes))[:, None] >> np.arange(len(sizes)) & 1
        return float((np.abs((1 - 2 * patterns) @ sizes) >= least).mean())
    rng = np.random.default_rng(seed)
    step, extreme = max(1, CELLS // len(sizes)), 0
    for start in range(0, resamples, step):
        flips = rng.integers(2, size=(min(step, resamples - start), len(sizes)), dtype=np.int8)
        extreme += int((np.abs((1 - 2 * flips) @ sizes) >= least).sum())
    return (1 + extreme) / (1 + resamples)
