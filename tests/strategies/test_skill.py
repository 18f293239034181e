"""Beliefs and what orders do to them, against the closed form and against sampling."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rerankllm.strategies.belief.skill import NOISE, Belief, chances_above, updated

BELIEFS = st.builds(Belief, st.floats(-50, 100), st.floats(0.5, 20))


def test_one_win_is_trueskills():
    """TrueSkill without draws and dynamics: 25 ± 8.333 twice becomes 29.205 and 20.795 ± 7.195."""
    winner, loser = updated([Belief(), Belief()], [[0], [1]])
    assert winner == pytest.approx((29.205, 7.195), abs=1e-3)
    assert loser == pytest.approx((20.795, 7.195), abs=1e-3)


def test_one_win_with_trueskills_usual_draws():
    """TrueSkill as it comes, draw probability .10: 29.396 and 20.604 ± 7.171."""
    winner, loser = updated([Belief(), Belief()], [[0], [1]], draw=0.1)
    assert winner == pytest.approx((29.396, 7.171), abs=1e-3)
    assert loser == pytest.approx((20.604, 7.171), abs=1e-3)


@pytest.mark.parametrize("groups", [[[0], [1], [2]], [[2], [0], [1]], [[1], [0, 2]], [[0, 1], [2]]])
def test_orders_of_three_are_close_to_the_exact_posterior(groups):
    beliefs = [Belief(25, 8), Belief(28, 4), Belief(20, 6)]
    rng = np.random.default_rng(0)
    worth = rng.normal([b.mean for b in beliefs], [b.deviation for b in beliefs], (400_000, 3))
    seen = worth + rng.normal(0, NOISE, worth.shape)
    agrees = np.ones(len(seen), bool)
    for better, worse in itertools.pairwise(groups):
        agrees &= seen[:, better].min(1) > seen[:, worse].max(1)
    for i, belief in enumerate(updated(beliefs, groups)):
        assert belief.mean == pytest.approx(worth[agrees, i].mean(), abs=0.25)
        assert belief.deviation == pytest.approx(worth[agrees, i].std(), abs=0.25)


@pytest.mark.slow
@given(st.lists(BELIEFS, min_size=2, max_size=12), st.randoms(use_true_random=False))
def test_any_order_of_any_beliefs_leaves_finite_and_surer_ones(beliefs, rng):
    order = rng.sample(range(len(beliefs)), len(beliefs))
    cut = rng.randint(1, len(order))
    after = updated(beliefs, [[i] for i in order[:cut]] + ([order[cut:]] if order[cut:] else []))
    for old, new in zip(beliefs, after, strict=True):
        assert np.isfinite(new.mean)
        assert 0 < new.deviation <= old.deviation * (1 + 1e-9)


def test_those_not_in_an_order_and_those_only_tied_keep_their_beliefs():
    beliefs = [Belief(30, 5), Belief(20, 5), Belief(10, 5)]
    assert updated(beliefs, [[0], [2]])[1] == beliefs[1]
    assert updated(beliefs, [[0, 1, 2]]) == [pytest.approx(b) for b in beliefs]


@given(st.lists(BELIEFS, min_size=1, max_size=30), st.integers(1, 29))
def test_as_many_are_expected_above_the_threshold_as_are_wanted(beliefs, k):
    chances = chances_above(beliefs, k)
    assert sum(chances) == pytest.approx(min(k, len(beliefs)), abs=1e-2)
    assert all(0 <= chance <= 1 for chance in chances)
