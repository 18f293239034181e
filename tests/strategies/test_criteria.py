"""Criteria first, then every document by each of them; the reasons stay with the results."""

import json
import math
import re

import pytest
from scripted_server import Answer, ScriptedServer

from rerankllm import Reranker
from rerankllm.calls import Reply
from rerankllm.data import Document, Query, Ranking
from rerankllm.drivers.events import Failed
from rerankllm.errors import CapabilityError, QueryFailed, SpecError
from rerankllm.formats.objects import to_candidates
from rerankllm.journal.codec import dump, load
from rerankllm.judgements import Assess, Assessment, Criterion, Failure, Unanswered, Write
from rerankllm.runs.writer import rows
from rerankllm.spec.stage import Stage

QUERY = Query("q", "how long do fleas live")
TEXTS = ["Dogs bark.", "Fleas live for weeks.", "Fleas jump."]
CRITERIA = (Criterion("says how long", 3.0), Criterion("is about fleas", 1.0))


def ranked(play, make_candidates, grades):
    """Three documents with these grades by two criteria."""
    answers = {f"d{i}": Assessment(row, ("because", "")) for i, row in enumerate(grades)}
    steps = Stage.parse("criteria(count=2)").strategy.rank(QUERY, make_candidates(len(grades)))
    return play(steps, lambda j: CRITERIA if isinstance(j, Write) else answers[j.doc.doc_id])


def test_the_mean_is_weighted_and_ties_keep_the_first_stages_order(play, make_candidates):
    played = ranked(play, make_candidates, [(0.0, 8.0), (4.0, 0.0), (2.0, 2.0), (1.0, 5.0)])
    assert [(r.doc_id, r.score) for r in played.ranking] == [("d1", 3.0), ("d0", 2.0), ("d2", 2.0), ("d3", 2.0)]
    assert played.rounds[0] == (Write(QUERY, 2),)
    assert played.rounds[1][0] == Assess(QUERY, Document("d0", "passage number 0"), CRITERIA)
    assert (played.calls, len(played.rounds), played.slots) == (5, 2, 4)


def test_a_missing_grade_is_left_out_of_the_mean_and_noted(play, make_candidates):
    played = ranked(play, make_candidates, [(math.nan, 4.0), (5.0, 5.0)])
    assert [(r.doc_id, r.score) for r in played.ranking] == [("d1", 5.0), ("d0", 4.0)]
    assert played.ranking.ledger.notes == {"criteria without a grade": 1}
    assert played.ranking[1].rationale == ("says how long (weight 3): no grade - because\nis about fleas (weight 1): 4")


@pytest.mark.parametrize("failing", [Write, Assess])
def test_without_criteria_or_grades_there_is_no_ranking(play, make_candidates, failing):
    def answer(judgement):
        if isinstance(judgement, failing):
            return Unanswered("not a list", Failure.ANSWER)
        return CRITERIA

    steps = Stage.parse("criteria").strategy.rank(QUERY, make_candidates(3))
    with pytest.raises(QueryFailed, match="not a list"):
        play(steps, answer)


def test_at_least_one_criterion():
    with pytest.raises(SpecError, match="count should be at least 1"):
        Stage.parse("criteria(count=0)")


def judge(body, _):
    """Names two criteria; then grades by words of the passage."""
    prompt = body["messages"][-1]["content"]
    passage = re.search(r"^Passage: (.*)$", prompt, re.MULTILINE)
    if passage is None:
        return Answer("1. Says how long (5)\n2. Is about fleas (2)")
    long, fleas = (10 * (word in passage.group(1).lower()) for word in ("weeks", "fleas"))
    assert "\n[1] Says how long\n[2] Is about fleas\n" in prompt
    return Answer(f"[1]: {long} - it {'says' if long else 'does not say'} so\n[2]: {fleas} - see there")


def test_through_a_driver_and_resumed_from_a_journal(tmp_path):
    with ScriptedServer(judge) as server:
        model = f"openai:scripted?base_url={server.url}"
        for _ in range(2):
            with Reranker("criteria(count=2)", model, journal=tmp_path / "journal") as reranker:
                (ranking,) = reranker.stream([(QUERY, to_candidates(TEXTS))])
                assert str(reranker.stage).startswith("criteria(count=2) / text")
            assert isinstance(ranking, Ranking), ranking
            assert [r.document.text for r in ranking] == [TEXTS[1], TEXTS[2], TEXTS[0]]
            assert [r.score for r in ranking] == pytest.approx([10, 20 / 7, 0])
            assert server.calls == 4
    ledger = ranking.ledger
    assert (ledger.calls, ledger.replayed, ledger.rounds, ledger.slots, ledger.parsed) == (4, 4, 2, 3, 4)
    assert rows(ranking)[0]["rationale"] == (
        "Says how long (weight 5): 10 - it says so\nIs about fleas (weight 2): 10 - see there"
    )


