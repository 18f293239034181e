"""A certificate is what trying every change of votes finds, or no more than that where it is a lower bound."""

import itertools
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rerankllm.aggregation.borda import Borda
from rerankllm.aggregation.certified import certify
from rerankllm.aggregation.combsum import CombSum
from rerankllm.aggregation.copeland import Copeland
from rerankllm.aggregation.dowdall import Dowdall
from rerankllm.aggregation.kemeny import Kemeny
from rerankllm.aggregation.plurality import Plurality
from rerankllm.aggregation.rrf import ReciprocalRankFusion
from rerankllm.aggregation.votes import Vote
from rerankllm.aggregation.win_rate import WinRate
from rerankllm.registry import AGGREGATIONS

EXACT = [Borda(), Plurality(), WinRate(), Copeland(), Dowdall(), ReciprocalRankFusion(k=1), CombSum()]
each_rule = pytest.mark.parametrize("rule", EXACT, ids=lambda rule: type(rule).__name__)


def ranked(rule, items, votes):
    """The items, best first; equal scores as the items are."""
    scores = [round(score, 9) for score in rule.scores(items, votes)]
    return [items[i] for i in sorted(range(len(items)), key=lambda i: -scores[i])]


def first(rule, items, votes, top_k):
    """The items of the top k."""
    return set(ranked(rule, items, votes)[:top_k])


def weak_orders(items):
    """Every order of some items, with and without ties."""
    for places in itertools.product(range(len(items)), repeat=len(items)):
        if set(places) == set(range(max(places) + 1)):
            yield tuple(tuple(i for i, at in zip(items, places, strict=True) if at == p) for p in sorted(set(places)))


def changed(votes, count):
    """Every way to let so many votes say anything else, or nothing."""
    for chosen in itertools.combinations(range(len(votes)), count):
        kept = [vote for i, vote in enumerate(votes) if i not in chosen]
        shown = [(votes[i].weight, [item for group in votes[i].groups for item in group]) for i in chosen]
        said = ([None, *(Vote(groups, weight) for groups in weak_orders(items))] for weight, items in shown)
        yield from ([*kept, *filter(None, each)] for each in itertools.product(*said))


def some_vote(chance, items, *, ties):
    """A vote on two items or more."""
    groups = []
    for item in chance.sample(items, chance.randint(2, len(items))):
        if groups and ties and chance.random() < 0.3:
            groups[-1].append(item)
        else:
            groups.append([item])
    return Vote(tuple(map(tuple, groups)), chance.choice([0.5, 1.0, 1.0, 2.0]))


@pytest.mark.slow
@pytest.mark.parametrize("rule", [*EXACT, Kemeny(exact=0)], ids=lambda rule: type(rule).__name__)
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10**6), size=st.integers(1, 3), top_k=st.integers(1, 2))
def test_no_fewer_votes_change_a_top_k_and_no_more_are_needed(rule, seed, size, top_k):
    chance = random.Random(seed)
    votes = [some_vote(chance, "abc", ties=True) for _ in range(size)]
    found = certify(rule, "abc", votes, top_k)
    assert found.of == size
    before = ranked(rule, "abc", votes)
    inside, outside = before[:top_k], before[top_k:]
    fewest = dict.fromkeys([None, *"abc"], size + 1)  # votes that change the top k; and that put an item over its edge
    for count in range(size, 0, -1):
        for said in changed(votes, count):
            order = ranked(rule, "abc", said)
            for i, o in itertools.product(inside, outside):
                if order.index(o) < order.index(i):
                    fewest |= dict.fromkeys([None, i, o], count)
    for only, votes_needed in fewest.items():
        found = certify(rule, "abc", votes, top_k, only=only)
        assert found.survives < votes_needed
        assert not found.exact or found.survives == votes_needed - 1
        assert found.exact != isinstance(rule, Kemeny) or found.survives == size


@each_rule
@pytest.mark.parametrize("seed", range(6))
def test_one_more_vote_lets_the_item_in_that_is_named(rule, seed):
    """Seven votes on seven items: the exact number is reached by the pair that is named, and by none below it."""
    chance, items = random.Random(seed), "abcdefg"
    votes = [some_vote(chance, items, ties=False) for _ in range(7)]
    found = certify(rule, items, votes, 3)
    assert found.exact
    before = first(rule, items, votes, 3)
    if found.leaves is None:
        assert found.survives == 7
        return
    assert found.leaves in before
    assert found.enters not in before

    def with_pair(chosen):
        """Votes that have the item that enters first, and the one that leaves last."""
        for i, vote in enumerate(votes):
            shown = [item for (item,) in vote.groups]
            place = {found.enters: -1, found.leaves: 1}
            yield Vote.of(sorted(shown, key=lambda item: place.get(item, 0)), vote.weight) if i in chosen else vote

    def turned(count):
        every = itertools.combinations(range(7), count)
        return any(first(rule, items, list(with_pair(chosen)), 3) != before for chosen in every)

    assert turned(found.survives + 1)
    assert found.survives == 0 or not turned(found.survives)


def test_what_a_unanimous_borda_count_survives():
    """Ten votes of four items: the second leads the third by 10; one vote takes 4 of it, so three turn it round."""
    found = certify(Borda(), "abcd", [Vote.of("abcd")] * 10, 2)
    assert (found.survives, found.of, found.exact, found.leaves, found.enters) == (2, 10, True, "b", "c")
    assert certify(Borda(), "abcd", [Vote.of("abcd")] * 10, 2, only="a").survives == 4
    assert certify(Borda(), "abcd", [Vote.of("abcd")] * 10, 2, only="d").survives == 4
    assert certify(Borda(), "abcd", [Vote.of("abcd")] * 10, 4).survives == 10


def test_equal_scores_are_ordered_as_the_items_are():
    votes = [Vote.of("ab"), Vote.of("ba")]
    assert certify(Borda(), "ab", votes, 1).leaves == "a"
    assert certify(Borda(), "ba", votes, 1).leaves == "b"
    one = [Vote.of("ab")] * 2
    assert certify(Borda(), "ab", one, 1).survives == 1  # one changed vote makes a tie, which a wins
    assert certify(Borda(), "ba", one, 1).survives == 0


def test_a_vote_changes_nothing_for_items_that_it_does_not_list():
    votes = [Vote.of("ab"), Vote.of("ab"), Vote.of("cd")]
    found = certify(Borda(), "abcd", votes, 1, only="c")
    assert (found.survives, found.enters) == (1, "c")


def test_too_many_sets_of_votes_leave_a_lower_bound():
    votes = [Vote.of("abcdef")] * 40
    found = certify(Copeland(), "abcdef", votes, 3)
    assert not found.exact
    assert 10 <= found.survives < 20  # 20 of 40 take the majority of c over d away


def test_a_head_may_name_any_item():
    votes = [Vote((("a",), ("b",)), head=True)] * 3
    for rule, survives in ((Borda(), 1), (ReciprocalRankFusion(), 0), (Plurality(), 1)):
        assert certify(rule, "abc", votes, 1).survives == survives, rule


def test_what_is_not_known_is_not_said():
    votes = [Vote.of("abc")] * 3
    known = {name for name in AGGREGATIONS if certify(AGGREGATIONS[name](), "abc", votes, 1) is not None}
    assert known == {"borda", "plurality", "win_rate", "copeland", "dowdall", "rrf", "combsum", "kemeny"}
    assert certify(WinRate(per="opponent"), "abc", votes, 1) is None
    assert certify(CombSum(scale="zscore"), "abc", votes, 1) is None
