"""Rules that look for a whole order, against brute force; and those that weigh votes."""

import itertools
import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from votes import ITEMS, random_wins, scores, weak_orders

from rerankllm.aggregation.ballots import Ballots, by_place
from rerankllm.aggregation.best_path import BestPath, held_karp, insertion_path
from rerankllm.aggregation.borda import Borda
from rerankllm.aggregation.copeland import Copeland
from rerankllm.aggregation.kemeny import Kemeny, disagreements, insertion_search, parts
from rerankllm.aggregation.linear_order import best_order
from rerankllm.aggregation.mallows import Mallows, expected_distance, fit_mallows
from rerankllm.aggregation.robust import Robust, agreement, kendall_tau
from rerankllm.aggregation.votes import Vote, mean_ranks
from rerankllm.errors import MissingExtra, SpecError


def every_order(n):
    return (np.array([order.index(i) for i in range(n)]) for order in itertools.permutations(range(n)))


class TestKemeny:
    @given(seed=st.integers(0, 10_000), n=st.integers(1, 7))
    @settings(max_examples=25)
    def test_no_order_disagrees_less(self, seed, n):
        won = random_wins(np.random.default_rng(seed), n)
        found = disagreements(won, by_place(Kemeny().groups(won - won.T), n))
        best = min(disagreements(won, -places) for places in every_order(n))
        assert found <= best + 1e-9
        searched = insertion_search(won - won.T)
        assert disagreements(won, by_place([[i] for i in searched], n)) >= best - 1e-9

    @pytest.mark.parametrize("seed", range(3))
    def test_in_parts_or_whole_it_is_as_good(self, seed):
        rng = np.random.default_rng(seed)
        won = sum((np.argsort(np.argsort(np.arange(14) + rng.normal(0, 3, 14)))[:, None] <
                   np.argsort(np.argsort(np.arange(14) + rng.normal(0, 3, 14)))) for _ in range(5)) * 1.0  # fmt: skip
        won -= np.diag(np.diag(won))
        margins = won - won.T
        assert len(parts(margins)) > 1
        whole = disagreements(won, by_place([[i] for i in best_order(margins)], 14))
        assert disagreements(won, by_place(Kemeny().groups(margins), 14)) == pytest.approx(whole)

    @pytest.mark.parametrize("seed", range(3))
    def test_no_single_move_helps_after_the_search(self, seed):
        won = random_wins(np.random.default_rng(seed), 60)
        margins = won - won.T
        order = [i for group in Kemeny(exact=0).groups(margins) for i in group]
        cost = disagreements(won, by_place([[i] for i in order], 60))
        for i, j in itertools.product(range(60), range(0, 60, 7)):
            moved = [item for item in order if item != order[i]]
            moved.insert(j, order[i])
            assert disagreements(won, by_place([[i] for i in moved], 60)) >= cost - 1e-9

    def test_ties_where_nothing_was_said(self):
        found = scores(Kemeny(), "abcd", [Vote((("a",), ("b", "c"), ("d",)))])
        assert found == {"a": 3, "b": 1.5, "c": 1.5, "d": 0}

    @pytest.mark.parametrize("items", ["abc", "cba", "bca"])
    def test_majorities_as_narrow_as_can_be_count(self, items):
        votes = [Vote.of("ab", 5e-10), Vote.of("bc", 4e-10), Vote.of("ca", 3e-10)]
        assert scores(Kemeny(), items, votes) == {"a": 2, "b": 1, "c": 0}

    @pytest.mark.parametrize("exact", [0, 40])
    @given(seed=st.integers(0, 10_000), n=st.integers(2, 7))
    @settings(max_examples=25)
    def test_neighbours_without_a_majority_keep_the_items_order(self, exact, seed, n):
        margins = np.triu(np.random.default_rng(seed).integers(-1, 2, (n, n)), 1).astype(float)
        margins -= margins.T
        order = [item for group in Kemeny(exact=exact).groups(margins) for item in group]
        assert all(i < j for i, j in itertools.pairwise(order) if margins[i, j] == 0)

    def test_without_scipy_it_says_what_to_install(self, monkeypatch):
        monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
        circle = [Vote.of("abc"), Vote.of("bca"), Vote.of("cab")]
        with pytest.raises(MissingExtra, match=r"pip install 'rerankllm\[stats\]'"):
            Kemeny().scores("abc", circle)
        assert len(set(Kemeny(exact=0).scores("abc", circle))) == 3
        with pytest.raises(SpecError, match="kemeny: exact should be 0 or more"):
            Kemeny(exact=-1)