def test_rationales_are_in_the_jsonl(cli, tmp_path):
    (tmp_path / "run").write_text("".join(f"q Q0 {i} {i + 1} {9 - i} x\n" for i in range(3)))
    (tmp_path / "queries").write_text(f"q\t{QUERY.text}\n")
    documents = ({"_id": str(i), "title": "", "text": text} for i, text in enumerate(TEXTS))
    (tmp_path / "corpus.jsonl").write_text("".join(f"{json.dumps(document)}\n" for document in documents))
    with ScriptedServer(judge) as server:
        status, _, err = cli(
            "rerank", "--run", tmp_path / "run", "--queries", tmp_path / "queries", "--corpus",
            tmp_path / "corpus.jsonl", "--strategy", "criteria(count=2)", "--model",
            f"openai:scripted?base_url={server.url}", "--output", tmp_path / "out", "--jsonl", tmp_path / "rows.jsonl",
            "--no-journal",
        )  # fmt: skip
    assert status == 0, err
    first = json.loads((tmp_path / "rows.jsonl").read_text().splitlines()[0])
    assert (first["doc_id"], first["rationale"].splitlines()[1]) == ("1", "Is about fleas (weight 2): 10 - see there")


def test_criteria_that_cannot_be_read_fail_the_query_and_nothing_else_is_asked():
    with ScriptedServer(lambda *_: Answer("It should be a good passage.")) as server:
        with Reranker("criteria", f"openai:scripted?base_url={server.url}", unusable="fail") as reranker:
            (outcome,) = reranker.stream([(QUERY, to_candidates(TEXTS))])
        assert server.calls == 1
    assert isinstance(outcome, Failed)
    assert outcome.reason == ("the model answered 'It should be a good passage.', in which no answer was found")
    assert (outcome.ledger.calls, outcome.ledger.failed) == (1, 1)


def test_judges_that_only_know_grades_are_refused_before_any_call(tmp_path):
    (tmp_path / "qrels").write_text("q 0 1 3\n")
    for kind in ("oracle", "simulated"):
        with pytest.raises(CapabilityError, match="and this strategy asks it to write criteria"):
            Reranker("criteria", f"{kind}:{tmp_path / 'qrels'}")


@pytest.mark.parametrize(
    ("work", "answer"),
    [
        (Write(QUERY, 2), CRITERIA),
        (Assess(QUERY, Document("a", "a"), CRITERIA), Assessment((1.0, 2.0), ("because", ""))),
    ],
)
def test_a_journal_keeps_direct_answers(work, answer):
    assert load(dump(Reply(answer)), work) == Reply(answer)


def test_an_estimate_counts_the_criteria_once_and_holds_what_was_sent():
    with ScriptedServer(judge) as server:
        model = f"openai:scripted?base_url={server.url}&price_prompt=1&price_completion=1"
        with Reranker("criteria(count=2)", model) as reranker:
            asked = [(QUERY, to_candidates(TEXTS))]
            estimate = reranker.estimate(asked)
            list(reranker.stream(asked))
            count = reranker.backend.tokenizer.encode
        sent = sum(len(count(message["content"])) for body in server.bodies for message in body["messages"])
        most = sum(body.get("max_completion_tokens") or body["max_tokens"] for body in server.bodies)
    assert sent in estimate.prompt_tokens
    assert estimate.completion_tokens.high == most


@pytest.mark.slow(seconds=7)
def test_a_small_real_model_that_cannot_do_it_says_so():
    """SmolLM2-135M writes a criterion, but no grades: both prompts go through a real model, and its failure is one.

    Its text has near ties, and is another on another processor: should grades be in it for once, they rank.
    """
    pytest.importorskip("llama_cpp", reason="needs the extra `llamacpp`")
    with Reranker("criteria(count=3)", "llamacpp:smollm2") as reranker:
        (outcome,) = reranker.stream([(QUERY, to_candidates(TEXTS))])
    assert (outcome.ledger.calls, outcome.ledger.rounds) == (4, 2)
    assert isinstance(outcome, Ranking) or "in which no answer was found" in outcome.reason, outcome
