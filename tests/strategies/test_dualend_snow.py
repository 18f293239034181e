"""Both ends in one answer, and a pivot that the model writes."""

import random

import pytest

from rerankllm import Reranker
from rerankllm.backends.oracle import Oracle
from rerankllm.data import Candidate, Document
from rerankllm.errors import SpecError
from rerankllm.judgements import Draft, Ends, Permute, WeakOrder
from rerankllm.spec.stage import Stage


def run(play, query, candidates, answer, spec):
    return play(Stage.parse(spec).strategy.rank(query, candidates), answer)


def number(doc):
    return int(doc.doc_id[1:])


def right(judgement):
    """The larger the number, the better, the reverse of the first stage; what is written is worth 7½."""
    if isinstance(judgement, Draft):
        return "a passage"
    order = sorted(judgement.docs, key=lambda doc: -7.5 if doc.doc_id.startswith("pivot") else -number(doc))
    if isinstance(judgement, Ends):
        return order[0].doc_id, order[-1].doc_id
    return WeakOrder(tuple((doc.doc_id,) for doc in order))


class TestDualEnd:
    def test_the_ranking_fills_from_both_ends(self, make_candidates, play, query):
        played = run(play, query, make_candidates(9), right, "dualend(top_k=2)")
        assert [len(judgement.docs) for batch in played.rounds for judgement in batch] == [9, 7]
        assert played.ranking.doc_ids == ("d8", "d7", "d2", "d3", "d4", "d5", "d6", "d1", "d0")

    def test_half_as_many_calls_as_documents_give_the_whole_order(self, make_candidates, play, query):
        for n in (2, 3, 8, 9, 100):
            played = run(play, query, make_candidates(n), right, "dualend(top_k=50)")
            assert played.calls == n // 2
            assert played.ranking.doc_ids == tuple(f"d{i}" for i in reversed(range(n)))

    def test_where_an_answer_is_none_the_first_stage_names_the_ends(self, make_candidates, play, query):
        answers = iter([("d2", "d0"), (), ("d4", "d3")])
        played = run(play, query, make_candidates(6), lambda _: next(answers), "dualend(top_k=3)")
        assert played.ranking.doc_ids == ("d2", "d1", "d4", "d3", "d5", "d0")
        assert played.ranking.ledger.notes == {"ends without an answer": 1}

    def test_wrong_parameters(self):
        with pytest.raises(SpecError, match="dualend: top_k should be"):
            Stage.parse("dualend(top_k=0)")


class TestSnow:
    def test_the_pivot_is_in_every_window_and_what_beats_it_is_ranked_again(self, make_candidates, play, query):
        played = run(play, query, make_candidates(10), right, "snow(window=5)")
        first, windows, last = played.rounds
        assert first == (Draft(query, 2),)
        assert [[doc.doc_id for doc in j.docs] for j in windows] == [
            ["d0", "d1", "d2", "d3", "pivot"],
            ["d4", "d5", "d6", "d7", "pivot"],
            ["d8", "d9", "pivot"],
        ]
        assert {j.docs[-1].text for j in windows} == {"a passage"}
        (again,) = last
        assert {doc.doc_id for doc in again.docs} == {"d9", "d8"}
        assert played.ranking.doc_ids == ("d9", "d8", "d3", "d2", "d1", "d0", "d7", "d6", "d5", "d4")
        assert played.ranking.ledger.notes == {"documents above the pivot": 2}

    def test_more_above_the_pivot_than_a_window_holds_are_ranked_by_a_sliding_one(self, make_candidates, play, query):
        played = run(play, query, make_candidates(30), right, "snow(window=5)")
        assert all(len(batch) == 1 for batch in played.rounds[2:])
        assert played.ranking.doc_ids[:3] == ("d29", "d28", "d27")

    def test_no_pivot_where_one_window_holds_the_list(self, make_candidates, play, query):
        played = run(play, query, make_candidates(20), right, "snow")
        assert [type(j) for batch in played.rounds for j in batch] == [Permute]

    def test_the_pivot_has_an_id_of_its_own_and_is_in_no_ranking(self, play, query):
        docs = [Candidate(Document(name, "x")) for name in ("pivot", "pivot'", "d2", "d3")]

        def as_shown(judgement):
            return "a text" if isinstance(judgement, Draft) else WeakOrder(tuple((d.doc_id,) for d in judgement.docs))

        played = run(play, query, docs, as_shown, "snow(window=3)")
        assert [j.docs[-1].doc_id for j in played.rounds[1]] == ["pivot''"] * 2
        assert sorted(played.ranking.doc_ids) == ["d2", "d3", "pivot", "pivot'"]

    @pytest.mark.parametrize("wrong", ["window=1", "grade=4", "grade=-1"])
    def test_wrong_parameters(self, wrong):
        with pytest.raises(SpecError, match=f"snow: {wrong.split('=')[0]} should be"):
            Stage.parse(f"snow({wrong})")


@pytest.fixture
def qrels(tmp_path):
    path = tmp_path / "qrels.txt"
    chance = random.Random(0)
    path.write_text("".join(f"q 0 d{i} {chance.choice([0, 0, 0, 1, 2, 3])}\n" for i in range(60)))
    return path


@pytest.mark.parametrize("spec", ["dualend(top_k=30)", "snow(window=12, grade=1)", "snow(window=12)"])
def test_judges_by_qrels_answer_both_and_know_what_they_wrote(spec, qrels, play, query, make_candidates):
    oracle = Oracle(name=str(qrels))
    candidates = make_candidates(60)
    played = play(Stage.parse(spec).strategy.rank(query, candidates), lambda j: oracle.answer(j).answer)
    grades = {line.split()[2]: int(line.split()[3]) for line in qrels.read_text().splitlines()}
    ideal = sorted(grades.values(), reverse=True)[:5]
    assert [grades[doc_id] for doc_id in played.ranking.doc_ids[:5]] == ideal
    with Reranker(spec, f"simulated:{qrels}?noise=0&belief=0&position=0") as reranker:
        ranking = reranker.rerank(query, [candidate.document for candidate in candidates])
    assert [grades[doc_id] for doc_id in ranking.doc_ids[:5]] == ideal
