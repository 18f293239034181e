"""Several grades in one answer."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from word_tokenizer import WordTokenizer

from rerankllm.calls import Capabilities, Response
from rerankllm.data import Document, Query
from rerankllm.elicitation.base import PromptSettings, default_elicitation
from rerankllm.elicitation.grades import parse_grades
from rerankllm.elicitation.reasoning import Reasoning
from rerankllm.elicitation.text import Text
from rerankllm.errors import TemplateError
from rerankllm.judgements import Failure, Grade, Status, Unanswered

LABELS = ("1", "2", "3")
QUERY = Query("q", "how long do fleas live")
GRADE = Grade(QUERY, tuple(Document(name, f"passage {name}") for name in "abc"))
LOCAL = Capabilities(generate=True, token_prompts=True)


@pytest.mark.parametrize(
    "text",
    [
        "[1]: 7\n[2]: 3\n[3]: 0",
        "[1] 7 [2] 3 [3] 0",
        "[1]: 7/10\n[2]: 3/10\n[3]: 0 out of 10",
        "**[1]**: 7, **[2]**: 3, **[3]**: 0",
        "[3]: 0.\n[1]: 7.0.\n[2]: 3.",
        "[1] — 7\n[2] – 3\n[3] - 0",
        "1: 7\n2: 3\n3: 0",
        "1=7, 2=3, 3=0",
        "1. 7\n2. 3\n3. 0",
        "1) 7\n2) 3\n3) 0",
        "1. [1]: 7\n2. [2]: 3\n3. [3]: 0",
        "Grades: 1: 7, 2: 3, 3: 0",
        "Grades:\n1: 7 points\n2: 3 points\n3: 0 points",
        "Passage 1: 7\nPassage 2: grade 3 (poor)\nDocument [3]: score is 0.",
        "[1]\nGrade: 7\n[2]\nGrade: 3\n[3]\nGrade: 0",
        "[1]: 7 — it says so in 3 ways\n[2]: 3 because of its 5 gaps\n[3]: 0",
        '{"1": 7, "2": 3, "3": 0}',
        '{\n  "1": 7,\n  "2": 3,\n  "3": 0\n}',
        '```json\n{"[1]": 7, "[2]": 3, "[3]": 0}\n```',
        '[{"id": 1, "score": 7}, {"id": 2, "score": 3}, {"id": 3, "score": 0}]',
        (
            '{"passages": [{"identifier": "[1]", "grade": 7}, {"identifier": "[2]", "grade": 3},'
            ' {"identifier": "[3]", "grade": 0}]}'
        ),
        "| Passage | Grade |\n|---|---|\n| [1] | 7 |\n| [2] | 3 |\n| [3] | 0 |",
        "| 1 | 7 |\n| 2 | 3 |\n| 3 | 0 |",
        "［１］：７\n［２］：３\n［３］：０",
        "<think>[1]: 2, [2]: 9</think>\n[1]: 7\n[2]: 3\n[3]: 0",
    ],
)
def test_forms_of_a_complete_answer(text):
    graded = parse_grades(text, LABELS, 10)
    assert graded.grades == (7.0, 3.0, 0.0)
    assert (graded.report.status, graded.report.repairs) == (Status.PARSED, {})


@pytest.mark.parametrize(
    ("text", "grades", "repairs"),
    [
        ("[1]: 7\n[3]: 0", (7, None, 0), {"missing": 1}),
        ("[1]: 7\n[1]: 7\n[2]: 3\n[3]: 0", (7, 3, 0), {"repeated": 1}),
        ("[1]: 7\n[1]: 8\n[2]: 3\n[3]: 0", (None, 3, 0), {"contradicted": 1, "missing": 1}),
        ("[1]: 7\n[2]: 3\n[3]: 0\n[4]: 2", (7, 3, 0), {"unknown": 1}),
        ("[1]: 11\n[2]: -3\n[3]: 0", (None, None, 0), {"out of range": 2, "missing": 2}),
        ("[2]: 3.5", (None, 3.5, None), {"missing": 2}),
    ],
)
def test_repairs(text, grades, repairs):
    graded = parse_grades(text, LABELS, 10)
    assert [None if math.isnan(g) else g for g in graded.grades] == list(grades)
    assert (graded.report.status, graded.report.repairs) == (Status.REPAIRED, repairs)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Sorry, I cannot grade 3 passages.",
        "[1] > [2] > [3]",
        "3 > 1 > 2",
        "7, 3, 0",
        "[7, 3, 0]",
        "[1] mentions 2 fleas and [2] none",
        "At 10:30 we saw 3: 4 of them",
        "<think>[1]: 7\n[2]: 3\n[3]: 0",
        "HTTP 429: 3 retries",
    ],
)
def test_what_grades_nothing_fails(text):
    graded = parse_grades(text, LABELS, 10)
    assert all(map(math.isnan, graded.grades))
    assert graded.report.status is Status.FAILED


@given(st.text() | st.text(alphabet='[]0123456789:.,|-/= \n{}"abcgrde'), st.integers(0, 12))
def test_any_text_gives_a_grade_or_none_for_every_label(text, n):
    graded = parse_grades(text, [str(i) for i in range(1, n + 1)], 10)
    assert len(graded.grades) == n
    given_grades = [g for g in graded.grades if not math.isnan(g)]
    assert all(0 <= g <= 10 for g in given_grades)
    assert (graded.report.status is Status.FAILED) == (not given_grades)
    if graded.report.status is Status.PARSED:
        assert len(given_grades) == n


@given(st.lists(st.integers(0, 10), min_size=1, max_size=40), st.sampled_from(["[{}]: {}\n", "{}: {}\n", "[{}] {}, "]))
def test_every_complete_answer_is_read_exactly(grades, form):
    labels = [str(i) for i in range(1, len(grades) + 1)]
    text = "".join(form.format(label, grade) for label, grade in zip(labels, grades, strict=True))
    assert parse_grades(text, labels, 10).grades == tuple(map(float, grades))


class TestElicitor:
    def bind(self, elicitation=None):
        return (elicitation or Text()).bind(Grade, WordTokenizer(), LOCAL, PromptSettings())

    def test_the_answer_has_a_float_a_document(self):
        answer, report = self.bind().read(GRADE, Response("[1]: 7\n[3]: 2"))
        assert (answer[0], math.isnan(answer[1]), answer[2]) == (7.0, True, 2.0)
        assert report.status is Status.REPAIRED
        answer, _ = self.bind().read(GRADE, Response("I cannot."))
        assert answer == Unanswered("the model answered 'I cannot.', in which no answer was found", Failure.ANSWER)

    def test_an_answer_cut_off_is_none_unless_it_was_complete(self):
        answer, report = self.bind().read(GRADE, Response("[1]: 7\n[2]:", finish_reason="length"))
        assert isinstance(answer, Unanswered)
        assert report.repairs == {"cut off": 1}
        answer, _ = self.bind().read(GRADE, Response("[1]: 7\n[2]: 3\n[3]: 1\nI ", finish_reason="length"))
        assert answer == (7.0, 3.0, 1.0)

    def test_room_for_every_grade_and_the_thought(self):
        few = self.bind().prepare(Grade(QUERY, GRADE.docs[:1])).want.max_tokens
        many = self.bind().prepare(GRADE).want.max_tokens
        assert few < many == self.bind(Reasoning(budget=100)).prepare(GRADE).want.max_tokens - 100
        assert self.bind(Text(max_tokens=5)).prepare(GRADE).want.max_tokens == 5

    def test_after_a_thought(self):
        thinking = self.bind(Reasoning())
        answer, _ = thinking.read(GRADE, Response("<think>[1]: 1?</think>[1]: 7\n[2]: 3\n[3]: 0"))
        assert answer == (7.0, 3.0, 0.0)
        assert isinstance(thinking.read(GRADE, Response("<think>[1]: 7\n[2]: 3\n[3]: 0"))[0], Unanswered)

    def test_what_templates_do_not_ask_is_refused(self):
        with pytest.raises(TemplateError, match="from 0 to 10, not to 5"):
            self.bind().prepare(Grade(QUERY, GRADE.docs, scale=5))

    def test_the_label_of_a_document_stands_for_it(self, tmp_path):
        path = tmp_path / "values.yaml"
        path.write_text(
            "description: d\nsource: s\nelicitation: text\npassage_tokens: 9\n"
            "labels: [{text: a, value: 1}]\ncompletion: '{{ query }}'\n"
        )
        with pytest.raises(TemplateError, match="to answer Grade, its labels should be numbers or letters"):
            self.bind(Text(prompt=str(path)))

    def test_default(self):
        assert default_elicitation(Grade, LOCAL) == "text"
