"""Two documents judged one by one, and corrections: read where every word is part of it."""

import pytest

from rerankllm.elicitation.parsing import parse_choice
from rerankllm.judgements import Status

JUDGED = {
    "A: irrelevant\nB: relevant": "B",
    "[B]: not relevant\n[A]: relevant": "A",
    "A is wrong, B is right.": "B",
    "Passage A is irrelevant. Passage B answers the query.": "B",
    "Passage B answers the question directly, while passage A does not answer it.": None,
    "Passage B answers the question directly, while passage A does not answer the question.": "B",
    "Passage A is relevant, but passage B is more relevant.": "B",
    "A seems good at first, but B is better.": "B",
    "A does not answer, B does.": "B",
    "A doesn't answer the query, but B does.": "B",
}
NOTHING = [
    "A is relevant, B is relevant.",
    "A is irrelevant, B is irrelevant.",
    "A is not wrong, B is right.",
    "A is irrelevant to cats, B is relevant to dogs.",
    "A is irrelevant, B is relevant, or is it A?",
    "A is irrelevant? B is relevant?",
    "A is wrong, B is right. No wait, A is right.",
    "A is not irrelevant, B is relevant.",
    "Neither A is relevant nor B is better.",
    "A is not relevant, B is not relevant.",
    "The less relevant passage is B.",
    "Worse: A",
    "If A is irrelevant, B is relevant.",
    "A does, B does not.",
]


@pytest.mark.parametrize(("text", "label"), JUDGED.items())
def test_the_one_called_better_is_chosen(text, label):
    index, report = parse_choice(text, ("A", "B"))
    assert (None if index is None else "AB"[index]) == label
    assert label is None or (report.status, report.form) == (Status.PARSED, "each judged")


@pytest.mark.parametrize("text", NOTHING)
def test_anything_else_says_nothing(text):
    assert parse_choice(text, ("A", "B"))[0] is None


@pytest.mark.parametrize("text", [text for text, label in JUDGED.items() if label])
def test_of_three_documents_two_say_nothing(text):
    assert parse_choice(text, ("A", "B", "C"))[0] in {None, "ABC".index(JUDGED[text])}


CORRECTED = {
    "A. No wait, B.": "B",
    "Answer: A\n\nCorrection: the answer is B.": "B",
    "B. Scratch that: A": "A",
}
NOT_CORRECTED = [
    "A. Wait, B mentions fleas.",
    "A. Wait, not B.",
    "Answer: A. I was wrong about B.",
    "A. No wait, B. No, A.",
    "A. No wait, B. Hmm, the answer is A.",
    "A. No wait, is it B?",
    "Answer: A. Correction: B is the passage that I read first.",
    "A, wait, A or B.",
]


@pytest.mark.parametrize(("text", "label"), CORRECTED.items())
def test_a_correction_that_is_an_answer_by_itself_counts(text, label):
    index, report = parse_choice(text, ("A", "B"))
    assert ("AB"[index], report.status, report.form) == (label, Status.PARSED, "correction")


@pytest.mark.parametrize("text", NOT_CORRECTED)
def test_any_other_takes_the_answer_back_and_gives_none(text):
    index, report = parse_choice(text, ("A", "B"))
    assert (index, report.form) != (1, "correction")
    assert index is None or report.form != "correction"
