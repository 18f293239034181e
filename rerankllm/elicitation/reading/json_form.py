"""JSON: a list of labels, or of objects with a rank or a score, alone or among prose."""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from rerankllm.elicitation.reading.answer import Cut
from rerankllm.elicitation.reading.candidate import Candidate, as_shown
from rerankllm.elicitation.reading.lexer import LABEL, SIGN, UNKNOWN, cut
from rerankllm.elicitation.reading.names import Names, named
from rerankllm.elicitation.reading.scores import by_number, grouped
from rerankllm.elicitation.reading.surroundings import announces, denies, lead, tail

ReadText = Callable[[str, Cut, Names], tuple[tuple[int, ...], ...] | None]

_TRIES = 6
"""So many texts that only look like JSON are tried."""
_START = re.compile(r"[{\[](?=\s{0,80}[\[{\"'0-9\]}])")
_TRAILING_COMMA = re.compile(r",(?=\s{0,80}[}\]])")
_QUOTES = str.maketrans("“”„‟", '""""')
_DECODER = json.JSONDecoder()
_RANKING = re.compile(
    r"rank|order|sort|answer|result|list|permutation|passages|documents|docs|ids|identifiers|output|items|best"
    r"|select|chosen|picked|kept|keep"
)
_ASCENDING = re.compile(r"asc|increas|least.*most|worst.*best|low.*high|revers")
_DENIED = re.compile(
    r"irrelevant|excluded|\bnot|non_?relevant|initial|original|draft|input|worst|least|bad|omit|example"
    r"|reject|discard"
)
_PLACE = re.compile(r"rank|position|place|\border\b")
_GRADE = re.compile(r"score|relevan|grade|rating|points|probability|confidence")
_REASON = re.compile(
    r"reason|explan|rational|why|justif|comment|note|text|title|summary|snippet|content|thought|analysis"
)
_A_NUMBER_EACH = re.compile(r"^(?:the_|passage_|document_)?(?:ranks?|positions?|places?)$|ranks$")
_LABEL = re.compile(r"\bid|_id|ident|label|passage|document|doc|index|number|name|option|candidate|item")


@dataclass(frozen=True, slots=True)
class Found:
    """A JSON value in an answer, and where it stands."""

    value: Any
    start: int
    end: int


def values(text: str) -> list[Found]:
    """The JSON objects and lists of a text, one after the other; with single quotes and trailing commas too."""
    found: list[Found] = []
    at = failed = 0
    tidy = _TRAILING_COMMA.sub(" ", text.translate(_QUOTES) if '"' not in text else text)
    if "'" in tidy and '"' not in tidy:
        tidy = tidy.replace("'", '"')
    while failed < _TRIES:
        start = _START.search(tidy, at)
        if start is None:
            break
        try:
            value, at = _DECODER.raw_decode(tidy, start.start())
        except (ValueError, RecursionError):
            failed, at = failed + 1, start.end()
            continue
        found.append(Found(value, start.start(), at))
    return found


def json_orders(answer: Cut, names: Names, read_text: ReadText) -> Iterator[Candidate]:
    """The orders that JSON in an answer holds; no groups where it holds none.

    Args:
        answer: The answer; objects, a line each, are one list.
        names: How labels are found.
        read_text: Reads the order that a string holds.
    """
    found = [one for one in values(answer.text) if _is_value(one.value)]
    if len(found) > 1 and all(isinstance(one.value, dict) for one in found):
        found = [Found([one.value for one in found], found[0].start, found[-1].end)]
    for one in found[-_TRIES:]:
        groups = _Reader(answer, names, read_text).order(one.value, "") if _is_led(answer, one) else None
        if groups or isinstance(one.value, dict) or any(isinstance(item, dict) for item in one.value):
            yield Candidate("json", groups or (), one.start, one.end)


