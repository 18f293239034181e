"""What answers say of worth: the Plackett–Luce likelihood, the mode, its curvature, and what is at stake."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rerankllm.judgements import WeakOrder
from rerankllm.strategies.belief.acquisition import PENDING, chances, discounts, pair_losses, pending, regret, window
from rerankllm.strategies.belief.plackett_luce import choices, log_likelihood
from rerankllm.strategies.belief.posterior import Prior, log_posterior, posterior

IDS = "abcdefgh"


def strict(order, m, named=None):
    """An answer that names the first `named` of an order of places."""
    named = m if named is None else named
    return WeakOrder(tuple((IDS[i],) for i in order[:named]), tuple(IDS[i] for i in range(m) if i in order[named:]))


def probability(answer, worth, bias=0.0):
    return np.exp(log_likelihood(answer, np.asarray(worth, dtype=float), bias)[0])


@pytest.mark.parametrize("m", [1, 2, 3, 4])
def test_orders_have_plackett_and_luces_probabilities_and_a_prefix_those_of_all_that_begin_with_it(m):
    rng = np.random.default_rng(m)
    worth, bias = rng.normal(size=6), 0.7
    shown = list(rng.permutation(6)[:m])
    u = worth[shown] - bias * (np.arange(m) / max(m - 1, 1) - 0.5)
    by_hand = {
        order: np.prod([np.exp(u[order[i]]) / np.exp(u[list(order[i:])]).sum() for i in range(m)])
        for order in permutations(range(m))
    }
    assert sum(by_hand.values()) == pytest.approx(1)
    for order, expected in by_hand.items():
        assert probability(choices(shown, IDS[:m], strict(order, m)), worth, bias) == pytest.approx(expected)
        for named in range(m + 1):
            found = probability(choices(shown, IDS[:m], strict(order, m, named)), worth, bias)
            assert found == pytest.approx(sum(p for o, p in by_hand.items() if o[:named] == order[:named]))


def test_a_tie_says_nothing_about_those_in_it():
    worth = [1.0, 0.0, -1.0]
    tied = choices([0, 1, 2], "abc", WeakOrder((("a", "b"), ("c",))))
    each = [np.exp(w) / (np.exp(w) + np.exp(-1)) for w in worth[:2]]
    assert probability(tied, worth) == pytest.approx(each[0] * each[1])
    for nothing in (WeakOrder((("a", "b", "c"),)), WeakOrder((), ("a", "b", "c"))):
        assert log_likelihood(choices([0, 1, 2], "abc", nothing), np.array(worth), 0.3)[0] == 0


def some_answers(rng, n, count=4):
    found = []
    for _ in range(count):
        m = int(rng.integers(2, min(n, 8) + 1))
        shown, order = list(rng.permutation(n)[:m]), list(rng.permutation(m))
        cut, named = sorted(rng.integers(0, m + 1, size=2))
        groups = [tuple(IDS[i] for i in order[:cut])] if cut else []
        groups += [(IDS[i],) for i in order[cut:named]]
        found.append(choices(shown, IDS[:m], WeakOrder(tuple(groups), tuple(IDS[i] for i in order[named:]))))
    return found


@given(seed=st.integers(0, 10_000), n=st.integers(2, 12), scale=st.sampled_from([0.25, 1.0, 2.0]))
@settings(max_examples=40)
def test_gradient_and_curvature_are_those_of_finite_differences(seed, n, scale):
    rng = np.random.default_rng(seed)
    prior, answers = Prior.of_ranks(n, scale), some_answers(rng, n)
    at = rng.normal(size=n + 1)
    _, gradient, curvature = log_posterior(prior, answers, at)
    step = 1e-5
    for i, unit in enumerate(np.eye(n + 1) * step):
        above, below = (log_posterior(prior, answers, at + sign * unit) for sign in (1, -1))
        assert gradient[i] == pytest.approx((above[0] - below[0]) / (2 * step), abs=1e-5)
        np.testing.assert_allclose(curvature[i], -(above[1] - below[1]) / (2 * step), atol=1e-5)


@pytest.mark.slow
@given(seed=st.integers(0, 10_000), n=st.integers(2, 40), scale=st.sampled_from([0.25, 1.0, 2.0]))
@settings(max_examples=40)
def test_the_mode_is_one_and_answers_only_narrow_the_belief(seed, n, scale):
    rng = np.random.default_rng(seed)
    prior, answers = Prior.of_ranks(n, scale), some_answers(rng, n, 8)
    found = posterior(prior, answers)
    np.testing.assert_allclose(log_posterior(prior, answers, found.mode)[1], 0, atol=1e-3)
    elsewhere = posterior(prior, answers, rng.normal(0, 5, size=n + 1))
    np.testing.assert_allclose(elsewhere.mode, found.mode, atol=1e-3)
    np.testing.assert_allclose(found.covariance, found.covariance.T, atol=1e-9)
    assert np.linalg.eigvalsh(found.covariance).min() > 0
    assert np.linalg.eigvalsh(np.linalg.inv(prior.precision) - found.covariance).min() > -1e-9


@given(seed=st.integers(0, 10_000), n=st.integers(9, 60), scale=st.sampled_from([0.25, 1.0, 2.0]))
@settings(max_examples=40)
def test_documents_that_no_answer_shows_are_left_out_of_the_work_and_nothing_changes(seed, n, scale):
    """Beside the inverse of the whole curvature, and the evidence that goes with it."""
    rng = np.random.default_rng(seed)
    prior, answers = Prior.of_ranks(n, scale), some_answers(rng, n, 2)
    found = posterior(prior, answers)
    value, _, curvature = log_posterior(prior, answers, found.mode)
    np.testing.assert_allclose(found.covariance, np.linalg.inv(curvature), atol=1e-8)
    volume = np.linalg.slogdet(prior.precision)[1] - np.linalg.slogdet(curvature)[1]
    assert found.log_evidence == pytest.approx(value + volume / 2, abs=1e-8)


def test_without_answers_the_belief_is_the_prior_and_the_evidence_certain():
    prior = Prior.of_ranks(5)
    found = posterior(prior, [])
    assert np.array_equal(found.mode, prior.mean)
    assert found.log_evidence == pytest.approx(0)
    assert list(prior.mean[:-1]) == sorted(prior.mean[:-1], reverse=True)


@pytest.mark.slow
def test_evidence_is_that_of_numerical_integration():
    """One comparison of two documents: P(first wins) by Monte Carlo, over the prior."""
    prior = Prior.of_ranks(2)
    answer = choices([0, 1], "ab", WeakOrder((("b",), ("a",))))
    drawn = np.random.default_rng(0).multivariate_normal(prior.mean, np.linalg.inv(prior.precision), 20_000)
    exact = np.mean([probability(answer, row[:2], row[2]) for row in drawn])
    assert posterior(prior, [answer]).log_evidence == pytest.approx(np.log(exact), abs=0.15)


def test_the_evidence_tells_a_judge_that_contradicts_itself_from_one_that_does_not():
    rng = np.random.default_rng(3)
    by_scale = {}
    for noise in (0.2, 20.0):
        worth = 3 * rng.normal(size=8)
        answers = []
        for _ in range(20):
            seen = worth + noise * rng.gumbel(size=8)
            answers.append(choices(range(8), IDS, strict(list(np.argsort(-seen)), 8)))
        evidence = {scale: posterior(Prior.of_ranks(8, scale), answers).log_evidence for scale in (0.25, 2.0)}
        by_scale[noise] = max(evidence, key=evidence.__getitem__)
    assert by_scale == {0.2: 2.0, 20.0: 0.25}


def test_the_position_bias_is_learnt():
    rng = np.random.default_rng(5)
    answers = []
    for _ in range(60):
        shown = list(rng.permutation(8))
        seen = rng.gumbel(size=8) - 3 * (np.arange(8) / 7 - 0.5)
        answers.append(choices(shown, IDS, strict(list(np.argsort(-seen)), 8)))
    found = posterior(Prior.of_ranks(8), answers)
    assert found.mode[-1] == pytest.approx(3, abs=3 * found.covariance[-1, -1] ** 0.5 + 0.1)


def test_what_is_at_stake():
    assert discounts(4, 2) == pytest.approx([1, 1 / np.log2(3), 0, 0])
    samples = np.array([[3.0, 2.0, 1.0], [3.0, 2.0, 5.0]])  # means 3, 2, 3
    losses = pair_losses(samples, 1)
    assert losses[0, 2] == pytest.approx((5 - 3) / 2)
    assert losses[0, 1] == losses[1, 2] == 0
    assert np.array_equal(losses, losses.T)
    assert window(losses, 2) == [0, 2]
    pending(losses, [0, 2])
    assert losses[0, 2] == PENDING
    assert window(np.zeros((4, 4)), 3) == [0, 1, 2]
    # ideal first places 3 and 5, 3 and 3 reached, chance level 8/3
    assert regret(samples, 1) == pytest.approx(1 / (4 - 16 / 6))
    assert regret(np.array([[3.0, 2.0]] * 2), 1) == 0
    assert list(chances(samples, 1)) == [0.5, 0, 0.5]
    assert list(chances(samples, 3)) == [1, 1, 1]
