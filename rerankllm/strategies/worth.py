"""What is known of the relevance of one query's documents: the first stage and a fallible judge, weighed."""

import math
from collections.abc import Iterator, Sequence

import numpy as np

from rerankllm.judgements import WeakOrder
from rerankllm.strategies.acquisition import chances, pair_losses, pending, regret, window
from rerankllm.strategies.plackett_luce import Choices, Matrix, Vector, choices
from rerankllm.strategies.posterior import SPREAD, Posterior, Prior, posterior

SCALES = (0.25, 0.5, 1.0, 2.0)
"""From a judge that is mostly noise to one that hardly ever contradicts itself."""
SAMPLES, CHANCE_SAMPLES = 256, 2000


class Worth:
    """Learns from answers, and says what to ask next.

    A judge sees worth v, which is relevance plus an error of its own that no number of its answers takes away. Of the
    variance of v around its prior mean μ, relevance has the share `trust`, so that given v relevance is normal with
    mean μ + trust·(v − μ) and variance trust·(1 − trust)·spread². Both the order and what is at stake are of that.

    How large worth is, measured in the judge's noise, differs from judge to judge and query to query. Of `SCALES` the
    one holds whose evidence, by Laplace's approximation, is largest, with a log-normal prior of one doubling.

    Args:
        n: Documents, in the first stage's order.
        top_k: How many first places matter.
        trust: Relevance's share in worth.
        seed: Of the samples.
    """

    def __init__(self, n: int, top_k: int, trust: float, seed: int) -> None:
        self._n, self._k, self._trust = n, top_k, trust
        self._chance = np.random.default_rng(seed)
        self._answers: list[Choices] = []
        self._priors = [Prior.of_ranks(n, scale) for scale in SCALES]
        self._fit([posterior(prior, []) for prior in self._priors])

    def learn(self, answers: Sequence[tuple[Sequence[int], Sequence[str], WeakOrder]]) -> None:
        """Takes in answers: documents in the order shown, their ids, and the order given."""
        self._answers += [choices(*answer) for answer in answers]
        starts = [found.mode for found in self._found]
        self._fit([posterior(p, self._answers, at) for p, at in zip(self._priors, starts, strict=True)])

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
    def relevance(self) -> Vector:
        """Expected relevance of every document, in the judge's noise."""
        return self._shrunk(self._best.mode[: self._n])

    def chances(self) -> Vector:
        """How likely every document is among the `top_k` most relevant, the judge's own error reckoned with."""
        drawn = self._drawn(CHANCE_SAMPLES)
        deviation = math.sqrt(self._trust * (1 - self._trust)) * SPREAD * self._scale
        return chances(drawn + deviation * self._chance.standard_normal(drawn.shape), self._k)

    def _fit(self, found: list[Posterior]) -> None:
        self._found = found
        at = max(range(len(SCALES)), key=lambda i: found[i].log_evidence - math.log2(SCALES[i]) ** 2 / 2)
        self._scale, self._best, self._mean = SCALES[at], found[at], self._priors[at].mean[: self._n]
        self._samples = self._drawn(SAMPLES)

    def _drawn(self, count: int) -> Matrix:
        """Samples of what can be learnt of relevance, shape (count, n); in pairs around the mean."""
        half = self._chance.standard_normal((count // 2, self._n + 1)) @ np.linalg.cholesky(self._best.covariance).T
        return self._shrunk((self._best.mode + np.concatenate([half, -half]))[:, : self._n])

    def _shrunk(self, worth: Vector) -> Vector:
        return self._mean + self._trust * (worth - self._mean)
