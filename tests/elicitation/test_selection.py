"""Which of a group: read from text, from label log-probabilities, and after a thought."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from word_tokenizer import WordTokenizer

from rerankllm.calls import Capabilities, Generate, ReadLabels, Response
from rerankllm.data import Document, Query, Ranking
from rerankllm.elicitation.base import PromptSettings, default_elicitation
from rerankllm.elicitation.labels import letters, numbers
from rerankllm.elicitation.logprobs import Labels
from rerankllm.elicitation.reasoning import Reasoning
from rerankllm.elicitation.selection import parse_selection
from rerankllm.elicitation.text import Text
from rerankllm.errors import TemplateError
from rerankllm.judgements import Failure, Select, Status, Unanswered
from rerankllm.reranker import Reranker

QUERY = Query("q", "how long do fleas live")
DOCS = tuple(Document(name, f"passage {name}") for name in "abcdefghijkl")
LOCAL = Capabilities(generate=True, label_logprobs=100, token_prompts=True)
CHAT = Capabilities(generate=True, label_logprobs=20)


def bind(elicitation, capabilities=LOCAL):
    return elicitation.bind(Select, WordTokenizer(), capabilities, PromptSettings())


PARSED, REPAIRED, FAILED = Status.PARSED, Status.REPAIRED, Status.FAILED


@pytest.mark.parametrize(
    ("text", "named", "status"),
    [
        ("[3]", "3", PARSED),
        ("3", "3", PARSED),
        (" Passage 12.", "12", PARSED),
        ("The most relevant passage is [3].", "3", PARSED),
        ("**[3]**", "3", PARSED),
        ("3] is the one", "3", PARSED),
        ("[3], since [1] is about cats", "3", REPAIRED),
        ("I compared [1] and [2]. Answer: [2]", "2", REPAIRED),
        ("The most relevant is the second passage, which says how long fleas live.", "2", PARSED),
        ("It is the 12th one", "12", PARSED),
        ("Passage 4; the first passage is about dogs", "4", PARSED),
        ("Either the first passage or the 3rd one", None, FAILED),
        ("Not the first passage", None, FAILED),
        ("It bites for the second time", None, FAILED),
        ("[1] or [2]", None, FAILED),
        ("[13]", None, FAILED),
        ("there are 3 fleas", None, FAILED),
        ("[1] Dogs bark. [2] Fleas jump. [3] Cats sleep.", None, FAILED),
        ("", None, FAILED),
    ],
)
def test_one_of_twelve(text, named, status):
    found, report = parse_selection(text, numbers(12))
    assert found == (() if named is None else (int(named) - 1,))
    assert report.status is status


@pytest.mark.parametrize(
    ("text", "m", "found", "repairs"),
    [
        ("[3], [1], [12]", 3, (2, 0, 11), {}),
        ("3, 1, 12", 3, (2, 0, 11), {}),
        ("3, 1 and 12", 3, (2, 0, 11), {}),
        ("[3] and [1]", 2, (2, 0), {}),
        ("[3] > [1]", 2, (2, 0), {}),
        ("The most relevant are [3], [1] & [12].", 3, (2, 0, 11), {}),
        ("[3], [1], [12], [4]", 2, (2, 0), {"extra": 2}),
        ("[3], [3], [1]", 2, (2, 0), {"repeated": 1}),
        ("[3], [99]", 2, (2,), {"unknown": 1, "missing": 1}),
        ("[3]", 4, (2,), {"missing": 3}),
    ],
)
def test_several_of_twelve(text, m, found, repairs):
    selected, report = parse_selection(text, numbers(12), m)
    assert (selected, report.repairs) == (found, repairs)
    assert report.status is (REPAIRED if repairs else PARSED)


def test_letters():
    assert parse_selection("C", letters(4))[0] == (2,)
    assert parse_selection("[B], [D] and [A]", letters(4), 3)[0] == (1, 3, 0)


ELICITORS = {name: bind(elicitation) for name, elicitation in (("text", Text()), ("reasoning", Reasoning()))}


@pytest.mark.slow
@given(st.text() | st.lists(st.sampled_from(["[1]", "2", ",", " and ", "</think>", "A", "[99]", ">"])).map("".join),
       st.integers(1, 4), st.sampled_from(["text", "reasoning"]))  # fmt: skip
def test_reading_never_raises_and_names_only_what_was_shown(text, m, name):
    answer, report = ELICITORS[name].read(Select(QUERY, DOCS[:5], m), Response(text))
    assert isinstance(answer, Unanswered) == (report.status is FAILED)
    if not isinstance(answer, Unanswered):
        assert 1 <= len(answer) <= m
        assert len(set(answer)) == len(answer)
        assert set(answer) <= set("abcde")


def test_text():
    elicitor = bind(Text())
    request = elicitor.prepare(Select(QUERY, DOCS, 3))
    assert isinstance(request.want, Generate)
    assert request.want.max_tokens > elicitor.prepare(Select(QUERY, DOCS)).want.max_tokens
    assert bind(Text(max_tokens=5)).prepare(Select(QUERY, DOCS)).want.max_tokens == 5
    assert elicitor.read(Select(QUERY, DOCS, 3), Response("[3], [12], [1]"))[0] == ("c", "l", "a")
    answer, report = elicitor.read(Select(QUERY, DOCS, 3), Response("[3], [12], ", finish_reason="length"))
    assert (answer.failure, report.repairs) == (Failure.ANSWER, {"cut off": 1})
    assert elicitor.read(Select(QUERY, DOCS, 3), Response("[3], [12]"))[0] == ("c", "l")


@pytest.mark.parametrize("elicitation", [Text(), Labels(), Reasoning()])
def test_the_prompt_says_how_many_and_whether_the_worst(elicitation):
    def shown(judgement):
        elicitor = bind(elicitation, CHAT)
        return elicitor.prepare(judgement).prompt.messages[-1].content

    best, worst = shown(Select(QUERY, DOCS[:4])), shown(Select(QUERY, DOCS[:4], worst=True))
    assert "least relevant" in worst
    assert worst.replace("least relevant", "most relevant") == best
    if not isinstance(elicitation, Labels):
        assert "Which 3 of the 4 passages are the most relevant" in shown(Select(QUERY, DOCS[:4], 3))


def test_reasoning_is_rank_r1():
    elicitor = bind(Reasoning(budget=100))
    judgement = Select(QUERY, DOCS[:3])
    room = bind(Text()).prepare(judgement).want.max_tokens
    assert elicitor.prepare(judgement).want.max_tokens == 100 + room
    assert elicitor.read(judgement, Response("<think>[1] is on dogs</think> <answer>[2]</answer>"))[0] == ("b",)
    answer, report = elicitor.read(judgement, Response("<think>[1]", finish_reason="length"))
    assert (answer.failure, report.repairs) == (Failure.ANSWER, {"unclosed reasoning": 1})


def test_labels_are_the_likeliest_letters():
    elicitor = bind(Labels())
    request = elicitor.prepare(Select(QUERY, DOCS[:4], 2))
    assert isinstance(request.want, ReadLabels)
    assert request.want.labels == ("A", "B", "C", "D")
    response = Response(logprobs=(-3.0, -1.0, -2.0, math.nan))
    assert elicitor.read(Select(QUERY, DOCS[:4]), response)[0] == ("b",)
    answer, report = elicitor.read(Select(QUERY, DOCS[:4], 3), response)
    assert (answer, report.status) == (("b", "c", "a"), PARSED)
    three = Response(logprobs=(-3.0, -1.0, math.nan, math.nan))
    answer, report = elicitor.read(Select(QUERY, DOCS[:4], 3), three)
    assert (answer, report.repairs) == (("b", "a"), {"missing": 1})
    answer, report = elicitor.read(Select(QUERY, DOCS[:4]), Response(logprobs=(math.nan,) * 4))
    assert (isinstance(answer, Unanswered), report.status) == (True, FAILED)
    with pytest.raises(TemplateError, match="tells at most 20 labels apart, 24 documents"):
        bind(Labels(), CHAT).prepare(Select(QUERY, DOCS * 2))


def test_templates_of_values_are_refused():
    with pytest.raises(TemplateError, match="no template 'grades' for select"):
        bind(Labels(prompt="grades"))


def test_defaults():
    assert default_elicitation(Select, CHAT) == "labels"
    assert default_elicitation(Select, Capabilities(generate=True)) == "text"


@pytest.mark.parametrize("driver", ["rounds", "concurrent"])
@pytest.mark.parametrize(
    "strategy", ["setwise", "setwise(sort=insertion)", "tournament", "tourrank", "elimination", "swiss",
                 "prp(sort=graph)", "prp(sort=quickselect)"]
)  # fmt: skip
def test_every_driver_runs_them(strategy, driver, tmp_path, make_candidates):
    qrels = tmp_path / "qrels.txt"
    qrels.write_text("".join(f"q 0 d{i} {i % 4}\n" for i in range(21)))
    with Reranker(strategy, model=f"oracle:{qrels}", driver=driver) as reranker:
        (ranking,) = list(reranker.stream([(Query("q", "a question"), make_candidates(21))]))
        assert isinstance(ranking, Ranking), ranking
        assert sorted(ranking.doc_ids) == sorted(f"d{i}" for i in range(21))
        assert int(ranking.doc_ids[0][1:]) % 4 == 3
        assert ranking.ledger.calls in reranker.plan(21).calls
