"""The worst goes until one is left; and the closest vector comes first."""

import pytest

from rerankllm.data import Candidate, Document
from rerankllm.errors import QueryFailed
from rerankllm.judgements import Failure, Unanswered
from rerankllm.spec.stage import Stage


def run(play, query, names, answer, spec):
    return play(Stage.parse(spec).strategy.rank(query, [Candidate(Document(n, n)) for n in names]), answer)


def test_the_order_of_removal_reversed_is_the_ranking(play, query):
    played = run(play, query, "adcb", lambda j: (max(doc.doc_id for doc in j.docs),), "iranker")
    assert [("".join(d.doc_id for d in j.docs), j.m, j.worst) for (j,) in played.rounds] == [
        ("adcb", 1, True),
        ("acb", 1, True),
        ("ab", 1, True),
    ]
    assert played.ranking.doc_ids == ("a", "b", "c", "d")


def test_where_nobody_is_named_the_first_stage_decides(play, query):
    answers = iter([("a",), Unanswered("?", Failure.ANSWER), ("b",)])
    played = run(play, query, "abcd", lambda _: next(answers), "iranker")
    assert played.ranking.doc_ids == ("c", "b", "d", "a")
    assert played.ranking.ledger.notes == {"removed without an answer": 1}


def test_embed_sorts_by_cosine_not_by_length(play, query):
    vectors = [[1.0, 1.0], [10.0, 0.0], [0.1, 0.1], [0.0, 0.0], [-1.0, -1.0], [0.0, 3.0]]
    played = run(play, query, "abcde", lambda _: vectors, "embed")
    assert played.ranking.doc_ids == ("b", "a", "e", "c", "d")
    assert [r.score for r in played.ranking] == pytest.approx([1.0, 0.5**0.5, 0.5**0.5, 0.0, -1.0])
    assert (played.calls, played.slots) == (1, 5)


def test_embed_fuses_with_the_first_stage(play, query):
    candidates = [Candidate(Document(n, n), s) for n, s in (("a", 3.0), ("b", 2.0), ("c", 1.0))]
    vectors = [[1.0, 0.0], [0.0, 1.0], [1.0, 1.0], [1.0, 0.0]]
    played = play(Stage.parse("interpolate(embed, weight=0.6)").strategy.rank(query, candidates), lambda _: vectors)
    assert played.ranking.doc_ids[0] == "c"


def test_a_vector_that_is_none_is_no_ranking(play, query):
    with pytest.raises(QueryFailed, match="no finite number"):
        run(play, query, "a", lambda _: [[1.0], [float("nan")]], "embed")
