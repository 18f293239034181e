"""Tests of differences: against scipy and statsmodels, and what must hold for any differences."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rerankllm.errors import InputError
from rerankllm.evaluation.effect_size import average_d, paired_d, wins_ties_losses
from rerankllm.evaluation.equivalence import equivalence
from rerankllm.evaluation.multiplicity import bonferroni, holm
from rerankllm.evaluation.power import detectable
from rerankllm.evaluation.significance import paired_t, randomization
from rerankllm.evaluation.standard_error import Spread

stats = pytest.importorskip("scipy.stats", reason="needs the extra `dev`")
multitest, power, weightstats = (
    pytest.importorskip(f"statsmodels.stats.{name}", reason="needs the extra `dev`")
    for name in ("multitest", "power", "weightstats")
)

VALUES = st.lists(st.integers(-100, 100).map(lambda i: i / 100), min_size=2, max_size=30).map(np.array)
CHANCES = st.lists(st.floats(0, 1), min_size=1, max_size=12)


def differences(seed, n, shift=0.0):
    """What nDCG@10 differs by: many queries not at all."""
    rng = np.random.default_rng(seed)
    return np.where(rng.random(n) < 0.2, 0.0, np.clip(rng.normal(shift, 0.15, n), -1, 1))


@pytest.mark.parametrize("n, shift", [(5, 0.0), (43, 0.03), (200, -0.02)])
def test_the_t_test_is_scipys(n, shift):
    gaps = differences(n, n, shift)
    mine, theirs = paired_t(gaps), stats.ttest_rel(gaps, np.zeros(n))
    assert (mine.t, mine.p, mine.freedom) == pytest.approx((theirs.statistic, theirs.pvalue, n - 1), abs=1e-12)
    assert Spread.of(gaps).interval() == pytest.approx(tuple(theirs.confidence_interval()), abs=1e-12)


def test_few_queries_are_counted_exactly():
    gaps = np.array([0.3, -0.1, 0.2, 0.0, 0.25, 0.0, 0.4])
    signs = itertools.product((1, -1), repeat=7)
    extreme = [abs(np.dot(each, gaps)) >= abs(gaps.sum()) - 1e-12 for each in signs]
    assert randomization(gaps) == sum(extreme) / 2**7
    theirs = stats.permutation_test((gaps, 0 * gaps), lambda a, b, axis: (a - b).mean(axis),
                                    permutation_type="samples", vectorized=True, n_resamples=np.inf)  # fmt: skip
    assert randomization(gaps) == theirs.pvalue


@pytest.mark.parametrize("shift", [0.0, 0.03, 0.06])
def test_many_queries_come_to_what_scipy_draws(shift):
    gaps = differences(1, 43, shift)
    theirs = stats.permutation_test((gaps, 0 * gaps), lambda a, b, axis: (a - b).mean(axis), rng=2,
                                    permutation_type="samples", vectorized=True, n_resamples=20_000)  # fmt: skip
    error = 4 * math.sqrt(2 * theirs.pvalue * (1 - theirs.pvalue) / 20_000) + 1e-3
    assert randomization(gaps) == pytest.approx(theirs.pvalue, abs=error)


def test_too_few_flips_are_refused():
    with pytest.raises(InputError, match="at least 10000"):
        randomization(differences(0, 43), resamples=9_999)


@pytest.mark.slow
@given(VALUES, st.randoms(use_true_random=False))
def test_the_order_of_queries_and_of_systems_does_not_matter(gaps, random):
    shuffled = np.array(random.sample(list(gaps), len(gaps)))
    p = randomization(gaps, resamples=10_000)
    assert randomization(shuffled, resamples=10_000) == p == randomization(-gaps, resamples=10_000)
    assert paired_t(shuffled).p == pytest.approx(paired_t(gaps).p, abs=1e-9)
    assert 0 < p <= 1


@pytest.mark.slow
@pytest.mark.parametrize(
    "test",
    [lambda gaps: randomization(gaps, resamples=10_000), lambda gaps: paired_t(gaps).p],
    ids=["randomization", "t"],
)
@pytest.mark.parametrize("n", [12, 43])
def test_p_is_uniform_where_nothing_differs(test, n):
    """400 sets of queries with symmetric differences: every level is passed as often as it says."""
    rng = np.random.default_rng(n)
    p = [test(rng.normal(0, 0.15, n)) for _ in range(400)]
    for level in (0.05, 0.2, 0.5, 0.8):
        assert np.mean(np.array(p) <= level) == pytest.approx(level, abs=4 * math.sqrt(level * (1 - level) / len(p)))


@pytest.mark.parametrize("gaps, t, p", [([0.0, 0.0], 0.0, 1.0), ([0.5, 0.5], math.inf, 0.0), ([-1, -1], -math.inf, 0)])
def test_differences_that_do_not_vary(gaps, t, p):
    found = paired_t(np.array(gaps, dtype=float))
    assert (found.t, found.p) == (t, p)


def test_one_query_says_nothing():
    gap = np.array([0.4])
    assert randomization(gap) == 1.0
    assert all(map(math.isnan, (paired_t(gap).p, paired_d(gap), detectable(gap), equivalence(gap, 0.1).p)))


class TestSeveralTests:
    @settings(max_examples=30)
    @given(CHANCES)
    def test_against_statsmodels(self, chances):
        for mine, method in ((holm, "holm"), (bonferroni, "bonferroni")):
            theirs = multitest.multipletests(chances, method=method)[1]
            assert mine(chances) == pytest.approx(list(theirs), abs=1e-12)

    @given(CHANCES)
    def test_holm_is_monotone_and_between_p_and_bonferroni(self, chances):
        adjusted = holm(chances)
        for i, j in itertools.permutations(range(len(chances)), 2):
            assert chances[i] > chances[j] or adjusted[i] <= adjusted[j]
        assert all(p <= a <= b for p, a, b in zip(chances, adjusted, bonferroni(chances), strict=True))

    def test_what_is_unknown_rejects_nothing_and_counts(self):
        assert holm([math.nan, 0.01]) == bonferroni([math.nan, 0.01]) == [1.0, 0.02]
        assert holm([]) == bonferroni([]) == []


class TestEquivalence:
    @pytest.mark.parametrize("margin", [0.01, 0.05, 0.2])
    def test_against_statsmodels(self, margin):
        gaps = differences(3, 43, 0.01)
        theirs = weightstats.ttost_paired(gaps, np.zeros(43), -margin, margin)[0]
        assert equivalence(gaps, margin).p == pytest.approx(theirs, abs=1e-12)

    @given(VALUES, st.sampled_from([0.03, 0.1, 0.4]))
    def test_p_is_small_exactly_where_the_interval_is_within(self, gaps, margin):
        found = equivalence(gaps, margin)
        assert (found.p < 0.05) == (-margin < found.low and found.high < margin)

    def test_a_large_p_is_no_equivalence(self):
        """Few queries that vary much: no difference is found, and nothing is shown to be the same."""
        gaps = differences(4, 10)
        assert paired_t(gaps).p > 0.3
        assert equivalence(gaps, 0.01).p > 0.3

    @pytest.mark.parametrize("margin", [0, -0.1, math.nan])
    def test_a_margin_is_above_0(self, margin):
        with pytest.raises(InputError, match="above 0"):
            equivalence(differences(0, 9), margin)


class TestPower:
    @pytest.mark.parametrize("n", [3, 10, 43, 200])
    def test_against_statsmodels(self, n):
        gaps = differences(n, n)
        theirs = power.tt_solve_power(nobs=n, alpha=0.05, power=0.8) * gaps.std(ddof=1)
        assert detectable(gaps) == pytest.approx(theirs, rel=1e-4)

    def test_a_true_difference_of_that_size_is_found_four_times_in_five(self):
        rng = np.random.default_rng(5)
        gaps = rng.normal(0, 0.15, 43)
        size = detectable(gaps) / gaps.std(ddof=1) * 0.15
        found = [paired_t(rng.normal(size, 0.15, 43)).p < 0.05 for _ in range(2000)]
        assert np.mean(found) == pytest.approx(0.8, abs=4 * math.sqrt(0.16 / 2000))

    def test_no_variance_hides_nothing(self):
        assert detectable(np.full(5, 0.1)) == 0.0


class TestPooledCollections:
    """Queries are drawn within collections: how collections differ is no error."""

    gaps = np.concatenate([differences(6, 40, 0.3), differences(7, 20, -0.3)])
    strata = np.repeat([0, 1], [40, 20])

    def test_the_error_is_within(self):
        spread = Spread.of(self.gaps, self.strata)
        parts = self.gaps[:40], self.gaps[40:]
        expected = math.sqrt(sum((len(p) / 60) ** 2 * p.var(ddof=1) / len(p) for p in parts))
        assert spread.error == pytest.approx(expected)
        assert spread.error < Spread.of(self.gaps).error
        assert spread.mean == pytest.approx(self.gaps.mean())

    def test_two_collections_of_weight_one_are_welchs_test(self):
        """With equal sizes, the mean of both is half of Welch's difference to the other's negative."""
        first, second = differences(8, 30, 0.1), differences(9, 30)
        spread = Spread.of(np.concatenate([first, second]), np.repeat([0, 1], 30))
        theirs = stats.ttest_ind(first, -second, equal_var=False)
        assert (spread.mean / spread.error, spread.freedom) == pytest.approx((theirs.statistic, theirs.df))

    def test_one_collection_is_none(self):
        assert Spread.of(self.gaps, np.zeros(60, dtype=int)) == Spread.of(self.gaps)


class TestEffects:
    @given(VALUES)
    def test_d_is_t_by_the_root_of_n(self, gaps):
        if gaps.std() > 1e-6:
            assert paired_d(gaps) == pytest.approx(paired_t(gaps).t / math.sqrt(len(gaps)))

    def test_average_d_is_in_the_spread_of_the_systems(self):
        first, second = np.array([0.9, 0.5, 0.1]), np.array([0.8, 0.4, 0.0])
        assert average_d(first, second) == pytest.approx(0.1 / 0.4)
        assert paired_d(first - second) == math.inf
        assert paired_d(np.zeros(4)) == 0.0

    @given(VALUES)
    def test_every_query_wins_ties_or_loses(self, gaps):
        wins, ties, losses = wins_ties_losses(gaps)
        assert (wins, losses, wins + ties + losses) == ((gaps > 0).sum(), (gaps < 0).sum(), len(gaps))

    def test_rounding_is_a_tie(self):
        assert wins_ties_losses(np.array([0.1 + 0.2 - 0.3, 0.0, -1e-17])) == (0, 3, 0)
