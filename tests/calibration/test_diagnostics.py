"""What is measured of a judge: against brute force, and against judges whose errors are known."""

import math
import random
from itertools import combinations, permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kendalltau

from rerankllm.calibration import diagnostics
from rerankllm.calibration.diagnostics import (
    Listed,
    Share,
    cyclic_triads,
    inconsistency,
    kendall_distance,
    margins,
    place_curve,
    self_agreement,
)
from rerankllm.judgements import WeakOrder


def graph(n, outcomes, seed):
    rng = random.Random(seed)
    table = {pair: rng.choice(outcomes) for pair in combinations(map(str, range(n)), 2)}

    def prefers(a, b):
        if (a, b) in table:
            return table[a, b]
        return None if table[b, a] is None else 1 - table[b, a]

    return [str(i) for i in range(n)], prefers


def brute_force(items, prefers):
    known = [t for t in combinations(items, 3) if all(prefers(a, b) is not None for a, b in combinations(t, 2))]
    rounds = [
        t
        for t in known
        if any(prefers(a, b) > 0.5 and prefers(b, c) > 0.5 and prefers(c, a) > 0.5 for a, b, c in permutations(t))
    ]
    return Share(len(rounds), len(known))


@pytest.mark.slow
@given(n=st.integers(0, 12), seed=st.integers(0, 999), outcomes=st.sampled_from([[0, 1], [0, 0.5, 1], [0, 1, None]]))
def test_triads_that_go_round_are_counted_right(n, seed, outcomes):
    items, prefers = graph(n, outcomes, seed)
    assert cyclic_triads(items, prefers) == brute_force(items, prefers)


def test_no_order_goes_round_and_rock_paper_scissors_does():
    assert cyclic_triads("abcd", lambda a, b: float(a < b)) == Share(0, 4)
    beats = {("r", "s"), ("s", "p"), ("p", "r")}
    assert cyclic_triads("rps", lambda a, b: float((a, b) in beats)) == Share(1, 1)


def test_many_items_with_ties_are_sampled(monkeypatch):
    items, prefers = graph(60, [0, 0.5, 1], 1)
    exact = cyclic_triads(items, prefers)
    monkeypatch.setattr(diagnostics, "MOST_COUNTED", 10)
    monkeypatch.setattr(diagnostics, "SAMPLE", 4000)
    sampled = cyclic_triads(items, prefers)
    assert sampled.of == 4000
    assert sampled.value == pytest.approx(exact.value, abs=0.02)
    assert sampled == cyclic_triads(items, prefers) != cyclic_triads(items, prefers, seed=1)


def test_inconsistency_counts_pairs_whose_winner_follows_the_order():
    comparisons = {
        ("a", "b"): 0.9, ("b", "a"): 0.8,  # whoever is first
        ("a", "c"): 0.9, ("c", "a"): 0.3,  # a
        ("b", "c"): 0.4, ("c", "b"): 0.1,  # whoever is second
        ("a", "d"): 0.5, ("d", "a"): 0.9,  # a tie contradicts nothing
        ("b", "d"): 0.9,  # in one order only
    }  # fmt: skip
    assert inconsistency(comparisons) == Share(2, 4)
    assert math.isnan(inconsistency({}).value)


@pytest.mark.slow
@given(st.lists(st.floats(-4, 4), min_size=2, max_size=6), st.floats(-2, 2))
def test_the_mean_margin_of_all_pairs_in_both_orders_is_the_liking_for_the_first_place(worth, liking):
    def p(x):
        return 1 / (1 + math.exp(-x))

    pairs = permutations(range(len(worth)), 2)
    comparisons = {(str(i), str(j)): p(worth[i] - worth[j] + liking) for i, j in pairs}
    found = margins(comparisons)
    assert sum(found) / len(found) == pytest.approx(liking, abs=1e-6)


def test_answers_in_words_have_no_margin():
    assert margins({("a", "b"): 1.0, ("b", "a"): 0.0, ("a", "c"): 0.5}) == [0.0]


@pytest.mark.slow
@given(st.permutations(range(7)), st.permutations(range(7)))
def test_kendall_distance_is_scipys(one, other):
    tau = kendalltau([one.index(i) for i in range(7)], [other.index(i) for i in range(7)]).statistic
    assert kendall_distance([*map(str, one)], [*map(str, other)]) == pytest.approx((1 - tau) / 2)


def test_fewer_than_two_items_have_no_distance():
    assert math.isnan(kendall_distance(["a"], ["a"]))


def listed(shown, ranked, omitted=""):
    return Listed(tuple(shown), WeakOrder(tuple(tuple(group) for group in ranked), tuple(omitted)))


def test_a_judge_that_copies_the_prompt_has_a_straight_curve_and_one_that_knows_has_a_flat_one():
    shuffled = list(permutations("abc"))
    copied = place_curve([listed(shown, shown) for shown in shuffled])
    assert [(p.place, p.rank, p.first) for p in copied] == [(1, 1, 1), (2, 2, 0), (3, 3, 0)]
    known = place_curve([listed(shown, "abc") for shown in shuffled])
    assert [(p.rank, p.first) for p in known] == [(2, pytest.approx(1 / 3))] * 3


def test_ties_and_omitted_documents_share_ranks_and_shorter_prompts_are_left_out():
    (one, two, three, four) = place_curve([listed("abcd", ["b", "ac"], "d"), listed("ab", "ab")])
    assert [p.rank for p in (one, two, three, four)] == [2.5, 1, 2.5, 4]
    assert [p.first for p in (one, two, three, four)] == [0, 1, 0, 0]
    assert place_curve([]) == []


@pytest.mark.slow
@given(st.lists(st.sampled_from(["a", "bc", "d", "ef"]), unique=True, min_size=2), st.permutations("abcdef"))
def test_self_agreement_is_taub(groups, other):
    ranked = [letter for group in groups for letter in group]
    one = listed("abcdef", groups, [letter for letter in "abcdef" if letter not in ranked])
    two = listed("fedcba", other)
    ranks = {}
    for group in [*groups, one.order.omitted]:
        ranks |= dict.fromkeys(group, len(ranks))
    expected = kendalltau([ranks[i] for i in "abcdef"], [other.index(i) for i in "abcdef"]).statistic
    assert self_agreement([one, two]) == [pytest.approx(expected)]


def test_the_same_prompt_twice_says_nothing_of_shuffles():
    one = listed("ab", "ab")
    assert self_agreement([one, one, listed("cd", "dc")]) == []
