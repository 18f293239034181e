"""The pivot, and when to stop."""

import random

import pytest

from rerankllm.errors import QueryFailed, SpecError
from rerankllm.judgements import Failure, Unanswered, WeakOrder
from rerankllm.spec.stage import Stage


def run(play, query, candidates, answer, spec="tdpart(window=5, top_k=3)"):
    return play(Stage.parse(spec).strategy.rank(query, candidates), answer)


def by(worth):
    """Answers by worth, whatever the order shown."""
    return lambda j: WeakOrder(tuple((d.doc_id,) for d in sorted(j.docs, key=lambda d: -worth[d.doc_id])))


def ids(judgement):
    return [doc.doc_id for doc in judgement.docs]


def test_it_stops_when_nothing_beats_the_pivot(make_candidates, play, query):
    """Six calls, two rounds: no document of the first list is ranked a second time but the pivot."""
    worth = {f"d{i}": -i for i in range(100)}
    played = run(play, query, make_candidates(100), by(worth), "tdpart")
    assert (played.calls, len(played.rounds), played.slots) == (6, 2, 105)
    assert all(ids(judgement)[0] == "d9" for judgement in played.rounds[1])
    assert played.ranking.doc_ids == tuple(f"d{i}" for i in range(100))


def test_what_beats_the_pivot_is_ranked_with_those_above_it(make_candidates, play, query):
    worth = {f"d{i}": -i for i in range(13)} | {"d11": 0.5}
    played = run(play, query, make_candidates(13), by(worth))
    assert [[ids(j) for j in batch] for batch in played.rounds] == [
        [["d0", "d1", "d2", "d3", "d4"]],
        [["d2", "d5", "d6", "d7", "d8"], ["d2", "d9", "d10", "d11", "d12"]],
        [["d0", "d11", "d1"]],
    ]
    order = ("d11", "d0", "d1", "d2", "d3", "d4", "d5", "d6", "d7", "d8", "d9", "d10", "d12")
    assert played.ranking.doc_ids == order


def test_what_ties_with_the_pivot_stays_behind_it_and_an_omitted_pivot_is_beaten(make_candidates, play, query):
    answers = iter(
        [
            WeakOrder((("d0",), ("d1",), ("d2",)), ("d3", "d4")),
            WeakOrder((("d6",), ("d5", "d2")), ("d7", "d8")),
            WeakOrder((("d9",),), ("d2", "d10")),
            WeakOrder((("d9",), ("d6",), ("d0",), ("d1",))),
        ]
    )
    played = run(play, query, make_candidates(11), lambda _: next(answers))
    assert played.ranking.doc_ids == ("d9", "d6", "d0", "d1", "d2", "d3", "d4", "d5", "d7", "d8", "d10")
    assert played.ranking.ledger.notes == {"omitted documents": 6, "tied documents": 2}


@pytest.mark.parametrize(
    ("order", "calls", "rounds"),
    [("first stage", (6, 8), (2, 4)), ("random", (8, 11), (3, 6)), ("reversed", (15, 15), (7, 7))],
)
def test_costs_by_how_good_the_first_stage_is(order, calls, rounds, make_candidates, play, query):
    """Published simulations, with one call more than needed: 7.8 calls, 11 on random and 16 on reversed order."""
    used = []
    for seed in range(10):
        rng = random.Random(seed)
        drift = {"first stage": -1 / 25, "random": 0, "reversed": 1}[order]
        worth = {f"d{i}": i * drift + rng.gauss(0, 1 if order != "reversed" else 0) for i in range(100)}
        played = run(play, query, make_candidates(100), by(worth), "tdpart")
        used.append((played.calls, len(played.rounds)))
    means = [sum(values) / len(values) for values in zip(*used, strict=True)]
    assert calls[0] <= means[0] <= calls[1]
    assert rounds[0] <= means[1] <= rounds[1]


def test_an_unusable_answer_fails_the_query(make_candidates, play, query):
    with pytest.raises(QueryFailed, match="no label"):
        run(play, query, make_candidates(9), lambda _: Unanswered("no label", Failure.ANSWER))


@pytest.mark.parametrize("wrong", ["window=1, top_k=1", "top_k=21", "top_k=0", "window=5, top_k=6"])
def test_wrong_parameters(wrong):
    with pytest.raises(SpecError, match="tdpart: (window|top_k) should be"):
        Stage.parse(f"tdpart({wrong})")
