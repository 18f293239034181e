"""Each rule against another statement of it: by hand, by brute force, or by somebody else's code."""

import itertools
import math

import choix
import networkx as nx
import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from votes import ITEMS, random_wins, scores, votes, weak_orders, wins

from rerankllm.aggregation.baldwin import Baldwin
from rerankllm.aggregation.base import Vote, mean_ranks
from rerankllm.aggregation.best_path import BestPath, held_karp, insertion_path
from rerankllm.aggregation.borda import Borda
from rerankllm.aggregation.bradley_terry import BradleyTerry, newman
from rerankllm.aggregation.combmnz import CombMnz
from rerankllm.aggregation.combsum import CombSum
from rerankllm.aggregation.condorcet import Condorcet, condorcet_winner
from rerankllm.aggregation.copeland import Copeland
from rerankllm.aggregation.dowdall import Dowdall
from rerankllm.aggregation.elo import Elo
from rerankllm.aggregation.kemeny import Kemeny, disagreements, insertion_search, parts
from rerankllm.aggregation.linear_order import best_order
from rerankllm.aggregation.mallows import Mallows, expected_distance, fit_mallows
from rerankllm.aggregation.median import MedianRank
from rerankllm.aggregation.minimax import Minimax
from rerankllm.aggregation.pagerank import PageRank
from rerankllm.aggregation.plurality import Plurality
from rerankllm.aggregation.profile import Ballot, Profile, by_place
from rerankllm.aggregation.rank_centrality import RankCentrality
from rerankllm.aggregation.robust import Robust, agreement, kendall_tau
from rerankllm.aggregation.rrf import ReciprocalRankFusion
from rerankllm.aggregation.threshold import Threshold
from rerankllm.aggregation.win_rate import WinRate
from rerankllm.aggregation.zermelo import zermelo
from rerankllm.errors import MissingExtra, SpecError

VOTES = votes()


class TestProfile:
    @given(VOTES)
    def test_wins_are_pairs_in_order(self, cast):
        counted = np.zeros((6, 6))
        for vote in cast:
            ranks = mean_ranks(vote)
            for one, other in itertools.permutations(ranks, 2):
                won = 1.0 if ranks[one] < ranks[other] else 0.5 if ranks[one] == ranks[other] else 0.0
                counted[ITEMS.index(one), ITEMS.index(other)] += vote.weight * won
        np.testing.assert_allclose(wins(ITEMS, cast), counted)

    @given(weak_orders())
    def test_tied_items_share_the_mean_of_their_places(self, groups):
        ranks = mean_ranks(Vote(groups))
        listed = [item for group in groups for item in group]
        assert sum(ranks.values()) == pytest.approx(len(listed) * (len(listed) + 1) / 2)
        assert all(len({ranks[item] for item in group}) == 1 for group in groups)
        (ballot,) = Profile.of(ITEMS, [Vote(groups)]).ballots
        assert {ITEMS[i]: r for i, r in zip(ballot.items, ballot.ranks, strict=True)} == ranks

    @given(st.lists(st.integers(0, 4), max_size=6))
    def test_scores_and_groups_say_the_same(self, values):
        vote = Vote.scored(zip(ITEMS, map(float, values), strict=False))
        (ours,) = Profile.of(ITEMS, [vote]).ballots
        ballot = Ballot.scored(np.arange(len(values)), np.array(values, dtype=float))
        assert ballot.items.tolist() == ours.items.tolist()
        assert ballot.ranks.tolist() == ours.ranks.tolist()
        assert ballot.scores.tolist() == ours.scores.tolist() == sorted(values, reverse=True)

    def test_places_of_a_whole_order(self):
        assert by_place([[2], [0, 1]], 3).tolist() == [0.5, 0.5, 2.0]