def _is_led(answer: Cut, found: Found) -> bool:
    """Whether what stands before JSON, and around a plain list also behind it, lets it be the answer."""
    said = lead(answer, found.start)
    if denies(said):
        return False
    if isinstance(found.value, dict) or any(isinstance(item, dict) for item in found.value):
        return True
    line_start = answer.text.rfind("\n", max(0, found.start - 200), found.start)
    beside = answer.text[line_start + 1 : found.start].strip(" *`_>-")
    return (announces(said) or not (said or beside)) and not tail(answer, found.end).strip(" .,;:!-)]*`")


def _is_value(value: Any) -> bool:
    """Whether JSON is more than the brackets of one label, `[3]`."""
    return isinstance(value, dict) or (
        isinstance(value, list) and (len(value) > 1 or (value != [] and isinstance(value[0], dict | list)))
    )


@dataclass(frozen=True, slots=True)
class _Reader:
    answer: Cut
    names: Names
    read_text: ReadText

    def order(self, value: Any, key: str) -> tuple[tuple[int, ...], ...] | None:
        """The order that a value holds under a key; None where it holds none, or several."""
        if isinstance(value, list):
            groups = self._list(value, key)
        elif isinstance(value, dict):
            groups = self._object(value, key)
        else:
            groups = self.read_text(value, self.answer, self.names) if isinstance(value, str) else None
        return tuple(reversed(groups)) if groups and _ASCENDING.search(key) else groups

    def _list(self, value: list[Any], key: str) -> tuple[tuple[int, ...], ...] | None:
        if all(isinstance(one, dict) for one in value):
            return self._objects(value, key)
        groups = [self._group(one) for one in value]
        if any(group is None for group in groups) or _A_NUMBER_EACH.search(key):
            return None
        told = tuple(group for group in groups if group is not None)
        flat = [index for group in told for index in group]
        plain = all(isinstance(one, int) for one in value)
        unknown = flat.count(UNKNOWN)
        return None if (plain and unknown * 4 > len(flat)) or not any(i != UNKNOWN for i in flat) else told

    def _group(self, value: Any) -> tuple[int, ...] | None:
        """A label, or a list of tied ones."""
        if isinstance(value, list):
            labels = [self.label(one) for one in value]
            return tuple(index for index in labels if index is not None) if value and None not in labels else None
        index = self.label(value)
        return None if index is None else (index,)

    def label(self, value: Any) -> int | None:
        """The label that a value is: 3, "3", "[3]", "Passage 3"."""
        if isinstance(value, bool) or not isinstance(value, int | str):
            return None
        items = named(cut(str(value)[:80]), self.names) if not isinstance(value, int) or abs(value) < 10**6 else []
        labels = [item for item in items if item.kind == LABEL]
        plain = all(item.kind in {LABEL, SIGN} for item in items)
        return labels[0].index if len(labels) == 1 and plain else None

    def _objects(self, value: list[dict[str, Any]], key: str) -> tuple[tuple[int, ...], ...] | None:
        """A list of objects, each with a label and a rank or a score, or in the order of the ranking."""
        if all(len(one) == 1 for one in value):
            return self._pairs([next(iter(one.items())) for one in value], key, listed=True)
        labels = [self._of(one) for one in value]
        if any(index is None for index in labels):
            return None
        indices = [index for index in labels if index is not None]
        if len(set(indices)) < len(indices):
            return None
        places = _numbers(value, _PLACE)
        grades = _numbers(value, _GRADE)
        if places is not None and not (min(places) >= 1 and len(set(places)) > 1):
            return None
        by_place = None if places is None else grouped(list(zip(indices, places, strict=True)), falling=False)
        if grades is not None:
            by_grade = by_number(list(zip(indices, grades, strict=True)), {"score"}, self.answer)
            if by_place is None:
                return by_grade
            of = dict(zip(indices, grades, strict=True))
            rises = any(of[a[0]] < of[b[0]] for a, b in pairwise(by_place))
            return None if rises else by_place
        if by_place is not None:
            return by_place
        return None if as_shown(indices) or _unread_number(value) else tuple((index,) for index in indices)

    def _of(self, one: dict[str, Any]) -> int | None:
        """The label of an object."""
        found = {
            index
            for key, value in one.items()
            if _LABEL.search(key.casefold()) and not _PLACE.search(key.casefold())
            if (index := self.label(value)) is not None
        }
        return found.pop() if len(found) == 1 else None

    def _object(self, value: dict[str, Any], key: str) -> tuple[tuple[int, ...], ...] | None:
        """Labels with numbers, places with labels, or a ranking among other things."""
        if len(value) > 1:
            found = self._pairs(list(value.items()), key, listed=False)
            if found is not None:
                return found
        orders = {
            order
            for name, one in value.items()
            if _RANKING.search(name.casefold()) or _GRADE.search(name.casefold()) or _ASCENDING.search(name.casefold())
            if not _DENIED.search(name.casefold()) or _ASCENDING.search(name.casefold())
            if not _REASON.search(name.casefold()) and isinstance(one, list | dict | str)
            if not (_GRADE.search(name.casefold()) and _plain_list(one)) or _ASCENDING.search(name.casefold())
            if (order := self.order(one, name.casefold())) is not None
        }
        return orders.pop() if len(orders) == 1 else None

    def _pairs(self, pairs: Sequence[tuple[str, Any]], key: str, *, listed: bool) -> tuple[tuple[int, ...], ...] | None:
        """`{"[1]": 3, "[2]": 9}`, or `{"1": "[2]", "2": "[5]"}`."""
        keys = [self.label(name) for name, _ in pairs]
        numbers = [_number(value) for _, value in pairs]
        marked = [isinstance(value, str) and re.search(r"[\[A-Za-z]", value) is not None for _, value in pairs]
        if None not in keys and None not in numbers:
            indices = [index for index in keys if index is not None]
            kinds = {kind for kind, pattern in (("score", _GRADE), ("rank", _PLACE)) if pattern.search(key)}
            told = [number for number in numbers if number is not None]
            if UNKNOWN in indices or len(set(indices)) < len(indices) or (kinds == {"rank"} and "ranks" not in key):
                return None
            return by_number(list(zip(indices, told, strict=True)), kinds, self.answer)
        values = [self.label(value) for _, value in pairs]
        places = [re.sub(r"^(?:rank|place|position|top|#)[ _]?", "", name.casefold()) for name, _ in pairs]
        if all(marked) and None not in values and places == [str(i + 1) for i in range(len(pairs))]:
            indices = [index for index in values if index is not None]
            return None if as_shown(indices) and not _RANKING.search(key) else tuple((index,) for index in indices)
        texts = all(isinstance(value, str) for _, value in pairs)
        if listed and texts and None not in keys and _RANKING.search(key):
            indices = [index for index in keys if index is not None]
            return None if as_shown(indices) else tuple((index,) for index in indices)
        return None


