"""Answers in many forms: none is read as something else than it means and called parsed."""

import json
import math
import random
import sys
from collections import Counter
from pathlib import Path

import pytest
from answer_styles import CHOICES, STYLES, chosen, made, mixed

from rerankllm.calls import Reply
from rerankllm.data import Document, Query
from rerankllm.elicitation.grades import parse_grades
from rerankllm.elicitation.labels import letters, numbers
from rerankllm.elicitation.parsing import parse_choice, parse_order
from rerankllm.elicitation.reading.answer import LONGEST
from rerankllm.elicitation.selection import parse_selection
from rerankllm.formats.recordings import from_record, to_record
from rerankllm.journal.codec import dump, load
from rerankllm.judgements import ParseReport, Permute, Status, WeakOrder, gives_back

PARSED, REPAIRED, FAILED = Status.PARSED, Status.REPAIRED, Status.FAILED
ANSWERS = Path(__file__).parents[1] / "golden" / "answers" / "answers.jsonl"
CORPUS = [json.loads(line) for line in ANSWERS.read_text("utf-8").split("\n") if line]


def order(text, n, decode=None):
    """The groups, as the numbers shown, and the report."""
    parsed = parse_order(text, numbers(n), decode)
    return [[i + 1 for i in group] for group in parsed.groups], parsed.report


def read(record):
    """What an answer of the corpus is read as, None for nothing, and the status."""
    asked, answer = record["asked"], record["answer"]
    if asked == "order":
        labels = (letters if record.get("labels") == "letters" else numbers)(record["shown"])
        parsed = parse_order(answer, labels, record.get("decode"))
        return [[labels[i] for i in group] for group in parsed.groups] or None, parsed.report.status
    if asked == "choice":
        index, report = parse_choice(answer, record["labels"])
        return None if index is None else record["labels"][index], report.status
    if asked == "selection":
        found, report = parse_selection(answer, numbers(record["shown"]), record["m"], worst=record.get("worst", False))
        return [str(i + 1) for i in found] or None, report.status
    graded = parse_grades(answer, numbers(record["shown"]), 10)
    return None if graded.report.status is FAILED else list(graded.grades), graded.report.status


def meant(record):
    """What it means, in the shape of what is read."""
    if record["asked"] == "order" and record["means"]:
        return [sorted(group, key=lambda label: (len(label), label)) for group in record["means"]]
    return record["means"]


@pytest.mark.parametrize("record", CORPUS, ids=[f"{r['asked']}-{i}" for i, r in enumerate(CORPUS)])
def test_an_answer_is_read_as_it_is_meant_or_not_at_all(record):
    found, status = read(record)
    assert found in (None, meant(record))
    assert (found is None) == (status is FAILED)


def test_most_answers_that_mean_something_are_read():
    """Those that are not deny one label and leave the other to be inferred, or need two sentences to be weighed."""
    assert len(CORPUS) >= 1800
    meaning = [record for record in CORPUS if record["means"] is not None]
    unread = [record["answer"] for record in meaning if read(record)[0] is None]
    assert len(unread) <= len(meaning) * 0.07
    assert len(meaning) > 1100


@pytest.mark.slow
def test_no_style_of_answer_is_misread():
    assert len(STYLES) >= 60
    outcomes = Counter()
    for style, text, shown, meaning in made(6, seed=20261130):
        groups, report = order(text, shown)
        assert groups in ([], meaning), (style, text, groups)
        outcomes["read" if groups else "not read", meaning is not None] += 1
        assert (report.form is None) == (not groups)
    assert outcomes["read", True] > 0.95 * (outcomes["read", True] + outcomes["not read", True])


def test_no_form_of_a_single_label_is_misread():
    assert len(CHOICES) >= 60
    outcomes = Counter()
    for text, labels, meaning in chosen(3, seed=20261130):
        index, _ = parse_choice(text, labels)
        found = None if index is None else labels[index]
        assert found in (None, meaning), (text, labels, meaning)
        outcomes["read" if found else "not read", meaning is not None] += 1
    assert outcomes["read", True] > 0.75 * (outcomes["read", True] + outcomes["not read", True])