class TestPlaces:
    def test_rrf_is_a_sum_over_ranks_from_one(self):
        cast = [Vote.of("ab"), Vote((("a", "b"), ("c",)), weight=2.0)]
        a, b, c = ReciprocalRankFusion(k=60).scores("abc", cast)
        assert a == pytest.approx(1 / 61 + 2 / 61.5)
        assert b == pytest.approx(1 / 62 + 2 / 61.5)
        assert c == pytest.approx(2 / 63)
        with pytest.raises(SpecError, match="k should be 0 or more"):
            ReciprocalRankFusion(k=-1)

    @given(VOTES)
    @settings(deadline=None)
    def test_borda_counts_pairwise_wins(self, cast):
        assert Borda().scores(ITEMS, cast) == pytest.approx(wins(ITEMS, cast).sum(axis=1))

    def test_dowdall_and_plurality_share_what_tied_places_are_worth(self):
        cast = [Vote((("a", "b"), ("c",))), Vote.of("ca", 2.0)]
        assert Dowdall().scores("abcd", cast) == pytest.approx([3 / 4 + 1, 3 / 4, 1 / 3 + 2, 0])
        assert Plurality().scores("abcd", cast) == [0.5, 0.5, 2, 0]

    @given(votes(complete=True, min_size=1))
    @settings(deadline=None)
    def test_threshold_compares_last_places_first(self, cast):
        def from_last(item):
            ends = [[0.0] * 6 for _ in cast]
            for vote, counts in zip(cast, ends, strict=True):
                behind = 0
                for group in reversed(vote.groups):
                    if item in group:
                        for place in range(behind, behind + len(group)):
                            counts[place] = vote.weight / len(group)
                    behind += len(group)
            return [round(sum(column), 9) for column in zip(*ends, strict=True)]

        found = scores(Threshold(), ITEMS, cast)
        for one, other in itertools.combinations(ITEMS, 2):
            mine, theirs = from_last(one), from_last(other)
            assert (found[one] > found[other]) - (found[one] < found[other]) == (mine < theirs) - (mine > theirs)

    def test_threshold_counts_shares_of_the_votes_that_judge_an_item(self):
        found = scores(Threshold(), "abcd", [Vote.of("ab"), Vote.of("ba"), Vote.of("ab"), Vote.of("ca")])
        assert found == {"a": 2, "b": 1, "c": 3, "d": 0}

    @given(st.lists(st.permutations(list(ITEMS)), min_size=1, max_size=6))
    def test_median_is_that_of_the_ranks(self, orders):
        found = MedianRank().scores(ITEMS, [Vote.of(order) for order in orders])
        assert found == [-np.median([order.index(item) + 1 for order in orders]) for item in ITEMS]

    def test_median_weighs_and_leaves_out_what_does_not_judge(self):
        cast = [Vote.of("abc", 3.0), Vote.of("cba"), Vote.of("ba"), Vote.of("d", 0.5)]
        assert MedianRank().scores("abcde", cast) == [-1, -2, -3, -1, -6]


class TestScores:
    LISTS = (Vote.scored([("a", 10.0), ("b", 6.0), ("c", 2.0)]), Vote.scored([("d", 0.3), ("b", 0.9)], 2.0))

    def test_combsum_and_combmnz_by_hand(self):
        assert CombSum().scores("abcde", self.LISTS) == pytest.approx([1, 0.5 + 2, 0, 0, 0])
        assert CombMnz().scores("abcde", self.LISTS) == pytest.approx([1, 2.5 * 3, 0, 0, 0])

    def test_zscores_differ_from_the_textbooks_by_what_the_lowest_has(self):
        rng = np.random.default_rng(3)
        lists = [dict(zip(ITEMS, rng.normal(size=6).tolist(), strict=True)) for _ in range(4)]
        expected = sum(scipy.stats.zscore([one[item] for item in ITEMS]) for one in lists)
        found = CombSum("zscore").scores(ITEMS, [Vote.scored(one.items()) for one in lists])
        assert np.ptp(np.array(found) - expected) == pytest.approx(0, abs=1e-12)

    @pytest.mark.parametrize("scale", ["minmax", "zscore"])
    def test_without_scores_ranks_count_and_equal_ones_are_evidence(self, scale):
        a, b, c = CombSum(scale).scores("abc", [Vote.of("abc")])
        assert a - b == pytest.approx(b - c)
        assert c == 0
        assert (
            CombSum(scale).scores("abc", [Vote.scored([("a", 5.0)]), Vote.scored([("b", 2.0), ("c", 2.0)])]) == [1] * 3
        )

    def test_the_scale_is_a_word(self):
        assert CombMnz(scale="zscore").scores("ab", [Vote.scored([("a", 3.0), ("b", 1.0)])]) == [2, 0]


