"""Criteria written by a model, and documents judged by them."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from word_tokenizer import WordTokenizer

from rerankllm.calls import Capabilities, Response
from rerankllm.data import Document, Query
from rerankllm.elicitation.base import PromptSettings
from rerankllm.elicitation.criteria import LONGEST, parse_criteria
from rerankllm.elicitation.reasoning import Reasoning
from rerankllm.elicitation.text import Text
from rerankllm.errors import TemplateError
from rerankllm.judgements import Assess, Assessment, Criterion, Failure, Status, Unanswered, Write

QUERY = Query("q", "how long do fleas live")
TWO = (Criterion("Says how long", 5.0), Criterion("Is about fleas", 3.0))
WRITE = Write(QUERY, 2)
ASSESS = Assess(QUERY, Document("a", "Fleas live for weeks."), TWO)
LOCAL = Capabilities(generate=True, token_prompts=True)


def bind(judgement, elicitation=None):
    return (elicitation or Text()).bind(type(judgement), WordTokenizer(), LOCAL, PromptSettings())


@pytest.mark.parametrize(
    "text",
    [
        "1. Says how long (5)\n2. Is about fleas (3)",
        "1) Says how long (weight: 5)\n2) Is about fleas (weight: 3)",
        "[1] Says how long (5/5)\n[2] Is about fleas (3/5)",
        "1: Says how long - weight 5\n2: Is about fleas – weight: 3",
        "1. (5) Says how long\n2. (3) Is about fleas",
        "1. **Says how long** (5)\n2. **Is about fleas** (3)",
        "1. Says how long [5].\n2. Is about fleas [3].",
        "- Says how long (5)\n- Is about fleas (3)",
        "Here are 2 criteria:\n\n1. Says how long (5)\n2. Is about fleas (3)\n\nI hope this helps (5)!",
        "<think>1. Is short (2)</think>\n1. Says how long (Importance: 5)\n2. Is about fleas (importance 3)",
        "1. Says how long: (5.0)\n  2.  Is   about fleas, (3)",
    ],
)
def test_forms_of_a_complete_list(text):
    criteria, report = parse_criteria(text, 2)
    assert criteria == TWO
    assert (report.status, report.repairs) == (Status.PARSED, {})


@pytest.mark.parametrize(
    ("text", "criteria", "repairs"),
    [
        ("1. Says how long (5)", [("Says how long", 5)], {"missing": 1}),
        ("1. a (5)\n2. b (3)\n3. c (1)", [("a", 5), ("b", 3)], {"extra": 1}),
        ("1. a (5)\n2. A (3)\n3. c (1)", [("a", 5), ("c", 1)], {"repeated": 1}),
        ("1. Says how long\n2. b (3)", [("Says how long", 3), ("b", 3)], {"no weight": 1}),
        (
            "1. a (7)\n2. From the last years (2019)",
            [("a (7)", 3), ("From the last years (2019)", 3)],
            {"no weight": 2},
        ),
        ("1. 5\n2. b (3)", [("b", 3)], {"missing": 1}),
        ("1. " + "w " * 90 + "(2)\n2. b (3)", [(" ".join("w" * LONGEST), 2), ("b", 3)], {"shortened": 1}),
    ],
)
def test_repairs(text, criteria, repairs):
    found, report = parse_criteria(text, 2)
    assert [(c.text, c.weight) for c in found] == criteria
    assert (report.status, report.repairs) == (Status.REPAIRED, repairs)


@pytest.mark.parametrize(
    "text", ["", "Sorry, I cannot.", "Says how long, is about fleas", "1.\n2.", "1. 4\n2. 5", "<think>1. Long (5)"]
)
def test_no_criteria_at_all(text):
    criteria, report = parse_criteria(text, 2)
    assert (criteria, report.status) == ((), Status.FAILED)
    answer, _ = bind(WRITE).read(WRITE, Response(text))
    assert isinstance(answer, Unanswered)
    assert answer.failure is Failure.ANSWER


@given(st.text() | st.text(alphabet="12.()[] -\n:a5*"), st.integers(1, 9))
def test_reading_never_raises(text, count):
    criteria, report = parse_criteria(text, count)
    assert bool(criteria) == (report.status is not Status.FAILED)
    assert len(criteria) <= count
    assert all(1 <= criterion.weight <= 5 and criterion.text.split() for criterion in criteria)
    for elicitor in (ASSESSING, THINKING):
        answer, report = elicitor.read(ASSESS, Response(text))
        assert isinstance(answer, Unanswered) == (report.status is Status.FAILED)


ASSESSING, THINKING = bind(ASSESS), bind(ASSESS, Reasoning())


def test_a_list_that_was_cut_off_is_none_unless_more_was_written_than_asked_for():
    elicitor = bind(WRITE)
    answer, report = elicitor.read(WRITE, Response("1. Says how long (5)\n2. Is ab", finish_reason="length"))
    assert isinstance(answer, Unanswered)
    assert report.repairs == {"cut off": 1}
    complete = Response("1. Says how long (5)\n2. Is about fleas (3)\n3. Is", finish_reason="length")
    assert elicitor.read(WRITE, complete)[0] == TWO


def test_grades_come_with_their_reasons():
    text = "[1]: 9 - it says “weeks”, i.e. doesn't leave it open\n[2]: 10/10 — fleas, the *animals*."
    answer, report = ASSESSING.read(ASSESS, Response(text))
    assert report.status is Status.PARSED
    assert answer == Assessment((9.0, 10.0), ("it says “weeks”, i.e. doesn't leave it open", "fleas, the *animals*."))
    answer, _ = THINKING.read(ASSESS, Response("<think>[1]: 0 - no</think>1: 9 (weeks)\n2: 10"))
    assert answer == Assessment((9.0, 10.0), ("(weeks)", ""))


def test_a_criterion_without_a_grade_is_a_repair_and_none_at_all_a_failure():
    answer, report = ASSESSING.read(ASSESS, Response("[2]: 4 - hardly"))
    assert math.isnan(answer.grades[0])
    assert (answer.grades[1], answer.rationales, report.repairs) == (4.0, ("", "hardly"), {"missing": 1})
    answer, _ = ASSESSING.read(ASSESS, Response("It is a good passage."))
    assert isinstance(answer, Unanswered)
    answer, report = ASSESSING.read(ASSESS, Response("[1]: 4 - hardly, since", finish_reason="length"))
    assert isinstance(answer, Unanswered)
    assert report.repairs == {"cut off": 1}


def test_room_grows_with_the_criteria_and_the_thought():
    rooms = [bind(Write(QUERY, n)).prepare(Write(QUERY, n)).want.max_tokens for n in (1, 2)]
    assert rooms[0] < rooms[1] < bind(WRITE, Reasoning(budget=100)).prepare(WRITE).want.max_tokens
    assert bind(WRITE, Text(max_tokens=7)).prepare(WRITE).want.max_tokens == 7
    with pytest.raises(TemplateError, match="grades from 0 to 10, not to 3"):
        ASSESSING.prepare(Assess(QUERY, ASSESS.doc, TWO, scale=3))
