"""Several grades in one answer: one for each document shown."""

import html
import math
import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest

from rerankllm.calls import Generate, Request, Response
from rerankllm.elicitation import labels as label_sets
from rerankllm.elicitation.base import unusable
from rerankllm.elicitation.parsing import answer_part
from rerankllm.elicitation.prompts import PromptBuilder
from rerankllm.errors import TemplateError
from rerankllm.judgements import Answer, Failure, Grade, Judgement, ParseReport, Status, Unanswered

SCALE = 10
"""Templates in `prompts/grade/` ask for grades from 0 to this."""
_POLITENESS = 24

_NUMBER = r"(-?[0-9]+(?:\.[0-9]+)?)(?![\w.]*\w)(?: ?(?:/|out of) ?[0-9]+)?"
_NAME = r"(?:passage|document|doc|identifier|id)"
_WORD = r"(?:grade|score|rating|relevance|points?|is|gets|of)"
_LABEL = (
    rf"(?:\[ ?(?:{_NAME} ?)?([0-9]+) ?\]"  # in brackets
    rf"|\b{_NAME} ?:? ?([0-9]+)\b"  # by name
    r"|(?:(?<=[\n,;:|])|\A)[ \t]*([0-9]+)(?= ?[:=|])"  # a key, or a cell of a table
    r"|(?:(?<=\n)|\A)[ \t]*([0-9]+)[.)](?= ))"  # an item of a list
)
_GRADED = re.compile(rf"{_LABEL}(?:[\s:=|,(–—→]|-(?![0-9]))*(?:{_WORD}[\s:=|(]*)*{_NUMBER}", re.IGNORECASE)
_MARKUP = re.compile(r"[*`\"'#{}]|</?[A-Za-z_]+>")


@dataclass(frozen=True, slots=True)
class Graded:
    """What was read from an answer of several grades.

    Attributes:
        grades: One a label, NaN for a label without one.
        reasons: What the answer says after each grade, up to the next; "" where that is nothing, or no grade is.
        report: How it read. Repairs: `missing` (a label has no grade), `unknown` (a label that was not shown),
            `repeated` (a label has several, the first counts), `out of range`.
    """

    grades: tuple[float, ...]
    reasons: tuple[str, ...]
    report: ParseReport


def parse_grades(text: str, labels: Sequence[str], scale: float) -> Graded:
    """Reads grades such as `[1]: 7`, a line each, in JSON, in a table or in a row. Total: never raises.

    A label is a number in brackets, after a word such as "Passage", in front of a colon, or numbering a list; its
    grade is the number that follows, with nothing but signs and words such as "grade" in between, and `/10` after it
    or not. A list of bare numbers names no label: whether it holds grades or an order cannot be told.

    Args:
        text: The model's answer.
        labels: The labels shown, numbers.
        scale: The best grade; the worst is 0.

    Returns:
        The grades. The report is `repaired` when some label has none, and `failed` when none has one, or when
        reasoning never ended.
    """
    nothing, silence = (math.nan,) * len(labels), ("",) * len(labels)
    answer = answer_part(text)
    if answer is None:
        return Graded(nothing, silence, ParseReport(Status.FAILED, {"unclosed reasoning": 1}))
    said = unicodedata.normalize("NFKC", html.unescape(answer))
    kept = _unmarked(said)
    matches = list(_GRADED.finditer("".join(said[i] for i in kept)))
    found: dict[str, float] = {}
    reasons: dict[str, str] = {}
    repairs: Counter[str] = Counter()
    for match, following in zip_longest(matches, matches[1:]):
        *names, number = match.groups()
        label = next(filter(None, names)).lstrip("0")
        grade = float(number)
        if label not in labels:
            repairs["unknown"] += 1
        elif label in found:
            repairs["repeated"] += 1
        elif not 0 <= grade <= scale:
            repairs["out of range"] += 1
        else:
            found[label] = grade
            end = kept[following.start()] if following else len(said)
            reasons[label] = _reason(said[kept[match.end() - 1] + 1 : end])
    if not found:
        return Graded(nothing, silence, ParseReport(Status.FAILED, dict(repairs) or {"no grade": 1}))
    if len(found) < len(labels):
        repairs["missing"] = len(labels) - len(found)
    status = Status.REPAIRED if repairs else Status.PARSED
    grades = tuple(found.get(label, math.nan) for label in labels)
    why = tuple(reasons.get(label, "") for label in labels)
    return Graded(grades, why, ParseReport(status, dict(repairs)))


def _unmarked(text: str) -> list[int]:
    """The places of all characters that are no markup."""
    marked = {place for match in _MARKUP.finditer(text) for place in range(*match.span())}
    return [place for place in range(len(text)) if place not in marked]


def _reason(said: str) -> str:
    """What is said after a grade, on one line, without what joins the two."""
    return " ".join(said.split()).lstrip("*`\"'#}]) |:;.,-–—").rstrip("*`\"'#{[( |,;-–—")


@dataclass(frozen=True, slots=True)
class Grades:
    """Elicits `Grade` in text.

    Attributes:
        builder: Makes the prompts.
        max_tokens: Bound on the answer; what a complete answer takes, and some, when none.
        before: Tokens for what comes before the answer.
    """

    builder: PromptBuilder
    max_tokens: int | None
    before: int

    def prepare(self, judgement: Judgement) -> Request:
        """The request."""
        assert isinstance(judgement, Grade)  # noqa: S101
        if judgement.scale != SCALE:
            raise TemplateError(f"templates ask for grades from 0 to {SCALE}, not to {judgement.scale}")
        labels = label_sets.numbers(len(judgement.docs))
        room = self.before + (self.max_tokens or self._room(labels))
        return Request(self.builder.build(judgement.query, judgement.docs, labels, reserve=room), Generate(room))

    def read(self, judgement: Judgement, response: Response) -> tuple[Answer | Unanswered, ParseReport]:
        """One grade a document, NaN for those without; an answer cut off before the last grade is none."""
        assert isinstance(judgement, Grade)  # noqa: S101
        graded = parse_grades(response.text, label_sets.numbers(len(judgement.docs)), judgement.scale)
        if graded.report.status is Status.FAILED:
            return unusable(response.text), graded.report
        if response.finish_reason == "length" and "missing" in graded.report.repairs:
            report = ParseReport(Status.FAILED, {"cut off": 1})
            return Unanswered(
                "the answer was cut off; allow it more tokens: text(max_tokens=…)", Failure.ANSWER
            ), report
        return graded.grades, graded.report

    def _room(self, labels: tuple[str, ...]) -> int:
        complete = "\n".join(f"[{label}]: {SCALE}" for label in labels)
        return len(self.builder.tokenizer.encode(complete)) + _POLITENESS
