import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rerankllm.aggregation.base import Vote, mean_ranks
from rerankllm.aggregation.borda import Borda
from rerankllm.aggregation.bradley_terry import BradleyTerry, win_matrix
from rerankllm.aggregation.rrf import ReciprocalRankFusion
from rerankllm.errors import SpecError

ITEMS = "abcdef"


def weak_orders(items=ITEMS):
    """Any partition of any subset of the items into ordered groups."""

    def build(places):
        groups = {}
        for item, place in zip(items, places, strict=True):
            if place:
                groups.setdefault(place, []).append(item)
        return tuple(tuple(groups[place]) for place in sorted(groups))

    return st.lists(st.integers(0, 5), min_size=len(items), max_size=len(items)).map(build)


VOTES = st.lists(st.builds(Vote, weak_orders(), st.floats(0.1, 3)), max_size=6)
RULES = [ReciprocalRankFusion(), Borda(), BradleyTerry()]


@pytest.mark.parametrize("rule", RULES, ids=lambda r: type(r).__name__)
@given(votes=VOTES, order=st.permutations(list(ITEMS)))
@settings(max_examples=60, deadline=None)
def test_finite_scores_that_do_not_depend_on_how_items_are_listed(rule, votes, order):
    scores = dict(zip(ITEMS, rule.scores(ITEMS, votes), strict=True))
    assert all(map(math.isfinite, scores.values()))
    again = dict(zip(order, rule.scores(order, votes), strict=True))
    assert again == pytest.approx(scores, abs=1e-5)


@pytest.mark.parametrize("rule", RULES, ids=lambda r: type(r).__name__)
@given(order=st.permutations(list(ITEMS)), copies=st.integers(1, 4))
def test_agreement_wins(rule, order, copies):
    scores = dict(zip(ITEMS, rule.scores(ITEMS, [Vote.of(order)] * copies), strict=True))
    assert sorted(ITEMS, key=scores.get, reverse=True) == order
    assert len(set(scores.values())) == len(ITEMS)


@pytest.mark.parametrize("rule", RULES, ids=lambda r: type(r).__name__)
def test_nothing_in_nothing_out(rule):
    assert rule.scores([], []) == []
    assert len(set(rule.scores(ITEMS, []))) == 1


def test_rrf_is_a_sum_over_ranks_from_one():
    votes = [Vote.of("ab"), Vote((("a", "b"), ("c",)), weight=2.0)]
    a, b, c = ReciprocalRankFusion(k=60).scores("abc", votes)
    assert a == pytest.approx(1 / 61 + 2 / 61.5)
    assert b == pytest.approx(1 / 62 + 2 / 61.5)
    assert c == pytest.approx(2 / 63)
    with pytest.raises(SpecError, match="k should be 0 or more"):
        ReciprocalRankFusion(k=-1)


@given(weak_orders())
def test_tied_items_share_the_mean_of_their_places(groups):
    ranks = mean_ranks(Vote(groups))
    listed = [item for group in groups for item in group]
    assert sum(ranks.values()) == pytest.approx(len(listed) * (len(listed) + 1) / 2)
    assert all(len({ranks[item] for item in group}) == 1 for group in groups)


@given(VOTES)
@settings(deadline=None)
def test_borda_counts_pairwise_wins(votes):
    wins = win_matrix(ITEMS, votes)
    assert Borda().scores(ITEMS, votes) == pytest.approx(wins.sum(axis=1))


def zermelo(wins):
    """Zermelo's algorithm for the same model and prior: the slow, sure way to the same optimum."""
    strengths = np.ones(len(wins))
    for _ in range(200_000):
        games = wins + wins.T
        total = (games / (strengths[:, None] + strengths[None, :])).sum(axis=1) + 2 / (strengths + 1)
        new = (wins.sum(axis=1) + 1) / total
        if np.abs(np.log(new / strengths)).max() < 1e-12:
            return np.log(new)
        strengths = new
    raise AssertionError("Zermelo did not converge")


@given(VOTES)
@settings(max_examples=40, deadline=None)
def test_newman_finds_zermelos_optimum(votes):
    found = BradleyTerry(tolerance=1e-11).scores(ITEMS, votes)
    assert found == pytest.approx(list(zermelo(win_matrix(ITEMS, votes))), abs=1e-6)


def test_bradley_terry_takes_fractional_wins_and_recovers_strengths():
    true = {"a": 1.5, "b": 0.5, "c": 0.0, "d": -2.0}
    votes = []
    for i, j in itertools.combinations(true, 2):
        p = 1 / (1 + math.exp(true[j] - true[i]))
        votes += [Vote.of((i, j), 1e6 * p), Vote.of((j, i), 1e6 * (1 - p))]
    found = BradleyTerry().scores(list(true), votes)
    assert np.diff(found) == pytest.approx(np.diff(list(true.values())), abs=1e-3)


def test_an_item_nobody_compared_stays_in_the_middle():
    scores = BradleyTerry().scores("abc", [Vote.of("ab")])
    assert scores[0] > scores[2] == 0.0 > scores[1]
