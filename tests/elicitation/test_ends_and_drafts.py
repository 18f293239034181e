"""The best and the worst in one answer, and passages that a model writes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from word_tokenizer import WordTokenizer

from rerankllm.calls import Capabilities, Generate, Response, WriteLabels
from rerankllm.data import Document, Query
from rerankllm.elicitation.base import PromptSettings
from rerankllm.elicitation.draft import parse_draft
from rerankllm.elicitation.ends import parse_ends
from rerankllm.elicitation.labels import letters, numbers
from rerankllm.elicitation.text import Text
from rerankllm.errors import CapabilityError
from rerankllm.judgements import Draft, Ends, Status, Unanswered

QUERY = Query("q", "how long do fleas live")
DOCS = tuple(Document(name, f"text {name}") for name in "abcde")
LABELS = numbers(20)
FREE = Capabilities(generate=True)
HELD = Capabilities(generate=True, token_prompts=True, constrained=True)


def bind(judgement, capabilities=FREE, **parameters):
    return Text(**parameters).bind(type(judgement), WordTokenizer(), capabilities, PromptSettings())


@pytest.mark.parametrize(
    "text",
    [
        "[3] > [7]",
        "3] > [7]",
        "[3], [7]",
        "Best: [3], Worst: [7]",
        "Best: 3, Worst: 7",
        "**Best:** [3]\n**Worst:** [7]",
        "Least relevant: [7]\nMost relevant: [3]",
        '{"best": 3, "worst": 7}',
        '```json\n{"most_relevant": 3, "least_relevant": 7}\n```',
        "The most relevant passage is [3], and the least relevant one is [7].",
        "<think>The best may be [1].</think>[3] > [7]",
    ],
)
def test_ends_however_they_are_written(text):
    ends, report = parse_ends(text, LABELS)
    assert ends == (2, 6)
    assert report.status is Status.PARSED


def test_labels_of_two_digits_are_not_cut_and_letters_are_read():
    assert parse_ends("Best: 13, Worst: 17", LABELS)[0] == (12, 16)
    assert parse_ends("Best: [B], worst: [A]", letters(5))[0] == (1, 0)


def test_of_a_whole_order_the_first_and_the_last_count():
    ends, report = parse_ends(" > ".join(f"[{label}]" for label in LABELS), LABELS)
    assert ends == (0, 19)
    assert (report.status, report.repairs) == (Status.REPAIRED, {"extra": 18})


@pytest.mark.parametrize(
    "text", ["", "[3]", "[3] > [3]", "[3] > [7] > [9]", "I cannot say.", "Best: [3], Worst: [3]", "<think>[3] > [7]"]
)
def test_what_does_not_say_two_ends_says_none(text):
    ends, report = parse_ends(text, LABELS)
    assert ends is None
    assert report.status is Status.FAILED


@given(st.text() | st.text("[]0123456789 >,bestworl:\n"))
def test_no_text_raises(text):
    for ends, report in (parse_ends(text, LABELS), parse_ends(text, letters(4))):
        assert (ends is None) == (report.status is Status.FAILED)
        assert ends is None or len(set(ends)) == 2
    passage, report = parse_draft(text)
    assert (passage is None) == (report.status is Status.FAILED)


def test_ends_are_asked_and_read():
    judgement = Ends(QUERY, DOCS)
    elicitor = bind(judgement)
    request = elicitor.prepare(judgement)
    assert isinstance(request.want, Generate)
    assert "the least relevant" in str(request.prompt)
    assert elicitor.read(judgement, Response("[2] > [5]"))[0] == ("b", "e")
    assert isinstance(elicitor.read(judgement, Response("none of them"))[0], Unanswered)


def test_ends_are_held_to_two_labels_where_the_engine_can():
    judgement = Ends(QUERY, DOCS)
    want = bind(judgement, HELD).prepare(judgement).want
    assert isinstance(want, WriteLabels)
    assert want.count == 2


def test_a_passage_is_read_without_what_stands_around_it():
    for text in (
        'Passage: "Fleas live for weeks on a host."',
        "**Fleas** live for weeks\non a `host`.",
        "<think>x</think>\nFleas live for weeks on a host.",
    ):
        assert parse_draft(text)[0].rstrip(".") == "Fleas live for weeks on a host"
    assert parse_draft("Grade: 2")[0] is None


def test_a_passage_is_asked_of_its_grade_and_may_be_cut_off():
    judgement = Draft(QUERY, 1)
    elicitor = bind(judgement)
    assert "deserves grade 1" in str(elicitor.prepare(judgement).prompt)
    text, report = elicitor.read(judgement, Response("Fleas live for weeks on", finish_reason="length"))
    assert text == "Fleas live for weeks on"
    assert report.repairs == {"cut off": 1}
    assert isinstance(elicitor.read(judgement, Response("No."))[0], Unanswered)


def test_a_passage_cannot_be_held_to_labels():
    with pytest.raises(CapabilityError, match="constrained=true is for"):
        bind(Draft(QUERY), HELD, constrained=True)
