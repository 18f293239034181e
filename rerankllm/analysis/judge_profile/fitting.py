"""Fits a judge's trust, scale and sharpness to its answers."""

import functools
from collections.abc import Callable, Mapping, Sequence
from itertools import product
from typing import TypeAlias

import numpy as np

from rerankllm.analysis.judge_profile.answers import Answers, JudgeAnswers
from rerankllm.analysis.judge_profile.shrinkage import Grades, Regression
from rerankllm.calibration.judge_profile import Fitted, JudgeProfile
from rerankllm.errors import InputError
from rerankllm.strategies.belief.plackett_luce import Vector
from rerankllm.strategies.belief.posterior import Prior, posterior

SCALE_GRID = tuple(2 ** (i / 2) for i in range(-4, 9))
"""Half an octave apart, from the least to the largest scale of `rerankllm.strategies.belief.relevance_model`."""
TRUST_GRID = tuple(i / 20 for i in range(1, 21))
SHARPNESS_GRID = tuple(2 ** (i / 2) for i in range(-6, 7))
MIDDLING_TRUST = 0.7
RESAMPLES = 200
FEWEST = 5
"""Queries, below which there are no intervals."""
PASSES = 2
"""Between trust and the rest, each of which hardly depends on the other."""

Point: TypeAlias = tuple[int, ...]
Axes: TypeAlias = tuple[Sequence[float], Sequence[float], Sequence[float]]
"""Values of scale, trust and sharpness to choose from."""


def fit_profile(
    answers: Answers, qrels: Grades | None = None, *, source: Mapping[str, str] | None = None, seed: int = 0
) -> JudgeProfile:
    """Fits a judge's profile.

    Scale, sharpness where there are scores beside orders, and trust where there are no grades are those under which
    the answers are likeliest, all queries together: Laplace's approximation of each query's evidence, summed. The
    bootstrap draws queries.

    Evidence knows trust only by how steeply worth falls with the first-stage rank. Relevance falls by RISE of its own
    deviation a unit of the logarithm; an error of the judge's own widens the deviation and leaves the trend. That is
    right where the first stage is as good as BM25 on the collections that RISE is from, and wrong elsewhere. With
    grades trust is measured (`rerankllm.analysis.judge_profile.shrinkage`).

    Args:
        answers: The judge's.
        qrels: Grades by query and document.
        source: Names of files, for the profile.
        seed: Of the bootstrap.

    Raises:
        InputError: There are scores only, or no grades for any query.
    """
    heard = answers.heard
    if not any(each.orders for each in heard):
        raise InputError("scores alone do not tell noise from worth: a profile needs orders, selections or comparisons")
    both = any(len(each.scores) > 1 for each in heard)
    sharpnesses = SHARPNESS_GRID if both else (1.0,)
    chance = np.random.default_rng(seed)
    count = len(heard)
    draws = [chance.multinomial(count, np.full(count, 1 / count)) for _ in range(RESAMPLES if count >= FEWEST else 0)]
    weights = [np.ones(count), *(draw.astype(np.float64) for draw in draws)]
    if qrels is None:
        scale, trust, sharpness = _likeliest(heard, (SCALE_GRID, TRUST_GRID, sharpnesses), weights)
    else:
        trust = [MIDDLING_TRUST]
        for part in (*[weights[:1]] * PASSES, weights):
            scale, _, sharpness = _likeliest(heard, (SCALE_GRID, trust[:1], sharpnesses), weights[:1])
            regression = Regression(heard, qrels, scale[0], trust[0], sharpness[0])
            trust = [regression.trust(weight) for weight in part]
        scale, _, sharpness = _likeliest(heard, (SCALE_GRID, trust[:1], sharpnesses), weights)
    modes = [
        posterior(Prior.of_ranks(len(h.doc_ids), scale[0], trust[0]), h.evidence(sharpness[0])).mode for h in heard
    ]
    biases = np.array([mode[-1] for mode in modes])
    return JudgeProfile(
        answers.models,
        _interval(trust),
        _interval(scale),
        _interval(sharpness) if both else None,
        _interval([float(weight @ biases / weight.sum()) for weight in weights]),
        "evidence" if qrels is None else "qrels",
        count,
        answers.kinds,
        answers.ignored,
        source or {},
        seed,
    )


def _likeliest(heard: Sequence[JudgeAnswers], axes: Axes, weights: Sequence[Vector]) -> list[list[float]]:
    """Scale, trust and sharpness with the largest evidence, for each weighting of the queries."""
    modes: list[Vector | None] = [None] * len(heard)
    """Of the point looked at last, in units of its scale: Newton's method starts there."""

    @functools.cache
    def evidence(point: Point) -> Vector:
        scale, trust, sharpness = (axis[i] for axis, i in zip(axes, point, strict=True))
        values = np.empty(len(heard))
        for q, (each, mode) in enumerate(zip(heard, modes, strict=True)):
            prior = Prior.of_ranks(len(each.doc_ids), scale, trust)
            best = posterior(prior, each.evidence(sharpness), None if mode is None else mode * scale)
            values[q], modes[q] = best.log_evidence, best.mode / scale
        return values

    found: list[list[float]] = [[], [], []]
    at: Point = tuple(len(axis) // 2 for axis in axes)
    for weight in weights:

        def height(point: Point, weight: Vector = weight) -> float:
            return float(weight @ evidence(point))

        top = uphill(height, [len(axis) for axis in axes], at)
        at = top if not found[0] else at
        for i, axis in enumerate(axes):
            found[i].append(_between(axis, top, i, height))
    return found


def uphill(height: Callable[[Point], float], shape: Sequence[int], at: Point) -> Point:
    """Climbs to a local maximum of a grid: steps along the axes first, then to any neighbour."""
    while True:
        along = [(*at[:i], j, *at[i + 1 :]) for i, size in enumerate(shape) for j in _near(at[i], size)]
        best = max(along, key=lambda point: (height(point), point == at))
        if best == at:
            around = product(*(_near(j, size) for j, size in zip(at, shape, strict=True)))
            best = max(around, key=lambda point: (height(point), point == at))
        if best == at:
            return at
        at = best


def _near(at: int, size: int) -> range:
    return range(max(0, at - 1), min(size, at + 2))


def _between(axis: Sequence[float], top: Point, i: int, height: Callable[[Point], float]) -> float:
    """Where the parabola through the best point and those beside it is highest."""
    if not 0 < top[i] < len(axis) - 1:
        return float(axis[top[i]])
    low, middle, high = (height((*top[:i], top[i] + step, *top[i + 1 :])) for step in (-1, 0, 1))
    bend = 2 * middle - low - high
    off = (high - low) / (2 * bend) if bend > 0 else 0.0
    beside = axis[top[i] + (1 if off > 0 else -1)]
    return float(axis[top[i]] * (beside / axis[top[i]]) ** abs(off))


def _interval(found: Sequence[float]) -> Fitted:
    """The fit on all queries, which comes first, with the 95 % interval of the others."""
    value, *others = (float(f"{value:.3g}") for value in found)
    if not others:
        return Fitted(value)
    low, high = np.percentile(others, [2.5, 97.5])
    return Fitted(value, float(f"{low:.3g}"), float(f"{high:.3g}"))
