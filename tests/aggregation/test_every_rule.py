"""What holds for every rule, and what each does with missing items, ties, and comparisons that are not connected."""

import dataclasses
import math
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from votes import ITEMS, scores, votes, weak_orders

from rerankllm.aggregation.ballots import Ballots
from rerankllm.aggregation.best_path import BestPath
from rerankllm.aggregation.kemeny import disagreements
from rerankllm.aggregation.votes import Vote
from rerankllm.data import float32
from rerankllm.registry import AGGREGATIONS
from rerankllm.spec.stage import Stage, show

NAMES = list(AGGREGATIONS)
ONE_OF_MANY = {"kemeny", "mallows", "best_path"}  # several orders may be best, and one of them is returned
FEW_LEVELS = {"plurality", "minimax"}  # tie most items of a unanimous vote
SUMS = {"rrf", "combsum", "combmnz", "dowdall", "plurality"}  # what a list does not hold gets nothing from it


def rules(without=frozenset()):
    return pytest.mark.parametrize("rule", [pytest.param(AGGREGATIONS[n](), id=n) for n in NAMES if n not in without])


@pytest.mark.slow
@rules()
@given(cast=votes(), head=st.booleans())
@settings(max_examples=30)
def test_one_finite_score_an_item(rule, cast, head):
    cast = [dataclasses.replace(vote, head=head) for vote in cast]
    found = rule.scores(ITEMS, cast)
    assert len(found) == len(ITEMS)
    assert all(type(score) is float and math.isfinite(score) for score in found)


@pytest.mark.slow
@rules(without=ONE_OF_MANY)
@given(cast=votes(), order=st.permutations(list(ITEMS)), names=st.permutations(list(ITEMS)))
@settings(max_examples=30)
def test_neither_names_nor_listing_matter(rule, cast, order, names):
    found = scores(rule, ITEMS, cast)
    assert scores(rule, order, cast) == pytest.approx(found, abs=1e-5)
    renamed = dict(zip(ITEMS, names, strict=True))
    other = [
        dataclasses.replace(v, groups=tuple(tuple(renamed[item] for item in group) for group in v.groups)) for v in cast
    ]
    assert scores(rule, ITEMS, other) == pytest.approx({renamed[i]: s for i, s in found.items()}, abs=1e-5)


@pytest.mark.slow
@given(cast=votes(), order=st.permutations(list(ITEMS)))
@settings(max_examples=40)
def test_where_several_orders_are_best_all_listings_find_one_as_good(cast, order):
    for items in (list(ITEMS), order):
        profile = Ballots.of(items, cast)
        cost = disagreements(profile.wins(), AGGREGATIONS["kemeny"]().tally(profile))
        length = path_length(profile.wins(), BestPath().tally(profile))
        if items == list(ITEMS):
            first = cost, length
    assert (cost, length) == pytest.approx(first)


def path_length(wins, found):
    games = wins + wins.T
    shares = np.divide(wins, games, out=np.full(wins.shape, 0.5), where=games > 0)
    path = np.argsort(-found, kind="stable")
    return shares[path[:-1], path[1:]].sum()


@pytest.mark.slow
@rules(without={"elo"})
@given(cast=votes(max_size=5), seed=st.integers(0, 99))
@settings(max_examples=30)
def test_the_votes_order_does_not_matter(rule, cast, seed):
    shuffled = random.Random(seed).sample(cast, len(cast))
    assert scores(rule, ITEMS, shuffled) == pytest.approx(scores(rule, ITEMS, cast), abs=1e-5)


@pytest.mark.slow
@rules(without={"elo", "robust"})
@given(cast=votes(max_size=4), heavy=weak_orders())
@settings(max_examples=20)
def test_weight_2_is_two_votes_and_weight_0_none(rule, cast, heavy):
    twice = scores(rule, ITEMS, [*cast, Vote(heavy), Vote(heavy)])
    assert scores(rule, ITEMS, [*cast, Vote(heavy, 2.0)]) == pytest.approx(twice, abs=1e-5)
    assert scores(rule, ITEMS, [*cast, Vote(heavy, 0.0)]) == pytest.approx(scores(rule, ITEMS, cast), abs=1e-5)


@rules(without=FEW_LEVELS)
@given(order=st.permutations(list(ITEMS)), copies=st.integers(1, 4))
@settings(max_examples=20)
def test_agreement_wins(rule, order, copies):
    found = scores(rule, ITEMS, [Vote.of(order)] * copies)
    assert sorted(ITEMS, key=found.get, reverse=True) == order
    assert len(set(found.values())) == len(ITEMS)


