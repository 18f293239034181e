"""Rules that read places or scores, by hand and by brute force; and what votes become before a rule sees them."""

import itertools

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st
from votes import ITEMS, scores, votes, weak_orders, wins

from rerankllm.aggregation.ballots import Ballot, Ballots, by_place
from rerankllm.aggregation.borda import Borda
from rerankllm.aggregation.combmnz import CombMnz
from rerankllm.aggregation.combsum import CombSum
from rerankllm.aggregation.dowdall import Dowdall
from rerankllm.aggregation.median import MedianRank
from rerankllm.aggregation.plurality import Plurality
from rerankllm.aggregation.rrf import ReciprocalRankFusion
from rerankllm.aggregation.threshold import Threshold
from rerankllm.aggregation.votes import Vote, mean_ranks
from rerankllm.errors import SpecError

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
        (ballot,) = Ballots.of(ITEMS, [Vote(groups)]).ballots
        assert {ITEMS[i]: r for i, r in zip(ballot.items, ballot.ranks, strict=True)} == ranks

    @given(st.lists(st.integers(0, 4), max_size=6))
    def test_scores_and_groups_say_the_same(self, values):
        vote = Vote.scored(zip(ITEMS, map(float, values), strict=False))
        (ours,) = Ballots.of(ITEMS, [vote]).ballots
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
    def test_borda_counts_pairwise_wins(self, cast):
        assert Borda().scores(ITEMS, cast) == pytest.approx(wins(ITEMS, cast).sum(axis=1))

    def test_dowdall_and_plurality_share_what_tied_places_are_worth(self):
        cast = [Vote((("a", "b"), ("c",))), Vote.of("ca", 2.0)]
        assert Dowdall().scores("abcd", cast) == pytest.approx([3 / 4 + 1, 3 / 4, 1 / 3 + 2, 0])
        assert Plurality().scores("abcd", cast) == [0.5, 0.5, 2, 0]

    @given(votes(complete=True, min_size=1))
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