class TestBradleyTerry:
    @given(seed=st.integers(0, 10_000), n=st.integers(2, 12), prior=st.sampled_from([0.1, 1.0, 3.0]))
    @settings(max_examples=40, deadline=None)
    def test_newman_finds_zermelos_optimum_in_no_more_sweeps(self, seed, n, prior):
        won = random_wins(np.random.default_rng(seed), n)
        found, sweeps = newman(won, prior, 1e-12, 100_000)
        slow, more = zermelo(won, prior, 1e-13, 1_000_000)
        assert found == pytest.approx(slow, abs=1e-8)
        assert sweeps < 100_000
        assert sweeps <= max(more, 30)

    @pytest.mark.parametrize("seed", range(5))
    def test_choix_finds_the_same(self, seed):
        won = random_wins(np.random.default_rng(seed), 8)
        games = [(i, j) for i, j in itertools.product(range(8), repeat=2) for _ in range(int(won[i, j]))]
        games += [pair for i in range(8) for pair in ((i, 8), (8, i))]  # the prior: an item of strength 1
        theirs = choix.mm_pairwise(9, games, max_iter=100_000, tol=1e-12)
        found, _ = newman(won, 1.0, 1e-12, 10_000)
        assert found == pytest.approx(theirs[:8] - theirs[8], abs=1e-6)

    def test_takes_fractional_wins_and_recovers_strengths(self):
        true = {"a": 1.5, "b": 0.5, "c": 0.0, "d": -2.0}
        cast = []
        for i, j in itertools.combinations(true, 2):
            p = 1 / (1 + math.exp(true[j] - true[i]))
            cast += [Vote.of((i, j), 1e6 * p), Vote.of((j, i), 1e6 * (1 - p))]
        found = BradleyTerry().scores(list(true), cast)
        assert np.diff(found) == pytest.approx(np.diff(list(true.values())), abs=1e-3)

    @pytest.mark.parametrize("links", ["pair", "path", "star", "two halves"])
    def test_where_all_at_once_would_swing_to_and_fro(self, links):
        n = 2 if links == "pair" else 10
        won = np.zeros((n, n))
        pairs = {
            "pair": [(0, 1)],
            "path": [(i, i + 1) for i in range(n - 1)],
            "star": [(0, i) for i in range(1, n)],
            "two halves": list(itertools.product(range(5), range(5, 10))),
        }[links]
        for i, j in pairs:
            won[i, j], won[j, i] = 9.0, 2.0
        found, sweeps = newman(won, 0.5, 1e-12, 1000)
        assert sweeps < 1000
        assert found == pytest.approx(zermelo(won, 0.5, 1e-13, 100_000)[0], abs=1e-8)

    def test_an_item_nobody_compared_stays_in_the_middle(self):
        found = BradleyTerry().scores("abc", [Vote.of("ab")])
        assert found[0] > found[2] == 0.0 > found[1]

    @pytest.mark.parametrize("wrong", ["prior=0", "tolerance=0", "sweeps=0"])
    @pytest.mark.parametrize("rule", ["bradley_terry", "zermelo"])
    def test_wrong_parameters(self, rule, wrong):
        from rerankllm.spec import Stage

        with pytest.raises(SpecError, match=f"{rule}: .*should be"):
            Stage.parse(f"jointrank(aggregate={rule}({wrong}))")