@pytest.mark.slow
@rules(without={"best_path", "elo"})
@given(cast=votes("abcde", complete=True, min_size=1), place=st.lists(st.integers(0, 5), min_size=6, max_size=6))
@settings(max_examples=40)
def test_what_every_vote_has_behind_another_does_not_pass_it(rule, cast, place):
    """The item f follows the item a in every vote, at once or later."""
    after = [with_follower(vote, at) for vote, at in zip(cast, place, strict=False)]
    found = scores(rule, ITEMS, after)
    assert found["a"] >= found["f"] - 1e-7


def with_follower(vote, at):
    of_a = next(i for i, group in enumerate(vote.groups) if "a" in group)
    groups = list(vote.groups)
    groups.insert(min(of_a + 1 + at, len(groups)), ("f",))
    return dataclasses.replace(vote, groups=tuple(groups))


@rules()
def test_nothing_in_nothing_out(rule):
    assert rule.scores([], []) == []
    assert len(set(map(float32, rule.scores(ITEMS, [])))) == 1
    assert len(rule.scores("a", [Vote.of("a")])) == 1
    assert len(set(map(float32, rule.scores(ITEMS, [Vote(()), Vote(())])))) == 1


@rules()
def test_ties(rule):
    """Tied items are tied, ahead of those behind them."""
    a, b, c = rule.scores("abc", [Vote((("a", "b"), ("c",)))] * 2)
    if isinstance(rule, BestPath):
        assert min(a, b) > c
    else:
        assert a == pytest.approx(b, abs=1e-9)
        assert a > c


UNNAMED = {"rank_centrality", "bradley_terry", "zermelo", "elo", "win_rate", "copeland"}
"""Rules under which an item that no vote names is in the middle."""


@rules()
def test_an_item_that_no_vote_names(rule):
    found = scores(rule, "abx", [Vote.of("ab")] * 2)
    name = AGGREGATIONS.name_of(type(rule))
    assert found["a"] > found["b"] or (name == "plurality" and found["a"] > 0)
    if name in UNNAMED:
        assert found["a"] > found["x"] > found["b"]
    elif name == "minimax":
        assert found["x"] == 0 > found["b"]  # it never lost
    elif name in {"kemeny", "mallows", "best_path"}:
        assert found["x"] != found["a"]  # anywhere: no place costs anything
    else:
        assert found["x"] <= found["b"]


@rules()
def test_comparisons_that_hang_together_nowhere(rule):
    """a beats b and c beats d: each pair in order, and alike where the rule says nothing else."""
    found = scores(rule, "abcd", [Vote.of("ab"), Vote.of("cd")] * 2)
    assert found["a"] > found["b"]
    assert found["c"] > found["d"]
    if AGGREGATIONS.name_of(type(rule)) not in ONE_OF_MANY | {"elo"}:
        assert (found["a"], found["b"]) == pytest.approx((found["c"], found["d"]), abs=1e-6)


@rules()
@given(cast=votes(min_size=1))
@settings(max_examples=20)
def test_behind_a_head(rule, cast):
    """What a head lacks is tied at its end; rules that add up what lists give have nothing to add for it."""
    heads = [dataclasses.replace(vote, head=True) for vote in cast]
    if AGGREGATIONS.name_of(type(rule)) in SUMS:
        assert rule.scores(ITEMS, heads) == rule.scores(ITEMS, cast)
        return
    if AGGREGATIONS.name_of(type(rule)) == "robust":
        return  # its weights are those of what was listed
    spelt = [
        dataclasses.replace(vote, groups=(*vote.groups, rest)) if (rest := lacking(vote)) else vote for vote in cast
    ]
    assert rule.scores(ITEMS, heads) == pytest.approx(rule.scores(ITEMS, spelt), abs=1e-6)


def lacking(vote):
    listed = {item for group in vote.groups for item in group}
    return tuple(item for item in ITEMS if item not in listed)


@pytest.mark.parametrize("name", NAMES)
def test_the_spec_of_a_rule_is_read_back(name):
    spec = f"jointrank(block=20, replicas=4, design=equi, aggregate={show(AGGREGATIONS[name](), AGGREGATIONS)}, seed=0)"
    assert str(Stage.parse(f"jointrank(aggregate={name})")) == spec
    assert str(Stage.parse(spec)) == spec
