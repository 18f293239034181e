"""What answers say of the worth of documents: a Gaussian prior, Newton's method, and Laplace's approximation."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from rerankllm.strategies.belief.plackett_luce import Choices, Matrix, Vector, log_likelihood

SPREAD = 3.0
"""Standard deviation of worth among documents of one first-stage rank, in units of the judge's noise.

On NovelEval and on BM25's run of DL19 grades lie .75 and .73 around their trend; with an error of the judge's own and
noise of .4 grades each, whose Gumbel unit is .4·√6/π, that makes 2.7. `belief.relevance_model` corrects it."""
RISE = 0.41
"""How fast relevance falls with the logarithm of the first-stage rank, in its own deviation around that trend.

It is .43 on NovelEval and .40 on BM25's run of DL19. A judge's own error widens the deviation and leaves the trend, so
that worth falls by √trust of it. Half of it is left open, for queries differ."""
BIAS_DEVIATION = 1.5
"""Of the preference for the first place over the last, in the judge's noise or a judge's middling differences of worth,
whichever is larger: either place may look better."""
_STEPS, _HALVINGS, _CLOSE = 200, 30, 1e-8


@dataclass(frozen=True)
class Prior:
    """What is believed before any answer: normal. Places 0 to n − 1 are the documents', n is the position bias.

    The unit is the judge's noise, a Gumbel variable of scale 1, as it is in Plackett and Luce's model.

    Attributes:
        mean: Shape (n + 1,).
        covariance: Shape (n + 1, n + 1).
    """

    mean: Vector
    covariance: Matrix

    @cached_property
    def precision(self) -> Matrix:
        """Its inverse."""
        return _inverse(self.covariance)

    def of(self, places: NDArray[np.intp]) -> Self:
        """What is believed of some of them."""
        return type(self)(self.mean[places], self.covariance[np.ix_(places, places)])

    @classmethod
    def of_ranks(cls, n: int, scale: float = 1.0, trust: float = 1.0) -> Self:
        """Worth that falls with the logarithm of the first-stage rank, at a rate that is not quite known.

        Args:
            n: Documents, in the first stage's order.
            scale: How large differences of worth are, compared with those expected of a middling judge.
            trust: Relevance's share in worth.
        """
        x = np.log(np.arange(1, n + 1))
        x = x.mean() - x
        slope = RISE * math.sqrt(trust) * SPREAD
        covariance = np.zeros((n + 1, n + 1))
        covariance[:n, :n] = scale**2 * (SPREAD**2 * np.eye(n) + (slope / 2) ** 2 * np.outer(x, x))
        covariance[n, n] = (BIAS_DEVIATION * max(1.0, scale)) ** 2
        return cls(np.append(scale * slope * x, 0.0), covariance)


class Posterior(NamedTuple):
    """What is believed after the answers, as a normal distribution.

    Attributes:
        mode: The most likely values, shape (n + 1,).
        covariance: Inverse of minus the Hessian there, shape (n + 1, n + 1).
        log_evidence: Probability of the answers under the prior, its logarithm.
    """

    mode: Vector
    covariance: Matrix
    log_evidence: float


def posterior(prior: Prior, answers: Sequence[Choices], start: Vector | None = None) -> Posterior:
    """Laplace's approximation (MacKay 2003, chapter 27): a normal distribution with the mode's curvature.

    Documents that no answer shows are as the prior has them, given those that are shown: for them nothing has to be
    looked for, which is exact, and spares most of the work where few of many were shown.

    Args:
        prior: Before the answers.
        answers: What was chosen over what.
        start: Where to begin; at the prior's mean when None.
    """
    n = len(prior.mean) - 1
    places = np.unique(np.concatenate([*(answer.shown for answer in answers), [n]]).astype(np.intp))
    if len(places) == n + 1:
        return _approximated(prior, answers, start)
    inside = [answer._replace(shown=np.searchsorted(places, answer.shown)) for answer in answers]
    before = prior.of(places)
    found = _approximated(before, inside, None if start is None else start[places])
    follows = prior.covariance[:, places] @ before.precision
    covariance = prior.covariance - follows @ (before.covariance - found.covariance) @ follows.T
    covariance[np.ix_(places, places)] = found.covariance
    return Posterior(prior.mean + follows @ (found.mode - before.mean), covariance, found.log_evidence)


def _approximated(prior: Prior, answers: Sequence[Choices], start: Vector | None) -> Posterior:
    """The same for documents all of which are shown.

    The logarithm is concave, so there is one mode; Newton's steps, halved until they do not harm, find it.
    """
    at = prior.mean if start is None else start
    value, gradient, curvature = log_posterior(prior, answers, at)
    for _ in range(_STEPS):
        step = np.linalg.solve(curvature, gradient)
        if gradient @ step < _CLOSE:
            break
        for _ in range(_HALVINGS):
            found = log_posterior(prior, answers, at + step)
            if found[0] >= value:
                break
            step = step / 2
        at = at + step
        value, gradient, curvature = found
    volume = np.linalg.slogdet(prior.precision)[1] - np.linalg.slogdet(curvature)[1]
    return Posterior(at, _inverse(curvature), value + float(volume) / 2)


def log_posterior(prior: Prior, answers: Sequence[Choices], at: Vector) -> tuple[float, Vector, Matrix]:
    """Its logarithm up to a constant, the gradient, and minus the Hessian, which is positive definite."""
    off = at - prior.mean
    pull = prior.precision @ off
    value, gradient, curvature = -float(off @ pull) / 2, -pull, prior.precision.copy()
    for answer in answers:
        more, slope, bend = log_likelihood(answer, at[:-1], at[-1])
        along = bend @ answer.place
        value += more
        gradient[answer.shown] += slope
        gradient[-1] -= slope @ answer.place
        curvature[np.ix_(answer.shown, answer.shown)] += bend
        curvature[answer.shown, -1] -= along
        curvature[-1, answer.shown] -= along
        curvature[-1, -1] += along @ answer.place
    return value, gradient, curvature


def _inverse(matrix: Matrix) -> Matrix:
    return np.asarray(np.linalg.inv(matrix), dtype=np.float64)