def check(text, n, decode, *, numbered):
    """That whatever is read is a weak order over the labels shown, and that the report says how."""
    parsed = parse_order(text, numbers(n) if numbered else letters(n), decode)
    named = [i for group in parsed.groups for i in group]
    assert sorted([*named, *parsed.omitted]) == list(range(n))
    assert all(parsed.groups)
    assert list(parsed.omitted) == sorted(parsed.omitted)
    assert (parsed.report.status is FAILED) == (not parsed.groups)
    assert (parsed.report.status is PARSED) == (not parsed.report.repairs)
    if parsed.report.status is PARSED:
        assert len(named) >= min(decode or n, n)


@pytest.mark.slow
def test_random_replies_are_weak_orders_over_what_was_shown():
    rng = random.Random(20261130)
    for _ in range(3000):
        text = mixed(rng)
        check(text, rng.choice((0, 1, 2, 3, 5, 12)), rng.choice((None, 1, 2)), numbered=rng.random() < 0.7)
        labels = rng.choice((("A", "B"), ("Yes", "No"), ("0", "1", "2", "3"), ("Highly relevant", "Not relevant")))
        index, report = parse_choice(text, labels)
        assert (index is None) == (report.status is FAILED)
        assert index is None or 0 <= index < len(labels)
        found, report = parse_selection(text, numbers(5), rng.choice((1, 2, 3)), worst=rng.random() < 0.3)
        assert (not found) == (report.status is FAILED)
        assert len(set(found)) == len(found)
        assert all(0 <= i < 5 for i in found)
        graded = parse_grades(text, numbers(4), 10)
        assert all(math.isnan(grade) or 0 <= grade <= 10 for grade in graded.grades)


def lines_run(text):
    """How many lines of Python reading a text takes."""
    count = 0

    def trace(_frame, event, _argument):
        nonlocal count
        count += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        parse_order(text, numbers(20))
        parse_selection(text, numbers(20))
        parse_grades(text, numbers(20), 10)
    finally:
        sys.settrace(before)
    return count


UNITS = (
    *(
        "[1] > [2]. ",
        "1, 2, 3, ",
        "[",
        "((1)",
        "{",
        '{"a":',
        "[1",
        "> ",
        "1. [1]\n",
        "2. [1]\n1. [2]\n",
        "[1]: 3\n",
        "①",
    ),
    *(
        "| [1] | 3 |\n",
        "A or B. ",
        "Answer: B. ",
        "<answer>",
        "= ",
        "1=2, ",
        "passage ",
        "[1] (a > ",
        "1 ",
        "9",
        "[1],\n",
    ),
    *("#1: [2]\n", "least ", '{"id": 1, "score": 3}\n', "e.g. [1] > [2]\n", "1/2/", "Ranking: 1, 2, 3 because "),
)