def _plain_list(value: Any) -> bool:
    return isinstance(value, list) and not any(isinstance(one, dict) for one in value)


def _number(value: Any) -> float | None:
    """The number a value is, 3, "3" or "3/10"; None for all else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return float(value) if abs(value) < 10**9 else None  # also not for nan
    if isinstance(value, str):
        found = re.fullmatch(r"\s?(-?[0-9]{1,9}(?:\.[0-9]{1,9})?)\s?(?:(?:/|out of)\s?[0-9]{1,4}|%)?\s?", value[:40])
        return float(found.group(1)) if found else None
    if isinstance(value, dict):
        numbers = [
            number
            for key, one in value.items()
            if _GRADE.search(key.casefold())
            if (number := _number(one)) is not None
        ]
        return numbers[0] if len(numbers) == 1 else None
    return None


def _numbers(objects: list[dict[str, Any]], pattern: re.Pattern[str]) -> list[float] | None:
    """The one number that each object has under such a key."""
    found: list[float] = []
    for one in objects:
        numbers = [
            n for key, value in one.items() if pattern.search(key.casefold()) if (n := _number(value)) is not None
        ]
        if len(numbers) != 1:
            return None
        found.append(numbers[0])
    return found


def _unread_number(objects: list[dict[str, Any]]) -> bool:
    """Whether the objects have numbers besides their labels, which nobody knows how to read."""
    return any(
        isinstance(v, int | float) and not _LABEL.search(k.casefold()) for one in objects for k, v in one.items()
    )
