"""Rules that read who beat whom, against other statements of them and other people's code."""

import itertools
import math

import choix
import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from votes import ITEMS, random_wins, scores, votes, wins

from rerankllm.aggregation.baldwin import Baldwin
from rerankllm.aggregation.borda import Borda
from rerankllm.aggregation.bradley_terry import BradleyTerry, newman
from rerankllm.aggregation.condorcet import Condorcet, condorcet_winner
from rerankllm.aggregation.copeland import Copeland
from rerankllm.aggregation.elo import Elo
from rerankllm.aggregation.minimax import Minimax
from rerankllm.aggregation.pagerank import PageRank
from rerankllm.aggregation.rank_centrality import RankCentrality
from rerankllm.aggregation.robust import Robust
from rerankllm.aggregation.votes import Vote
from rerankllm.aggregation.win_rate import WinRate
from rerankllm.aggregation.zermelo import zermelo
from rerankllm.errors import SpecError

VOTES = votes()


class TestBradleyTerry:
    @pytest.mark.slow
    @given(seed=st.integers(0, 10_000), n=st.integers(2, 12), prior=st.sampled_from([0.1, 1.0, 3.0]))
    @settings(max_examples=40)
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
        from rerankllm.spec.stage import Stage

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

    @pytest.mark.slow
    @given(VOTES)
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

    def test_win_rate_by_opponent_counts_each_once(self):
        """As JointRank's code has it: x beats y three times and loses to z, which is one opponent of two."""
        cast = [Vote.of("xy", 3.0), Vote.of("zx")]
        assert WinRate().scores("xyzw", cast) == pytest.approx([3 / 4, 0, 1, 0.5])
        assert WinRate("opponent").scores("xyzw", cast) == pytest.approx([1 / 2, 0, 1, 0.5])

    @pytest.mark.slow
    @given(votes(complete=True, min_size=1))
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
