"""Conclusions drawn from orders, tiers made of cycles, and when to stop."""

import random
from statistics import mean

import pytest

from rerankllm.errors import SpecError
from rerankllm.judgements import WeakOrder
from rerankllm.spec.stage import Stage


def run(play, query, candidates, answer, spec):
    return play(Stage.parse(spec).strategy.rank(query, candidates), answer)


def by(worth):
    """Answers by worth, whatever the order shown."""
    return lambda j: WeakOrder(tuple((d.doc_id,) for d in sorted(j.docs, key=lambda d: -worth[d.doc_id])))


def ids(judgement):
    return [doc.doc_id for doc in judgement.docs]


def test_the_three_fastest_of_25_horses_take_seven_races_of_five(make_candidates, play, query):
    """The riddle with which the paper begins: five races, one of their winners, one of all who may still be second."""
    for seed in range(20):
        speed = {f"d{i}": random.Random(f"{seed} {i}").random() for i in range(25)}
        played = run(play, query, make_candidates(25), by(speed), "blitzrank(window=5, top_k=3)")
        assert [len(batch) for batch in played.rounds] == [5, 1, 1]
        assert list(played.ranking.doc_ids[:3]) == sorted(speed, key=speed.get, reverse=True)[:3]


def test_what_follows_from_answers_is_not_asked(make_candidates, play, query):
    """d0 beats d3 and d3 beats d4: nothing is left to ask about d0 and d4."""
    worth = {f"d{i}": -i for i in range(9)}
    played = run(play, query, make_candidates(9), by(worth), "blitzrank(window=3, top_k=2)")
    assert [[ids(j) for j in batch] for batch in played.rounds] == [
        [["d0", "d1", "d2"], ["d3", "d4", "d5"], ["d6", "d7", "d8"]],
        [["d0", "d3", "d6"]],
        [["d1", "d3", "d2"]],
    ]
    assert played.ranking.doc_ids == tuple(f"d{i}" for i in (0, 1, 2, 3, 4, 6, 5, 7, 8))


def test_documents_round_a_cycle_are_one_tier_in_the_first_stages_order(make_candidates, play, query):
    answers = iter(["d0 d1 d2", "d1 d3 d0"])
    played = run(
        play,
        query,
        make_candidates(4),
        lambda _: WeakOrder(tuple((doc_id,) for doc_id in next(answers).split())),
        "blitzrank(window=3, top_k=4)",
    )
    assert [ids(j) for batch in played.rounds for j in batch] == [["d0", "d1", "d2"], ["d3", "d0", "d1"]]
    assert played.ranking.doc_ids == ("d0", "d1", "d3", "d2")  # d2 was never compared with d3, which the tier beats
    assert played.ranking.ledger.notes == {"documents in tiers": 3}


def test_ties_and_what_is_omitted_stay_in_the_order_shown(make_candidates, play, query):
    def last(judgement):
        *rest, best = ids(judgement)
        return WeakOrder(((best,),), tuple(rest))

    played = run(play, query, make_candidates(4), last, "blitzrank")
    assert played.ranking.doc_ids == ("d3", "d0", "d1", "d2")
    assert played.ranking.ledger.notes == {"omitted documents": 3}


def test_costs_as_the_public_code_has_them(make_candidates, play, query):
    """13 calls and 130 to 133 slots on TREC DL 2019, which has clearer winners than this."""
    used = []
    for seed in range(20):
        chance = random.Random(seed)
        worth = {f"d{i}": -i / 25 + chance.gauss(0, 1) for i in range(100)}
        played = run(play, query, make_candidates(100), by(worth), "blitzrank")
        used.append((played.calls, len(played.rounds), played.slots))
    calls, rounds, slots = map(mean, zip(*used, strict=True))
    assert 13 <= calls <= 14
    assert 4 <= rounds <= 5
    assert 130 <= slots <= 140


@pytest.mark.parametrize("wrong", ["window=1", "top_k=0"])
def test_wrong_parameters(wrong):
    with pytest.raises(SpecError, match=f"blitzrank: {wrong.split('=')[0]} should be"):
        Stage.parse(f"blitzrank({wrong})")