class TestMallows:
    @pytest.mark.parametrize("theta", [0.05, 0.7, 3.0])
    def test_expected_distance_is_the_mean_over_all_orders(self, theta):
        inversions = [
            sum(a > b for a, b in itertools.combinations(order, 2)) for order in itertools.permutations(range(5))
        ]
        odds = np.exp(-theta * np.array(inversions))
        assert expected_distance(5, theta) == pytest.approx((odds * inversions).sum() / odds.sum())

    @pytest.mark.slow
    @pytest.mark.parametrize("theta", [0.4, 1.2])
    def test_recovers_what_was_drawn(self, theta):
        rng = np.random.default_rng(5)
        cast = [Vote.of(drawn(rng, ITEMS, theta)) for _ in range(1500)]
        fit = fit_mallows(ITEMS, cast)
        assert fit.order == tuple((item,) for item in ITEMS)
        assert fit.theta == pytest.approx(theta, rel=0.08)
        assert fit.distance == pytest.approx(expected_distance(6, theta) / 15, rel=0.08)
        found = Mallows().scores(ITEMS, cast)
        assert -np.diff(found) == pytest.approx([fit.theta] * 5)
        ahead = np.mean([vote.groups.index(("a",)) < vote.groups.index(("b",)) for vote in cast])
        assert ahead == pytest.approx(1 / (1 + math.exp(-theta)), abs=0.03)

    def test_from_agreement_to_chance(self):
        assert fit_mallows("abc", [Vote.of("abc")] * 2).theta == pytest.approx(20)
        assert fit_mallows("ab", [Vote.of("ab"), Vote.of("ba")]).theta == 0
        nothing = fit_mallows("ab", [])
        assert (nothing.order, nothing.theta, nothing.distance) == ((("a", "b"),), 0.0, 0.5)
        with pytest.raises(SpecError, match="exact should be"):
            Mallows(exact=-1)


def drawn(rng, items, theta):
    """An order from Mallows' model, by repeated insertion."""
    order = []
    for i, item in enumerate(items):
        odds = np.exp(-theta * np.arange(i, -1, -1))
        order.insert(rng.choice(i + 1, p=odds / odds.sum()), item)
    return order


class TestBestPath:
    @given(seed=st.integers(0, 10_000), n=st.integers(1, 6))
    @settings(max_examples=25)
    def test_no_path_is_longer(self, seed, n):
        shares = np.random.default_rng(seed).random((n, n))

        def length(path):
            return sum(shares[a, b] for a, b in itertools.pairwise(path))

        best = max(length(path) for path in itertools.permutations(range(n)))
        assert sorted(held_karp(shares)) == sorted(insertion_path(shares)) == list(range(n))
        assert length(held_karp(shares)) == pytest.approx(best)
        assert length(insertion_path(shares)) <= best + 1e-9

    @given(seed=st.integers(0, 10_000), n=st.integers(1, 6))
    @settings(max_examples=25)
    def test_of_the_best_paths_the_items_own_order_picks_the_first(self, seed, n):
        shares = np.random.default_rng(seed).choice([0.0, 0.3, 0.5, 0.7, 1.0], (n, n))
        lengths = {p: sum(shares[a, b] for a, b in itertools.pairwise(p)) for p in itertools.permutations(range(n))}
        best = max(lengths.values())
        assert held_karp(shares) == list(min(path for path, length in lengths.items() if length > best - 1e-6))

    @pytest.mark.parametrize("exact", [0, 14])
    def test_ties_alone_make_no_order(self, exact):
        assert scores(BestPath(exact), "abc", [Vote((("a", "b", "c"),))]) == {"a": 0, "b": 0, "c": 0}
        assert len(set(BestPath(exact).scores("ab", [Vote.of("ab"), Vote.of("ba")]))) == 1

    def test_long_lists_are_searched_and_too_long_ones_refused(self):
        order = [f"d{i}" for i in range(30)]
        found = scores(BestPath(), order[::-1], [Vote.of(order)])
        assert sorted(order, key=found.get, reverse=True) == order
        with pytest.raises(SpecError, match="best_path: exact should be from 0 to 18"):
            BestPath(exact=19)


class TestRobust:
    @given(weak_orders(), weak_orders())
    @settings(max_examples=60)
    def test_tau_is_scipys(self, one, other):
        mine, theirs = mean_ranks(Vote(one)), mean_ranks(Vote(other))
        both = [item for item in ITEMS if item in mine and item in theirs]
        a, b = [mine[i] for i in both], [theirs[i] for i in both]
        expected = 0.0 if len(set(a)) < 2 or len(set(b)) < 2 else scipy.stats.kendalltau(a, b).statistic
        ballots = Ballots.of(ITEMS, [Vote(one), Vote(other)]).ballots
        assert kendall_tau(*ballots) == pytest.approx(expected)

    def test_an_outlier_counts_for_nothing(self):
        honest = [Vote.of("abcdef"), Vote.of("bacdef"), Vote.of("abcdfe")]
        wild = Vote.of("fedcba")
        trust = agreement(Ballots.of(ITEMS, [*honest, wild]).ballots, 3)
        assert trust[3] == 0
        assert min(trust[:3]) > 0.5
        found = scores(Robust(), ITEMS, [*honest, wild])
        assert max(ITEMS, key=found.get) == "a"
        assert max(found.values()) <= 15

    def test_where_nobody_agrees_all_count(self):
        cast = [Vote.of("ab"), Vote.of("ba", 3.0)]
        assert Robust().scores("ab", cast) == Borda().scores("ab", cast)
        assert Robust().scores("ab", cast[:1]) == Borda().scores("ab", cast[:1])
        assert scores(Robust(Copeland()), "ab", cast)["b"] == 1
