"""Relevance scores never contradict the order."""

import itertools
import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rerankllm.calibration.scale import Relevance, Scale, logistic, told_apart
from rerankllm.data import Document, Query, Ranking, float32

FALLING = st.lists(st.floats(0, 1), max_size=60).map(lambda values: sorted(values, reverse=True))


def ranking(scores):
    return Ranking.of(Query("q", "q"), [Document(str(n), "") for n in range(len(scores))], scores)


@given(FALLING)
@example([1.0] * 50)
@example([0.0] * 50)
@example([1.0, 1.0, 1 - 1e-9, 0.5, 1e-50, 0.0, 0.0])
def test_told_apart_in_single_precision_too(values):
    found = told_apart(values)
    assert all(0 <= value <= 1 for value in found)
    assert all(float32(a) > float32(b) for a, b in itertools.pairwise(found))
    assert found == pytest.approx(values, abs=1e-5)


@given(FALLING)
def test_what_is_apart_stays(values):
    apart = [value for value, _ in itertools.groupby(values, key=lambda value: round(value, 3))]
    apart = [round(value, 3) for value in apart]
    assert told_apart(apart) == tuple(apart)


KINDS = [Scale.PROBABILITY, Scale.OWN, Scale.LOGISTIC]


@given(st.lists(st.one_of(st.none(), st.floats(allow_nan=True)), min_size=1, max_size=40), st.sampled_from(KINDS))
def test_whatever_a_strategy_scores(scores, kind):
    found = Relevance.of(ranking(scores), kind)
    assert len(found.values) == len(scores)
    assert all(0 <= value <= 1 for value in found.values)
    assert all(float32(a) > float32(b) for a, b in itertools.pairwise(found.values))


def test_scales():
    assert Relevance.of(ranking([0.9, 0.4]), Scale.PROBABILITY) == Relevance((0.9, 0.4), Scale.PROBABILITY)
    assert Relevance.of(ranking([0.6, -0.1]), Scale.OWN) == Relevance((0.6, 0.0), Scale.OWN)
    assert Relevance.of(ranking([2.0, 0.0]), Scale.OWN) == Relevance((logistic(2.0), 0.5), Scale.LOGISTIC)
    assert Relevance.of(ranking([2.0, 0.0]), Scale.LOGISTIC) == Relevance((logistic(2.0), 0.5), Scale.LOGISTIC)
    for without in ([None, None], [1.0, None], [1.0, 2.0], [math.nan, 1.0], [math.inf, 1.0]):
        assert Relevance.of(ranking(without), Scale.PROBABILITY) == Relevance((1.0, 0.5), Scale.RANK)
    assert Relevance.of(ranking([]), Scale.PROBABILITY).values == ()


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_logistic(score):
    assert 0 <= logistic(score) <= 1
    assert logistic(score) + logistic(-score) == pytest.approx(1)
