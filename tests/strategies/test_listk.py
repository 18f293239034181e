"""Several pivots in a list, and which parts go on."""

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


def test_pivots_first_then_chunks_then_the_parts_that_hold_the_first_places(make_candidates, play, query):
    """d2 and d3 are the pivots: what the first stage has behind the places looked for."""
    worth = {f"d{i}": -i for i in range(9)} | {"d8": 0.5}
    played = run(play, query, make_candidates(9), by(worth), "listk(window=5, pivots=2, top_k=2)")
    assert [[ids(j) for j in batch] for batch in played.rounds] == [
        [["d2", "d3"]],
        [["d2", "d3", "d0", "d1", "d4"], ["d2", "d3", "d5", "d6", "d7"], ["d2", "d3", "d8"]],
        [["d0", "d1", "d8", "d2", "d3"]],
    ]
    assert played.ranking.doc_ids == ("d8", "d0", "d1", "d2", "d3", "d4", "d5", "d6", "d7")


def test_a_part_that_fits_no_prompt_has_pivots_of_its_own(make_candidates, play, query):
    """The first stage turned round: everything is above the pivots, again and again."""
    worth = {f"d{i}": i for i in range(12)}
    played = run(play, query, make_candidates(12), by(worth), "listk(window=4, pivots=1, top_k=2)")
    assert [batch[0].docs[0].doc_id for batch in played.rounds[:-1]] == ["d2", "d5", "d8"]
    assert played.ranking.doc_ids[:2] == ("d11", "d10")
    assert len(played.rounds) == 4


def test_two_long_parts_are_ordered_at_the_same_time(make_candidates, play, query):
    worth = {f"d{i}": -i for i in range(16)}
    played = run(play, query, make_candidates(16), by(worth), "listk(window=5, pivots=1, top_k=14)")
    assert played.ranking.doc_ids == tuple(f"d{i}" for i in range(16))
    assert max(len(batch) for batch in played.rounds[1:]) > 1


def test_ties_and_what_is_omitted_stay_in_the_order_shown_behind_the_pivots(make_candidates, play, query):
    def first_only(judgement):
        first, *rest = ids(judgement)
        return WeakOrder(((first,),), tuple(rest))

    played = run(play, query, make_candidates(7), first_only, "listk(window=4, pivots=2, top_k=2)")
    assert played.ranking.doc_ids[:2] == ("d2", "d3")
    assert played.ranking.ledger.notes["omitted documents"] > 0


@pytest.mark.parametrize("wrong", ["window=1, pivots=1", "top_k=0", "pivots=0", "pivots=20"])
def test_wrong_parameters(wrong):
    with pytest.raises(SpecError, match=f"listk: {wrong.split('=')[0]} should be"):
        Stage.parse(f"listk({wrong})")
