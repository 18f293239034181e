"""What is known of the relevance of one query's documents: the first stage and a fallible judge, weighed."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from rerankllm.strategies.belief.acquisition import chances, gain, pair_losses, pending, regret, window
from rerankllm.strategies.belief.plackett_luce import Choices, Matrix, Vector, log_likelihood, scored
from rerankllm.strategies.belief.posterior import SPREAD, Posterior, Prior, posterior

SCALES = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
"""From a judge that is mostly noise to one that hardly ever contradicts itself."""
SAMPLES, CHANCE_SAMPLES = 256, 2000
DRAWS = 8
"""Of the samples, those that answers are expected by."""


class Character(NamedTuple):
    """How a judge errs.

    Attributes:
        trust: Share of relevance in what it sees.
        scale: How large differences of worth are in its noise, compared with a middling judge's.
        sharpness: How much larger they are in the noise of its scores.
    """

    trust: float
    scale: float = 1.0
    sharpness: float = 1.0


class Worth:
    """Learns from answers, and says what to ask next.

    A judge sees worth v, which is relevance plus an error of its own that no number of its answers takes away. Of the
    variance of v around its prior mean μ, relevance has the share `trust`, so that given v relevance is normal with
    mean μ + trust·(v − μ) and variance trust·(1 − trust)·spread². Both the order and what is at stake are of that.

    How large worth is, measured in the judge's noise, differs from judge to judge and query to query. Of `SCALES` the
    one holds whose evidence, by Laplace's approximation, is largest, with a log-normal prior of one doubling around
    `scale`; it is looked for uphill from the one that held before.

    Args:
        n: Documents, in the first stage's order.
        top_k: How many first places matter.
        judge: How the judge errs.
        seed: Of the samples.
    """

    def __init__(self, n: int, top_k: int, judge: Character, seed: int) -> None:
        self._n, self._k, self._judge = n, top_k, judge
        self._chance = np.random.default_rng(seed)
        self._orders: list[Choices] = []
        self._scores: dict[int, float] = {}
        self._priors = [Prior.of_ranks(n, scale, judge.trust) for scale in SCALES]
        self._at = min(range(len(SCALES)), key=lambda i: abs(math.log(SCALES[i] / judge.scale)))
        self._fitted = False
        self._fit()

    def learn(self, orders: Iterable[Choices], scores: Mapping[int, float]) -> None:
        """Takes in answers: orders and comparisons, and scores by document."""
        self._orders += orders
        self._scores.update(scores)
        self._fit()

    @property
    def unscored(self) -> list[int]:
        """Documents without a score, those with most at stake first."""
        stake = pair_losses(self._samples, self._k).sum(axis=0)
        return [int(i) for i in np.argsort(-stake, kind="stable") if int(i) not in self._scores]

    def gain(self, orders: Sequence[Choices], scores: Iterable[int]) -> float:
        """What is expected to be won of DCG@k by answers.

        Args:
            orders: Orders and comparisons, as they are likeliest.
            scores: Documents to be scored.
        """
        wanted = {*self._scores, *scores}
        precision = np.zeros((self._n, self._n))
        for worth in self._mean + (self._samples[:: SAMPLES // DRAWS] - self._mean) / self._judge.trust:
            new = self._all({i: float(worth[i]) for i in wanted}, orders)
            known = self._all({i: float(worth[i]) for i in self._scores}, ())
            for sign, answer in [*((1, answer) for answer in new), *((-1, answer) for answer in known)]:
                told = log_likelihood(answer, worth, 0.0)[2] / DRAWS
                precision[np.ix_(answer.shown, answer.shown)] += sign * told
        members = np.flatnonzero(precision.any(axis=0))
        square = self._judge.trust**2
        covariance = square * self._best.covariance[: self._n, : self._n]
        return gain(self.relevance, covariance, members, precision[np.ix_(members, members)] / square, self._k)

    def windows(self, sizes: Sequence[int]) -> Iterator[list[int]]:
        """Documents to show together, so many at a time; each knows of those before it that they will be asked."""
        losses = pair_losses(self._samples, self._k)
        for size in sizes:
            members = window(losses, size)
            pending(losses, members)
            yield members

    @property
    def regret(self) -> float:
        """What further answers could still win, as `acquisition.regret` has it."""
        return regret(self._samples, self._k)

    @property
    def expected(self) -> Vector:
        """Expected worth of every document, in the judge's noise."""
        return self._best.mode[: self._n]

    @property
    def relevance(self) -> Vector:
        """Expected relevance of every document, in the judge's noise."""
        return self._shrunk(self.expected)

    def chances(self) -> Vector:
        """How likely every document is among the `top_k` most relevant, the judge's own error reckoned with."""
        drawn, trust = self._drawn(CHANCE_SAMPLES), self._judge.trust
        deviation = math.sqrt(trust * (1 - trust)) * SPREAD * SCALES[self._at]
        return chances(drawn + deviation * self._chance.standard_normal(drawn.shape), self._k)

    def _all(self, scores: Mapping[int, float], orders: Sequence[Choices]) -> list[Choices]:
        """Everything answered, scores being one order."""
        return [*orders, scored(scores, self._judge.sharpness)] if len(scores) > 1 else list(orders)

    def _fit(self) -> None:
        answers = self._all(self._scores, self._orders)
        found: dict[int, Posterior] = {}

        def evidence(i: int) -> float:
            if i not in found:
                start = self._best.mode * (SCALES[i] / SCALES[self._at]) if self._fitted else None
                found[i] = posterior(self._priors[i], answers, start)
            return found[i].log_evidence - math.log2(SCALES[i] / self._judge.scale) ** 2 / 2

        at = climb(evidence, len(SCALES), self._at)
        self._best, self._at, self._fitted = found[at], at, True
        self._mean = self._priors[at].mean[: self._n]
        self._samples = self._drawn(SAMPLES)

    def _drawn(self, count: int) -> Matrix:
        """Samples of what can be learnt of relevance, shape (count, n); in pairs around the mean."""
        half = self._chance.standard_normal((count // 2, self._n + 1)) @ np.linalg.cholesky(self._best.covariance).T
        return self._shrunk((self._best.mode + np.concatenate([half, -half]))[:, : self._n])

    def _shrunk(self, worth: Vector) -> Vector:
        return self._mean + self._judge.trust * (worth - self._mean)


def climb(height: Callable[[int], float], count: int, at: int) -> int:
    """The nearest place, of `count`, from which it goes up on neither side."""
    while (best := max((i for i in (at - 1, at, at + 1) if 0 <= i < count), key=lambda i: (height(i), i == at))) != at:
        at = best
    return at
