"""The whole list in one prompt, and what happens when the answer is poor."""

from dataclasses import replace

import pytest

from rerankllm.errors import QueryFailed, SpecError
from rerankllm.judgements import Failure, Unanswered, WeakOrder
from rerankllm.spec.stage import Stage
from rerankllm.strategies.questions.lists import NO_EVIDENCE

NOTHING = Unanswered("no label", Failure.ANSWER)


def run(play, query, candidates, answers, spec="full(top_k=4)"):
    """Played with one answer a call: how many ids are named, from the end of what is shown, or none."""
    left = iter(answers)

    def answer(judgement):
        named = next(left)
        if isinstance(named, Unanswered):
            return named
        ids = [doc.doc_id for doc in judgement.docs]
        return WeakOrder(tuple((i,) for i in ids[::-1][:named]), tuple(ids[: len(ids) - named]))

    return play(Stage.parse(spec).strategy.rank(query, candidates), answer)


def test_only_the_wanted_places_are_decoded(make_candidates, play, query):
    played = run(play, query, make_candidates(9), [4])
    assert [j.decode for batch in played.rounds for j in batch] == [4]
    assert played.ranking.doc_ids == ("d8", "d7", "d6", "d5", "d0", "d1", "d2", "d3", "d4")
    assert played.ranking.ledger.notes == {}
    assert run(play, query, make_candidates(3), [3]).rounds[0][0].decode == 3


def test_half_of_the_places_will_do(make_candidates, play, query):
    played = run(play, query, make_candidates(9), [2])
    assert played.calls == 1
    assert played.ranking.doc_ids[:3] == ("d8", "d7", "d0")
    assert played.ranking.ledger.notes == {"places not named": 2}


def test_less_is_asked_again_with_the_documents_shuffled(make_candidates, play, query):
    played = run(play, query, make_candidates(9), [1, 4])
    shown = [tuple(doc.doc_id for doc in batch[0].docs) for batch in played.rounds]
    assert len(shown) == 2
    assert shown[0] != shown[1]
    assert sorted(shown[0]) == sorted(shown[1])
    named = shown[1][::-1][:4]
    rest = tuple(c.doc_id for c in make_candidates(9) if c.doc_id not in named)
    assert played.ranking.doc_ids == named + rest
    assert played.ranking.ledger.notes == {"asked again, shuffled": 1}


@pytest.mark.parametrize("second", [1, 0, NOTHING])
def test_the_first_answer_counts_unless_the_second_names_more(second, make_candidates, play, query):
    played = run(play, query, make_candidates(9), [1, second])
    assert played.ranking.doc_ids == ("d8", *(f"d{i}" for i in range(8)))
    assert played.ranking.ledger.notes == {"asked again, shuffled": 1, "places not named": 3}


def test_an_unusable_answer_is_no_ranking(make_candidates, play, query):
    with pytest.raises(QueryFailed, match="no label"):
        run(play, query, make_candidates(9), [NOTHING])


def test_without_evidence_the_list_stays_and_that_is_noted(make_candidates, play, query):
    candidates = make_candidates(9)
    nothing = replace(NOTHING, instead=WeakOrder((), tuple(c.doc_id for c in candidates)))
    played = run(play, query, candidates, [nothing])
    assert played.ranking.doc_ids == tuple(c.doc_id for c in candidates)
    assert played.ranking.ledger.notes == {NO_EVIDENCE: 1}


def test_a_call_that_fails_fails_the_query(make_candidates, play, query):
    with pytest.raises(QueryFailed, match="timeout"):
        run(play, query, make_candidates(9), [Unanswered("timeout")])


def test_the_shuffle_follows_the_seed_and_the_query(make_candidates, play, query):
    def shown(seed, of=query):
        played = run(play, of, make_candidates(9), [1, 4], f"full(top_k=4, seed={seed})")
        return [doc.doc_id for doc in played.rounds[1][0].docs]

    assert shown(0) == shown(0)
    assert shown(0) != shown(1)
    assert shown(0) != shown(0, type(query)("another", query.text))


def test_ties_keep_the_first_stage_order(make_candidates, play, query):
    answer = WeakOrder((("d3",), ("d2", "d0")), ("d1",))
    played = play(Stage.parse("full").strategy.rank(query, make_candidates(4)), lambda _: answer)
    assert played.ranking.doc_ids == ("d3", "d0", "d2", "d1")


def test_wrong_parameters():
    with pytest.raises(SpecError, match="full: top_k should be at least 1, found 0"):
        Stage.parse("full(top_k=0)")
