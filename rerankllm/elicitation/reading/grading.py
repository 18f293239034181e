"""Grades: a number for each label, with what is said after it."""

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

from rerankllm.elicitation.reading import words
from rerankllm.elicitation.reading.answer import Cut, cut_answer, names_of
from rerankllm.elicitation.reading.json_form import Found, values
from rerankllm.elicitation.reading.lexer import LABEL, SIGN, UNKNOWN, cut
from rerankllm.elicitation.reading.names import Names, named
from rerankllm.elicitation.reading.pairs import pairs
from rerankllm.elicitation.reading.table import graded
from rerankllm.elicitation.reading.thought import answer_part
from rerankllm.judgements import ParseReport, Status

_GRADE_KEYS = re.compile(r"grade|score|rating|relevan|points|value")
_LABEL_KEYS = re.compile(r"\bid|_id|ident|label|passage|document|doc|index|number|criteri|name")
_REASON_KEYS = re.compile(r"reason|rational|explan|why|justif|comment|note")
_NUMBER = re.compile(r"\s?(-?[0-9]{1,9}(?:\.[0-9]{1,9})?)\s?(?:(?:/|out of)\s?[0-9]{1,4})?\s?")
_DEPTH = 3


@dataclass(frozen=True, slots=True)
class Graded:
    """What was read from an answer of several grades.

    Attributes:
        grades: One a label, NaN for a label without one.
        reasons: What the answer says after each grade, up to the next; "" where that is nothing, or no grade is.
        report: How it read, and in which form. Repairs: `missing` (a label has no grade), `unknown` (a label that was
            not shown), `repeated` (a label has the same twice), `contradicted` (it has several, of which none counts),
            `out of range`.
    """

    grades: tuple[float, ...]
    reasons: tuple[str, ...]
    report: ParseReport


@dataclass(frozen=True, slots=True)
class _Told:
    """A grade, as an answer gives it."""

    index: int
    value: float
    reason: str


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
    said = answer_part(text)
    if said is None:
        return Graded(nothing, silence, ParseReport(Status.FAILED, {"unclosed reasoning": 1}))
    answer = cut_answer(said, labels, len(labels), ordered=False)
    if words.SCALE_TURNED.search(answer.text.casefold()):
        return Graded(nothing, silence, ParseReport(Status.FAILED, {"another scale": 1}))
    told, form = _in_json(answer.text, names_of(labels)), "json"
    if not told:
        told, form = _written(answer, scale), "scores"
    found: dict[int, _Told] = {}
    repairs: Counter[str] = Counter()
    contradicted: set[int] = set()
    for one in told:
        if one.index == UNKNOWN:
            repairs["unknown"] += 1
        elif one.index in found:
            repairs["repeated" if one.value == found[one.index].value else "contradicted"] += 1
            contradicted |= {one.index} if one.value != found[one.index].value else set()
        elif not 0 <= one.value <= scale:
            repairs["out of range"] += 1
        else:
            found[one.index] = one
    found = {index: one for index, one in found.items() if index not in contradicted}
    if not found:
        return Graded(nothing, silence, ParseReport(Status.FAILED, dict(repairs) or {"no grade": 1}))
    if len(found) < len(labels):
        repairs["missing"] = len(labels) - len(found)
    status = Status.REPAIRED if repairs else Status.PARSED
    grades = tuple(found[i].value if i in found else math.nan for i in range(len(labels)))
    why = tuple(found[i].reason if i in found else "" for i in range(len(labels)))
    return Graded(grades, why, ParseReport(status, dict(repairs), form))


def _written(answer: Cut, scale: float) -> list[_Told]:
    """The grades beside labels, with what follows each; a number that is a rank, or on another scale, is none."""
    in_table = graded(answer)
    if in_table is not None:
        return [_Told(label.index, value, _reason(said)) for label, value, said in in_table]
    found = [pair for pair in pairs(answer, list_numbers=True) if pair.kind != "rank" and pair.out_of in {0, scale}]
    told: list[_Told] = []
    for pair, following in zip_longest(found, found[1:]):
        end = following.label.start if following else len(answer.text)
        told.append(_Told(pair.label.index, pair.value, _reason(answer.text[pair.end : end])))
    return told


def _reason(said: str) -> str:
    """What is said after a grade, on one line, without what joins the two."""
    return " ".join(said.split()).lstrip("*`\"'#}]) |:;.,-–—").rstrip("*`\"'#{[( |,;-–—")


def _in_json(text: str, names: Names) -> list[_Told]:
    """The grades of JSON: objects with a label and a grade, or a grade under each label."""
    told: list[_Told] = []
    for one in values(text):
        told.extend(_of(one, names))
    return told


def _of(found: Found, names: Names) -> list[_Told]:
    told: list[_Told] = []
    waiting: list[tuple[Any, int]] = [(found.value, 0)]
    while waiting:
        value, depth = waiting.pop(0)
        if isinstance(value, list):
            waiting.extend((one, depth + 1) for one in value if isinstance(one, dict | list) and depth < _DEPTH)
        elif isinstance(value, dict):
            one = _object(value, names)
            if one is not None:
                told.append(one)
                continue
            for key, inner in value.items():
                index, number = _label(key, names), _number(inner)
                if index is not None and number is not None:
                    told.append(_Told(index, number, _reason_in(inner)))
                elif isinstance(inner, dict | list) and depth < _DEPTH:
                    waiting.append((inner, depth + 1))
    return told


def _object(value: dict[str, Any], names: Names) -> _Told | None:
    """An object that holds a label and its grade."""
    labels = {_label(one, names) for key, one in value.items() if _LABEL_KEYS.search(key.casefold())} - {None}
    numbers = [_number(one) for key, one in value.items() if _GRADE_KEYS.search(key.casefold())]
    if len(labels) != 1 or len(numbers) != 1 or numbers[0] is None:
        return None
    index = labels.pop()
    return None if index is None else _Told(index, numbers[0], _reason_in(value))


def _reason_in(value: Any) -> str:
    if not isinstance(value, dict):
        return ""
    return next((" ".join(str(one).split()) for key, one in value.items() if _REASON_KEYS.search(key.casefold())), "")


def _label(value: Any, names: Names) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | str) or (isinstance(value, int) and abs(value) > 10**6):
        return None
    items = named(cut(str(value)[:80]), names)
    labels = [item for item in items if item.kind == LABEL]
    return labels[0].index if len(labels) == 1 and all(item.kind in {LABEL, SIGN} for item in items) else None


def _number(value: Any) -> float | None:
    if isinstance(value, dict):
        numbers = [
            _number(one)
            for key, one in value.items()
            if _GRADE_KEYS.search(key.casefold()) and not isinstance(one, dict)
        ]
        return numbers[0] if len(numbers) == 1 else None
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value) if abs(value) < 10**9 else None
    match = _NUMBER.fullmatch(value[:40]) if isinstance(value, str) else None
    return float(match.group(1)) if match else None