class TestWalks:
    @pytest.mark.parametrize("seed", range(5))
    def test_networkx_has_the_same_pagerank(self, seed):
        won = random_wins(np.random.default_rng(seed), 8)
        won[:, 3] = 0  # unbeaten: nowhere to go from there
        graph = nx.from_numpy_array(won.T, create_using=nx.DiGraph)
        theirs = nx.pagerank(graph, alpha=0.7, tol=1e-12, max_iter=1000)
        cast = [Vote.of((i, j), won[i, j]) for i, j in itertools.permutations(range(8), 2)]
        assert PageRank(0.7).scores(range(8), cast) == pytest.approx([theirs[i] for i in range(8)], abs=1e-9)

    @pytest.mark.parametrize("seed", range(5))
    def test_choix_has_the_same_rank_centrality(self, seed):
        won = random_wins(np.random.default_rng(seed), 8)
        met = won + won.T > 0
        games = [(i, j) for i, j in itertools.product(range(8), repeat=2) for _ in range(int(won[i, j] + met[i, j]))]
        theirs = np.exp(choix.rank_centrality(8, games))
        cast = [Vote.of((i, j), won[i, j]) for i, j in itertools.permutations(range(8), 2)]
        assert RankCentrality().scores(range(8), cast) == pytest.approx(theirs / theirs.sum(), abs=1e-9)

    def test_parts_keep_the_time_due_to_their_size(self):
        found = scores(RankCentrality(), "abcdx", [Vote.of("ab"), Vote.of("ab"), Vote.of("cd")])
        assert found["a"] + found["b"] == pytest.approx(2 / 5)
        assert found["a"] / found["b"] == pytest.approx(3)
        assert found["c"] / found["d"] == pytest.approx(2)
        assert found["x"] == 1 / 5

    @pytest.mark.parametrize(
        ("rule", "wrong"), [(RankCentrality, 0.0), (PageRank, 1.0), (PageRank, -0.1), (Elo, 0.0), (Robust, None)]
    )
    def test_wrong_parameters(self, rule, wrong):
        with pytest.raises(SpecError, match="should be"):
            rule(wrong) if rule is not Robust else Robust(rounds=0)


class TestContests:
    def test_elo_by_hand(self):
        assert Elo().scores("abc", [Vote.of("ab")]) == [1516, 1484, 1500]
        a, b, _ = Elo().scores("abc", [Vote.of("ab"), Vote.of("ba", 0.5)])
        expected = 1 / (1 + 10 ** (-32 / 400))
        assert (a, b) == pytest.approx((1516 - 16 * expected, 1484 + 16 * expected))
        assert Elo(k=10).scores("abc", [Vote((("a",), ("b", "c")))]) == pytest.approx([1505, 1497.5, 1497.5])

    @given(VOTES)
    @settings(deadline=None)
    def test_majorities(self, cast):
        won = wins(ITEMS, cast)
        pairs = list(itertools.permutations(range(6), 2))
        margin = {(i, j): won[i, j] - won[j, i] for i, j in pairs}
        sign = {pair: 0 if abs(m) < 1e-9 else math.copysign(1, m) for pair, m in margin.items()}
        assert Copeland().scores(ITEMS, cast) == [sum(sign[p] for p in pairs if p[0] == i) for i in range(6)]
        worst = [min(margin[p] for p in pairs if p[0] == i) for i in range(6)]
        assert Minimax().scores(ITEMS, cast) == pytest.approx(worst, abs=1e-9)
        winners = [ITEMS[i] for i in range(6) if all(sign[p] > 0 for p in pairs if p[0] == i)]
        assert condorcet_winner(ITEMS, cast) == (winners[0] if winners else None)
        found, fallback = scores(Condorcet(), ITEMS, cast), scores(Borda(), ITEMS, cast)
        if winners:
            assert max(found, key=found.get) == winners[0]
        assert [found[i] for i in ITEMS if i not in winners] == [fallback[i] for i in ITEMS if i not in winners]

    def test_condorcet_winner_is_not_always_bordas(self):
        cast = [Vote.of("abc")] * 3 + [Vote.of("bca")] * 2
        assert condorcet_winner("abc", cast) == "a"
        assert scores(Condorcet(), "abc", cast) == {"a": 8, "b": 7, "c": 2}
        assert condorcet_winner("abc", [Vote.of("abc"), Vote.of("bca"), Vote.of("cab")]) is None
        assert condorcet_winner("a", []) == "a"
        assert condorcet_winner("", []) is None

    def test_win_rate_by_hand(self):
        assert WinRate().scores("abcd", [Vote((("a", "b"), ("c",))), Vote.of("ca", 3.0)]) == pytest.approx(
            [1.5 / 5, 1.5 / 2, 3 / 5, 0.5]
        )

    @given(votes(complete=True, min_size=1))
    @settings(deadline=None)
    def test_baldwin_drops_who_has_least(self, cast):
        left, found = list(ITEMS), scores(Baldwin(), ITEMS, cast)
        while left:
            points = {i: wins(left, [restricted(vote, left) for vote in cast]).sum(axis=1)[left.index(i)] for i in left}
            out = [i for i in left if points[i] <= min(points.values()) + 1e-7]
            assert len({found[i] for i in out}) == 1
            left = [i for i in left if i not in out]
            assert all(found[i] > found[out[0]] for i in left)


