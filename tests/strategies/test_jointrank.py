"""Blocks ranked side by side, and one order from all of them; groups graded side by side."""

import math

import pytest

from rerankllm.data import Candidate, Document
from rerankllm.errors import QueryFailed, SpecError
from rerankllm.judgements import Failure, Unanswered, WeakOrder
from rerankllm.spec.stage import Stage


def run(play, query, candidates, answer, spec):
    return play(Stage.parse(spec).strategy.rank(query, candidates), answer)


def by_number(judgement):
    return WeakOrder(tuple((d.doc_id,) for d in sorted(judgement.docs, key=lambda d: -int(d.doc_id[1:]))))


class TestJointRank:
    def test_right_answers_from_overlapping_blocks_put_the_best_on_top(self, make_candidates, play, query):
        played = run(play, query, make_candidates(60), by_number, "jointrank(block=12, replicas=6)")
        assert (played.calls, len(played.rounds), played.slots) == (30, 1, 360)
        assert len({f"d{i}" for i in range(50, 60)} & set(played.ranking.doc_ids[:10])) >= 8
        assert played.ranking.doc_ids[-1] in {f"d{i}" for i in range(6)}

    @pytest.mark.parametrize("aggregate", ["bradley_terry", "borda", "rrf"])
    def test_omitted_documents_are_tied_whatever_order_their_block_showed(
        self, aggregate, make_candidates, play, query
    ):
        """Every block names d5 only: the others have the same score, and so the first stage's order."""

        def only_d5(judgement):
            rest = tuple(doc.doc_id for doc in judgement.docs if doc.doc_id != "d5")
            return WeakOrder((("d5",),), rest)

        played = run(play, query, make_candidates(8), only_d5, f"jointrank(block=8, aggregate={aggregate})")
        assert played.ranking.doc_ids == ("d5", "d0", "d1", "d2", "d3", "d4", "d6", "d7")
        assert len({result.score for result in played.ranking[1:]}) == 1
        assert played.ranking.ledger.notes == {"omitted documents": 28}

    def test_what_is_in_no_block_comes_last_and_unscored(self, make_candidates, play, query):
        spec = "jointrank(block=5, replicas=1, design=random, aggregate=borda)"
        played = run(play, query, make_candidates(40), by_number, spec)
        shown = {doc.doc_id for j in played.rounds[0] for doc in j.docs}
        unseen = [c.doc_id for c in make_candidates(40) if c.doc_id not in shown]
        assert unseen
        assert list(played.ranking.doc_ids[-len(unseen) :]) == unseen
        assert [result.score is None for result in played.ranking] == [False] * len(shown) + [True] * len(unseen)

    def test_a_block_without_an_answer_is_no_evidence(self, make_candidates, play, query):
        """Every document is in one block: those of the unusable one follow, as the first stage had them."""
        nothing = Unanswered("no label", Failure.ANSWER)
        lost = []

        def answer(judgement):
            if lost:
                return by_number(judgement)
            lost.extend(doc.doc_id for doc in judgement.docs)
            return nothing

        spec = "jointrank(block=5, replicas=1, aggregate=borda)"
        played = run(play, query, make_candidates(15), answer, spec)
        assert played.ranking.doc_ids[-5:] == tuple(sorted(lost, key=lambda doc_id: int(doc_id[1:])))
        assert [result.score is None for result in played.ranking] == [False] * 10 + [True] * 5
        assert played.ranking.ledger.notes == {"blocks without an answer": 1}
        with pytest.raises(QueryFailed, match="no label"):
            run(play, query, make_candidates(15), lambda _: nothing, spec)
        with pytest.raises(QueryFailed, match="timeout"):
            run(play, query, make_candidates(15), lambda _: Unanswered("timeout"), spec)

    def test_blocks_follow_seed_and_query(self, make_candidates, play, query):
        def rounds(seed, of=query):
            return run(play, of, make_candidates(30), by_number, f"jointrank(block=10, seed={seed})").rounds[0]

        assert rounds(0) == rounds(0)
        assert rounds(0) != rounds(1)
        other = rounds(0, type(query)("other", query.text))
        assert [j.docs for j in other] != [j.docs for j in rounds(0)]

    def test_a_design_that_is_not_there_says_so_in_plan_and_rank(self, make_candidates, play, query):
        spec = "jointrank(block=5, replicas=2, design=latin)"
        with pytest.raises(SpecError, match="latin: blocks of 5 take up to 25 documents, found 26"):
            Stage.parse(spec).strategy.plan(26)
        with pytest.raises(SpecError, match="found 26"):
            run(play, query, make_candidates(26), by_number, spec)

    @pytest.mark.parametrize("wrong", ["block=1", "replicas=0", "design=square", "aggregate=best"])
    def test_wrong_parameters(self, wrong):
        with pytest.raises(SpecError):
            Stage.parse(f"jointrank({wrong})")