@pytest.mark.slow
@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("before", ["", "[2] > [1] "])
def test_the_work_grows_as_the_text_does(unit, before):
    """Twice the text takes about twice the steps, however it is made up."""
    once, twice = (lines_run(before + unit * (size // len(unit))) for size in (500, 1000))
    assert twice < 2.6 * once


def test_patterns_do_not_backtrack_either():
    """A list with a word behind it once took exponential time, and lost its first label."""
    text = "Ranking: " + ", ".join(str(i) for i in range(30, 0, -1)) + " because"
    assert order(text, 30)[0] == [[i] for i in range(30, 0, -1)]
    for unit in ("[2] > [1]\n", "<answer>", "<a ", "~~", "{", "[1, ", "&gt", "\\to", "①", "least ", "passage :"):
        parse_order(unit * (200_000 // len(unit)), numbers(20))


def test_of_a_text_too_long_for_an_answer_the_last_lines_are_read():
    prose = "The passages are about dogs and cats.\n" * (LONGEST // 20)
    assert order(prose + "\n[2] > [1] > [3]", 3)[0] == [[2], [1], [3]]
    assert order("[2] > [1] > [3]" + "x" * LONGEST, 3)[0] == []


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("[2] > [1] > [3]", "chain"),
        ("[3] < [1] < [2]", "ascending chain"),
        ('{"ranking": [2, 1, 3]}', "json"),
        ("Ranking: 2, 1, 3", "list"),
        ("1. Passage 2\n2. Passage 1\n3. Passage 3", "numbered lines"),
        ("[1]: 5\n[2]: 9\n[3]: 1", "scores"),
        ("| Rank | Passage |\n|---|---|\n| 1 | 2 |\n| 2 | 1 |\n| 3 | 3 |", "table"),
        ("[2]\n[1]\n[3]", "labels line by line"),
    ],
)
def test_every_form_has_its_name_in_the_report(text, form):
    assert order(text, 3) == ([[2], [1], [3]], parse_order(text, numbers(3)).report)
    assert parse_order(text, numbers(3)).report.form == form


def test_a_single_label_is_a_form_too():
    assert parse_order("[2]", numbers(3)).report.form == "single label"


def test_an_order_can_be_asked_whether_it_is_the_one_shown():
    for order_, expected in (
        (WeakOrder((("a",), ("b",), ("c",))), True),
        (WeakOrder((("a",), ("b",)), ("c",)), True),
        (WeakOrder((("a",), ("c",), ("b",))), False),
        (WeakOrder((("b",), ("c",)), ("a",)), False),
        (WeakOrder((("a", "b"), ("c",))), False),
    ):
        assert gives_back("abc", order_) is expected


def test_the_form_is_kept_with_an_answer():
    """And answers kept without one are still read."""
    work = Permute(Query("q", "a question"), (Document("a", "a"), Document("b", "b")))
    answer = WeakOrder((("b",), ("a",)))
    for report in (ParseReport(form="chain"), ParseReport(Status.REPAIRED, {"repeated": 1})):
        reply = Reply(answer, report)
        assert load(dump(reply), work) == reply
        record = json.loads(json.dumps(to_record(work, answer, report, reply.usage)))
        assert from_record(record, work) == (answer, report, reply.usage)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # Each was read wrongly once: a first label lost, a draft taken, an order read backwards.
        ("Ranking: 2, 5, 3, 1, 4", [2, 5, 3, 1, 4]),
        ("[2] (most relevant) > [5] > [3] > [1] > [4] (least relevant)", [2, 5, 3, 1, 4]),
        ("1. Passage 2\n2. Passage 5\n3. Passage 3\n4. Passage 1\n5. Passage 4", [2, 5, 3, 1, 4]),
        ("[1]: 3\n[2]: 9\n[3]: 5\n[4]: 1\n[5]: 7", [2, 5, 3, 1, 4]),
        (
            "First impression: [1] > [2] > [3] > [4] > [5]. My final ranking: [2] > [5] > [3] > [1] > [4]",
            [2, 5, 3, 1, 4],
        ),
    ],
)
def test_orders_that_were_misread(text, expected):
    assert order(text, 5)[0] == [[i] for i in expected]
    assert parse_order(text, numbers(5)).report.status is PARSED


@pytest.mark.parametrize(
    ("text", "labels", "meant"),
    [
        ("A: irrelevant\nB: relevant", ["A", "B"], "B"),
        ("A is worse than B.", ["A", "B"], "B"),
        ("Passage A is irrelevant. Passage B answers the query.", ["A", "B"], "B"),
        (
            "Passage A: This passage has value 3. Passage B: This passage has value 9. Answer: B",
            ["A", "B"],
            "B",
        ),
        ("1. The passage names the months, so grade 3", ["0", "1", "2", "3"], "3"),
        ("Yes/No", ["Yes", "No"], None),
        ("Score: 3\nReason: it says so.", ["0", "1", "2", "3"], "3"),
        ("Yes\n\nThe passage says so.", ["Yes", "No"], "Yes"),
        ("A\n\nExplanation: it names the larger value.", ["A", "B"], "A"),
    ],
)
def test_choices_that_were_misread_or_refused(text, labels, meant):
    index, _ = parse_choice(text, labels)
    assert (None if index is None else labels[index]) == meant


def test_a_numbered_list_is_no_choice_of_its_first_number():
    found, report = parse_selection("1. Passage 2\n2. Passage 5\n3. Passage 3", numbers(5))
    assert (found, report.status, report.repairs) == ((1,), REPAIRED, {"extra": 2})
