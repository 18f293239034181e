"""Reading again only what is uncertain."""

import pytest

from rerankllm.data import Candidate, Document
from rerankllm.errors import SpecError
from rerankllm.judgements import WeakOrder
from rerankllm.spec.stage import Stage
from rerankllm.strategies.acurank import _first_beliefs
from rerankllm.strategies.belief.skill import Belief


def by_number(judgement):
    """The larger the number, the better: the reverse of the first stage."""
    order = sorted(judgement.docs, key=lambda doc: -int(doc.doc_id[1:]))
    return WeakOrder(tuple((doc.doc_id,) for doc in order))


def run(play, query, candidates, answer=by_number, **parameters):
    listed = ", ".join(f"{name}={value}" for name, value in parameters.items())
    return play(Stage.parse(f"acurank({listed})").strategy.rank(query, candidates), answer)


@pytest.mark.parametrize("change", [lambda s: s * 1000, lambda s: s - 500, lambda s: s / 1e6], ids=["×", "−", "÷"])
def test_the_units_of_the_first_stage_make_no_difference(change, make_candidates, play, query):
    candidates = make_candidates(60)
    moved = [Candidate(c.document, change(c.score)) for c in candidates]
    one, other = (run(play, query, c) for c in (candidates, moved))
    assert one.rounds == other.rounds
    assert one.ranking.doc_ids == other.ranking.doc_ids


def test_without_scores_ranks_stand_in_and_equal_scores_say_nothing(make_candidates, play, query):
    candidates = make_candidates(45)
    unscored = [Candidate(c.document) for c in candidates]
    assert run(play, query, candidates).rounds == run(play, query, unscored).rounds
    assert set(_first_beliefs([Candidate(c.document, 3.0) for c in candidates])) == {Belief(25.0, 25 / 3)}


def as_given(judgement):
    return WeakOrder(tuple((doc.doc_id,) for doc in sorted(judgement.docs, key=lambda doc: int(doc.doc_id[1:]))))


def test_round_one_reads_all_and_later_ones_the_uncertain(make_candidates, play, query):
    played = run(play, query, make_candidates(100), as_given)
    assert [len(j.docs) for j in played.rounds[0]] == [20] * 5
    for batch in played.rounds[1:]:
        shown = [doc.doc_id for judgement in batch for doc in judgement.docs]
        assert len(shown) == len(set(shown)) < 100
    assert "d99" not in {doc.doc_id for batch in played.rounds[1:] for j in batch for doc in j.docs}
    assert set(played.ranking.doc_ids[:10]) == {f"d{i}" for i in range(10)}


def test_certainty_costs_calls(make_candidates, play, query):
    calls = [run(play, query, make_candidates(100), as_given, tolerance=t, max_calls=99).calls for t in (0.2, 0.01)]
    assert calls[0] < calls[1]
    few = [run(play, query, make_candidates(100), as_given, few=f, max_calls=99).calls for f in (30, 5)]
    assert few[0] < few[1]


def test_a_draw_probability_makes_orders_say_more(make_candidates, play, query):
    calls = [run(play, query, make_candidates(100), as_given, draw=draw, max_calls=99).calls for draw in (0.0, 0.5)]
    assert calls[0] > calls[1]
    assert str(Stage.parse("acurank")) == str(Stage.parse("acurank(draw=0.0)")) != str(Stage.parse("acurank(draw=0.1)"))


@pytest.mark.parametrize("most", [1, 2, 5, 6, 9])
def test_the_budget_is_kept_and_what_it_leaves_unread_comes_last(most, make_candidates, play, query):
    played = run(play, query, make_candidates(100), max_calls=most)
    assert 1 <= played.calls <= most
    read = {doc.doc_id for batch in played.rounds for j in batch for doc in j.docs}
    unread = [c.doc_id for c in make_candidates(100) if c.doc_id not in read]
    assert list(played.ranking.doc_ids[len(read) :]) == unread
    assert [r.score is None for r in played.ranking] == [False] * len(read) + [True] * len(unread)


@pytest.mark.parametrize("n", [8, 30])
def test_omitted_documents_are_beaten_and_noted(n, make_candidates, play, query):
    def last_two(judgement):
        ids = [doc.doc_id for doc in judgement.docs]
        return WeakOrder(tuple((i,) for i in ids[:-3:-1]), tuple(ids[:-2]))

    played = run(play, query, make_candidates(n), last_two, window=15, top_k=2, max_calls=1)
    assert played.ranking.doc_ids[:2] == (f"d{min(n, 15) - 1}", f"d{min(n, 15) - 2}")
    shown = [len(j.docs) for batch in played.rounds for j in batch]
    assert played.ranking.ledger.notes == {"omitted documents": sum(shown) - 2 * len(shown)}


@pytest.mark.parametrize(
    "wrong", ["window=2", "top_k=0", "few=0", "max_calls=0", "tolerance=0", "tolerance=0.5", "tolerance=-1", "draw=1"]
)
def test_wrong_parameters(wrong):
    with pytest.raises(SpecError, match=f"acurank: {wrong.split('=')[0]} should be"):
        Stage.parse(f"acurank({wrong})")


def test_one_window_is_one_call_and_its_order(play, query):
    docs = [Candidate(Document(f"d{i}", "x"), 1.0) for i in range(20)]
    played = run(play, query, docs)
    assert played.calls == 1
    assert played.ranking.doc_ids == tuple(f"d{i}" for i in reversed(range(20)))
