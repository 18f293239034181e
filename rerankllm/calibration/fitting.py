"""From scores to probabilities: maps fitted on scores whose relevance is known."""

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, TypeAlias

from rerankllm.errors import InputError, MissingExtra

Method: TypeAlias = Literal["logistic", "isotonic"]
STEPS = 100


@dataclass(frozen=True, slots=True)
class Logistic:
    """σ(slope·score + intercept): two numbers, so that a hundred results are enough to fit it.

    Attributes:
        slope: Above 0.
        intercept: The log-odds at score 0.
    """

    method: ClassVar[Method] = "logistic"
    slope: float
    intercept: float

    def __call__(self, score: float) -> float:
        """How likely a result with this score is relevant."""
        odds = self.slope * score + self.intercept
        return 1 / (1 + math.exp(-odds)) if odds >= 0 else math.exp(odds) / (1 + math.exp(odds))


@dataclass(frozen=True, slots=True)
class Isotonic:
    """Any rising curve: linear between knots, level beyond them. Needs a thousand results or more.

    Attributes:
        scores: Of the knots, rising.
        probabilities: At the knots, never falling.
    """

    method: ClassVar[Method] = "isotonic"
    scores: tuple[float, ...]
    probabilities: tuple[float, ...]

    def __call__(self, score: float) -> float:
        """How likely a result with this score is relevant."""
        right = bisect_right(self.scores, score)
        if right in {0, len(self.scores)}:
            return self.probabilities[max(0, right - 1)]
        low, high = self.scores[right - 1], self.scores[right]
        share = (score - low) / (high - low)
        below, above = self.probabilities[right - 1 : right + 1]
        return min(above, below + share * (above - below))


Curve: TypeAlias = Logistic | Isotonic


def fit(scores: Sequence[float], relevant: Sequence[bool], method: Method) -> Curve:
    """The curve that fits scores and whether the results were relevant.

    Raises:
        InputError: There is nothing to fit: no relevant result or no other, or higher scores are not more relevant.
        MissingExtra: Isotonic regression needs SciPy.
    """
    if not any(relevant) or all(relevant):
        which = "none" if not any(relevant) else "every one"
        raise InputError(
            f"of {len(scores)} scored results {which} is relevant: a calibration needs some of both; look at the "
            "relevance level, and whether the ids of run and qrels are the same"
        )
    return fit_logistic(scores, relevant) if method == "logistic" else fit_isotonic(scores, relevant)


def fit_logistic(scores: Sequence[float], relevant: Sequence[bool]) -> Logistic:
    """Platt scaling (Platt 1999), with his targets, which leave room for what was not seen; by Newton's method.

    Raises:
        InputError: Higher scores are not more relevant.
    """
    import numpy as np  # noqa: PLC0415

    x, y = np.asarray(scores, dtype=float), np.asarray(relevant, dtype=bool)
    centre, scale = float(x.mean()), float(x.std()) or 1.0
    design = np.stack([(x - centre) / scale, np.ones_like(x)], axis=1)
    positive, negative = int(y.sum()), int((~y).sum())
    targets = np.where(y, (positive + 1) / (positive + 2), 1 / (negative + 2))

    def loss(weights: "np.ndarray[tuple[int, ...], np.dtype[np.float64]]") -> float:
        odds = design @ weights
        return float((np.logaddexp(0, odds) - targets * odds).sum())

    weights = np.array([0.0, math.log((positive + 1) / (negative + 1))])
    for _ in range(STEPS):
        chances = 1 / (1 + np.exp(-design @ weights))
        gradient = design.T @ (chances - targets)
        curvature = (design * (chances * (1 - chances))[:, None]).T @ design + 1e-9 * np.eye(2)
        step = np.linalg.solve(curvature, gradient)
        size = 1.0
        while size > 1e-6 and loss(weights - size * step) > loss(weights):  # noqa: PLR2004
            size /= 2
        weights = weights - size * step
        if float(np.abs(size * step).max()) < 1e-9:  # noqa: PLR2004
            break
    slope = float(weights[0]) / scale
    if slope <= 0:
        raise InputError("higher scores are not more relevant in these results: there is nothing to calibrate")
    return Logistic(slope, float(weights[1]) - slope * centre)


def fit_isotonic(scores: Sequence[float], relevant: Sequence[bool]) -> Isotonic:
    """Isotonic regression (Zadrozny and Elkan 2002), by SciPy's pool-adjacent-violators.

    Raises:
        MissingExtra: SciPy is not installed.
    """
    import numpy as np  # noqa: PLC0415

    try:
        from scipy.optimize import isotonic_regression  # noqa: PLC0415
    except ImportError:
        raise MissingExtra("isotonic regression needs SciPy: pip install 'rerankllm[stats]'") from None
    levels, inverse, counts = np.unique(np.asarray(scores, dtype=float), return_inverse=True, return_counts=True)
    shares = np.bincount(inverse, weights=np.asarray(relevant, dtype=float)) / counts
    fitted = isotonic_regression(shares, weights=counts).x
    inner = np.flatnonzero(np.diff(fitted) != 0)  # blocks end here and begin one further
    knots = np.unique(np.concatenate([[0], inner, inner + 1, [len(levels) - 1]]))
    return Isotonic(tuple(map(float, levels[knots])), tuple(map(float, np.clip(fitted[knots], 0, 1))))