class TestGroup:
    DOCS = tuple(Candidate(Document(name, name), 0.0) for name in "abcdef")

    def grade(self, grades):
        return lambda j: tuple(grades[doc.doc_id] for doc in j.docs)

    def test_grades_are_pooled_over_groups_and_ties_keep_the_first_stage_order(self, play, query):
        grades = {"a": 1.0, "b": 9.0, "c": 1.0, "d": 10.0, "e": 1.0, "f": 9.0}
        played = run(play, query, self.DOCS, self.grade(grades), "group(size=4)")
        assert [len(j.docs) for j in played.rounds[0]] == [3, 3]
        assert played.ranking.doc_ids == ("d", "b", "f", "a", "c", "e")
        assert [result.score for result in played.ranking] == [5.0, 3.5, 3.5, 1.0, 1.0, 1.0]

    def test_a_document_without_a_grade_is_last_and_noted(self, play, query):
        grades = dict.fromkeys("acdef", 0.0) | {"b": math.nan}
        played = run(play, query, self.DOCS, self.grade(grades), "group")
        assert played.ranking.doc_ids == ("a", "c", "d", "e", "f", "b")
        assert played.ranking.ledger.notes == {"documents without a grade": 1}

    def test_groups_are_dealt_at_random_and_shown_in_first_stage_order(self, make_candidates, play, query):
        spec = "group(size=10, regroupings=3)"
        played = run(play, query, make_candidates(40), lambda j: (0.0,) * len(j.docs), spec)
        shown = [[int(doc.doc_id[1:]) for doc in j.docs] for j in played.rounds[0]]
        assert all(group == sorted(group) for group in shown)
        for start in (0, 4, 8):
            assert sorted(i for group in shown[start : start + 4] for i in group) == list(range(40))
        assert len({tuple(group) for group in shown}) == 12
        assert max(group[-1] - group[0] for group in shown) > 20

    def test_regroupings_are_fused_by_mean_rank_so_scales_may_drift(self, play, query):
        """The second regrouping is graded ten times as strictly: every order counts the same."""
        answers = iter([(9.0, 8.0, 7.0), (0.7, 0.9, 0.8), (7.0, 9.0, 8.0)])
        docs = self.DOCS[:3]
        played = run(play, query, docs, lambda _: next(answers), "group(regroupings=3)")
        assert played.ranking.doc_ids == ("b", "a", "c")
        assert [result.score for result in played.ranking] == [5.0, 2.0, 2.0]

    def test_or_by_mean_grade(self, play, query):
        """The second regrouping could not be used, and the third gave c nothing."""
        nothing = math.nan
        answers = iter([(9.0, 8.0, 7.0), (nothing,) * 3, (7.0, 9.0, nothing)])
        played = run(play, query, self.DOCS[:3], lambda _: next(answers), "group(regroupings=3, pool=mean)")
        assert played.ranking.doc_ids == ("b", "a", "c")
        assert [result.score for result in played.ranking] == [8.5, 8.0, 7.0]

    def test_the_mean_grade_is_the_papers_and_missing_grades_have_no_say(self, play, query):
        answers = iter([(9.0, 8.0, 7.0), (1.0, math.nan, 4.0), (2.0, 6.0, 7.0)])
        played = run(play, query, self.DOCS[:3], lambda _: next(answers), "group(regroupings=3, pool=mean)")
        assert played.ranking.doc_ids == ("b", "c", "a")
        assert [result.score for result in played.ranking] == [7.0, 6.0, 4.0]
        assert str(Stage.parse("group")) == "group(size=20, regroupings=1, seed=0)"

    def test_more_regroupings_average_noise_out(self, make_candidates, play, query):
        import random

        def hits(regroupings):
            found = 0
            for seed in range(6):
                rng = random.Random(seed)
                worth = {f"d{i}": rng.gauss(5, 2) for i in range(60)}
                played = run(
                    play,
                    query,
                    make_candidates(60),
                    lambda j, w=worth, r=rng: tuple(w[d.doc_id] + r.gauss(0, 2) for d in j.docs),
                    f"group(regroupings={regroupings})",
                )
                best = sorted(worth, key=worth.__getitem__, reverse=True)[:10]
                found += len(set(best) & set(played.ranking.doc_ids[:10]))
            return found

        assert hits(8) > hits(1) + 6

    @pytest.mark.parametrize("wrong", ["size=0", "regroupings=0"])
    def test_wrong_parameters(self, wrong):
        with pytest.raises(SpecError, match="group: "):
            Stage.parse(f"group({wrong})")
