"""Answers that cannot be used: asked once more, then no evidence; never a lost query, never a ranking from nothing."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scripted_server import Answer, ScriptedServer, Status

from rerankllm import Reranker
from rerankllm.data import Document, Provenance, Query, Ranking
from rerankllm.drivers.budget import Limits
from rerankllm.drivers.events import Failed
from rerankllm.drivers.unusable import another_order, in_first_order, no_evidence
from rerankllm.errors import InputError
from rerankllm.judgements import (
    Assess,
    Compare,
    Criterion,
    Draft,
    Ends,
    Grade,
    Permute,
    Score,
    Select,
    WeakOrder,
    Write,
)

TEXTS = [f"passage {i} about fleas" for i in range(6)]
GARBAGE = "I would rather not say."
QUERY = Query("q", "fleas")


def passages(body):
    """The numbers of the passages in the order shown."""
    return [int(n) for n in re.findall(r"passage (\d+) about", json.dumps(body["messages"]))]


def best_first(body):
    """Answers honestly: the passage with the highest number is best."""
    shown = passages(body)
    return " > ".join(f"[{shown.index(n) + 1}]" for n in sorted(shown, reverse=True))


def asked(server, spec, **how):
    with Reranker(spec, f"openai:scripted?base_url={server.url}", **how) as reranker:
        return reranker.submit(QUERY, TEXTS).result()


def test_an_order_is_asked_for_once_more_in_another_order_and_the_second_answer_counts():
    seen = []

    def script(body, number):
        seen.append(passages(body))
        return Answer(GARBAGE if number == 0 else best_first(body))

    with ScriptedServer(script) as server:
        ranking = asked(server, "full(top_k=6)")
    assert sorted(seen[0]) == sorted(seen[1])
    assert seen[0] != seen[1]
    assert [int(i) for i in ranking.doc_ids] == [5, 4, 3, 2, 1, 0]
    assert (ranking.ledger.calls, ranking.ledger.attempts, ranking.ledger.rounds) == (1, 2, 1)
    assert (ranking.ledger.parsed, ranking.ledger.failed, ranking.ledger.slots) == (1, 0, 12)
    assert ranking.ledger.usage.prompt_tokens == 14
    assert ranking.ledger.notes["asked again"] == 1


def test_a_window_without_evidence_stays_as_it_is_and_is_marked_unread():
    """Windows are 4 5, 2 3 and 0 1: the second one is never answered."""

    def script(body, number):
        return Answer(GARBAGE if set(passages(body)) == {2, 3} else best_first(body))

    with ScriptedServer(script) as server:
        ranking = asked(server, "sliding(window=2, stride=2)")
    assert [int(i) for i in ranking.doc_ids] == [1, 0, 2, 3, 5, 4]
    unread = {int(r.doc_id) for r in ranking if r.provenance is Provenance.UNREAD}
    assert unread == {2, 3}
    assert (ranking.ledger.calls, ranking.ledger.failed, ranking.ledger.attempts) == (3, 1, 4)


def test_a_single_document_is_asked_about_again_with_sampling_then_keeps_its_place_without_a_score():
    temperatures = []

    def script(body, number):
        (n,) = passages(body)
        if n == 2:
            temperatures.append(body["temperature"])
            return Answer(GARBAGE)
        return Answer("3" if n > 2 else "1")

    with ScriptedServer(script) as server:
        ranking = asked(server, "pointwise / text")
    assert temperatures == [0.0, 1.0]
    assert [int(i) for i in ranking.doc_ids] == [3, 4, 2, 5, 0, 1]
    assert ranking[2].score is None
    assert ranking[2].provenance is Provenance.UNREAD


def test_a_query_fails_when_half_of_its_answers_or_more_are_unusable():
    for bad in (2, 3):

        def script(body, number, bad=bad):
            (n,) = passages(body)
            return Answer(GARBAGE if n < bad else "3")

        with ScriptedServer(script) as server:
            outcome = asked(server, "pointwise / text")
        assert isinstance(outcome, Failed) == (bad == 3)
    assert outcome.reason.startswith("3 of 6 answers could not be used, such as this: the model answered 'I would")


def test_it_is_neither_asked_again_nor_kept_where_that_is_said():
    with ScriptedServer(lambda *_: Answer(GARBAGE)) as server:
        outcome = asked(server, "full", unusable="fail")
        assert server.calls == 1
    assert isinstance(outcome, Failed)
    with pytest.raises(InputError, match="unusable should be keep or fail, found often"):
        Reranker("sliding", "openai:x?base_url=http://localhost:1", unusable="often")


def test_a_call_that_fails_the_second_time_fails_the_query_so_that_it_can_be_resumed():
    with ScriptedServer(lambda _, number: Answer(GARBAGE) if number == 0 else Status(400)) as server:
        outcome = asked(server, "full")
    assert isinstance(outcome, Failed)
    assert "400" in outcome.reason


def test_a_budget_that_refuses_the_second_try_leaves_the_first():
    def script(body, number):
        return Answer(GARBAGE if number == 2 else best_first(body))

    with ScriptedServer(script) as server:
        ranking = asked(server, "sliding(window=2, stride=2)", per_query=Limits(calls=3))
        assert server.calls == 3
    assert isinstance(ranking, Ranking)
    assert [int(i) for i in ranking.doc_ids] == [0, 1, 3, 2, 5, 4]
    assert (ranking.ledger.calls, ranking.ledger.failed) == (3, 1)


def test_both_answers_are_kept_and_neither_is_paid_for_again(tmp_path, cli):
    journal = tmp_path / "calls.journal"

    def script(body, number):
        return Answer(GARBAGE if number == 0 else best_first(body))

    with ScriptedServer(script) as server:
        first = asked(server, "sliding(window=4, stride=2)", journal=journal)
        paid = server.calls
        again = asked(server, "sliding(window=4, stride=2)", journal=journal)
        assert server.calls == paid
    assert again.doc_ids == first.doc_ids
    assert again.ledger.notes == first.ledger.notes
    assert (again.ledger.replayed, again.ledger.calls) == (first.ledger.calls, first.ledger.calls)
    recording = tmp_path / "heard.jsonl"
    assert cli("journal", journal, "--export", recording)[0] == 0
    with Reranker("sliding(window=4, stride=2)", f"recorded:{recording}") as reranker:
        replayed = reranker.submit(QUERY, TEXTS).result()
    assert replayed.doc_ids == first.doc_ids


DOCS = tuple(Document(f"d{i}", f"text {i}") for i in range(5))
SEVERAL = [Permute(QUERY, DOCS), Permute(QUERY, DOCS, 2), Select(QUERY, DOCS, 2), Grade(QUERY, DOCS)]


@pytest.mark.parametrize("judgement", SEVERAL, ids=lambda j: type(j).__name__)
def test_another_order_shows_the_same_documents_and_is_always_the_same(judgement):
    other = another_order(judgement)
    assert other.docs != judgement.docs
    assert set(other.docs) == set(judgement.docs)
    assert other == another_order(judgement)


def test_pairs_are_turned_round_and_single_documents_have_no_other_order():
    assert another_order(Compare(QUERY, *DOCS[:2])) == Compare(QUERY, DOCS[1], DOCS[0])
    single = [Score(QUERY, DOCS[0]), Permute(QUERY, DOCS[:1]), Assess(QUERY, DOCS[0], (Criterion("c"),))]
    assert [another_order(j) for j in [*single, Write(QUERY, 2), Draft(QUERY)]] == [None] * 5


@given(st.lists(st.floats(0, 9), min_size=5, max_size=5), st.permutations(range(5)), st.integers(0, 5))
def test_what_is_said_of_documents_in_another_order_is_said_of_them_in_the_first(values, order, named):
    value = dict(zip([doc.doc_id for doc in DOCS], values, strict=True))
    grade = Grade(QUERY, DOCS)
    other = another_order(grade)
    answer = tuple(value[doc.doc_id] for doc in other.docs)
    assert in_first_order(grade, other, answer) == tuple(values)
    ids = [f"d{i}" for i in order]
    permute = Permute(QUERY, DOCS)
    told = WeakOrder(tuple((i,) for i in ids[:named]), tuple(ids[named:]))
    found = in_first_order(permute, another_order(permute), told)
    assert found.groups == told.groups
    assert found.omitted == tuple(doc.doc_id for doc in DOCS if doc.doc_id in ids[named:])
    pair = Compare(QUERY, *DOCS[:2])
    assert in_first_order(pair, another_order(pair), 0.25) == 0.75


def test_what_says_nothing_favours_nobody():
    assert no_evidence(Permute(QUERY, DOCS)) == WeakOrder((), tuple(doc.doc_id for doc in DOCS))
    assert no_evidence(Compare(QUERY, *DOCS[:2])) == 0.5
    assert no_evidence(Select(QUERY, DOCS)) == no_evidence(Ends(QUERY, DOCS)) == ()
    assert no_evidence(Draft(QUERY)) is None


def test_criteria_that_cannot_be_read_twice_fail_the_query_and_are_never_made_up():
    assert no_evidence(Write(QUERY, 2)) is None
    with ScriptedServer(lambda *_: Answer("It should be a good passage.")) as server:
        outcome = asked(server, "criteria")
        assert server.calls == 2
    assert isinstance(outcome, Failed)
    assert "It should be a good passage" in outcome.reason