def restricted(vote, items):
    return Vote(tuple(kept for g in vote.groups if (kept := tuple(i for i in g if i in items))), vote.weight)


def every_order(n):
    return (np.array([order.index(i) for i in range(n)]) for order in itertools.permutations(range(n)))


class TestKemeny:
    @given(seed=st.integers(0, 10_000), n=st.integers(1, 7))
    @settings(max_examples=25, deadline=None)
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

    @pytest.mark.parametrize("theta", [0.4, 1.2])
    def test_recovers_what_was_drawn(self, theta):
        rng = np.random.default_rng(5)
        cast = [Vote.of(drawn(rng, ITEMS, theta)) for _ in range(4000)]
        fit = fit_mallows(ITEMS, cast)
        assert fit.order == tuple((item,) for item in ITEMS)
        assert fit.theta == pytest.approx(theta, rel=0.05)
        assert fit.distance == pytest.approx(expected_distance(6, theta) / 15, rel=0.05)
        found = Mallows().scores(ITEMS, cast)
        assert -np.diff(found) == pytest.approx([fit.theta] * 5)
        ahead = np.mean([vote.groups.index(("a",)) < vote.groups.index(("b",)) for vote in cast])
        assert ahead == pytest.approx(1 / (1 + math.exp(-theta)), abs=0.02)

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
    @settings(max_examples=25, deadline=None)
    def test_no_path_is_longer(self, seed, n):
        shares = np.random.default_rng(seed).random((n, n))

        def length(path):
            return sum(shares[a, b] for a, b in itertools.pairwise(path))

        best = max(length(path) for path in itertools.permutations(range(n)))
        assert sorted(held_karp(shares)) == sorted(insertion_path(shares)) == list(range(n))
        assert length(held_karp(shares)) == pytest.approx(best)
        assert length(insertion_path(shares)) <= best + 1e-9

    def test_long_lists_are_searched_and_too_long_ones_refused(self):
        order = [f"d{i}" for i in range(30)]
        found = scores(BestPath(), order[::-1], [Vote.of(order)])
        assert sorted(order, key=found.get, reverse=True) == order
        with pytest.raises(SpecError, match="best_path: exact should be from 0 to 18"):
            BestPath(exact=19)


class TestRobust:
    @given(weak_orders(), weak_orders())
    @settings(max_examples=60, deadline=None)
    def test_tau_is_scipys(self, one, other):
        mine, theirs = mean_ranks(Vote(one)), mean_ranks(Vote(other))
        both = [item for item in ITEMS if item in mine and item in theirs]
        a, b = [mine[i] for i in both], [theirs[i] for i in both]
        expected = 0.0 if len(set(a)) < 2 or len(set(b)) < 2 else scipy.stats.kendalltau(a, b).statistic
        ballots = Profile.of(ITEMS, [Vote(one), Vote(other)]).ballots
        assert kendall_tau(*ballots) == pytest.approx(expected)

    def test_an_outlier_counts_for_nothing(self):
        honest = [Vote.of("abcdef"), Vote.of("bacdef"), Vote.of("abcdfe")]
        wild = Vote.of("fedcba")
        trust = agreement(Profile.of(ITEMS, [*honest, wild]).ballots, 3)
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
