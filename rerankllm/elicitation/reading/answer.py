"""An answer, cut once: its plain text, its items and its lines."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from rerankllm.elicitation.reading.characters import plain
from rerankllm.elicitation.reading.lexer import BARE, BREAK, LABEL, NUMBER, SIGN, Item, cut
from rerankllm.elicitation.reading.names import Names, named

_BULLETS = frozenset("-·+#>")
LONGEST = 32_768
"""Characters of an answer, some 8,000 tokens. Of a longer one only the last lines, so many characters, are read."""
_DIGITS = 4
"""A place has no more."""
_CUT_OFF = re.compile(r"\[\s?(?:[A-Za-z]{1,12}\s)?\w{0,12}\s?\Z")
"""A label whose bracket the end of the answer leaves open: it may be longer."""

_POLITE = re.compile(
    r"\A(?:sure(?: thing)?|certainly|of course|absolutely|okay|ok|alright|understood|got it|gerne|natürlich|bien sûr"
    r"|claro|certo|конечно)\s?[!.,:]++\s+",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Line:
    """One line that is not empty.

    Attributes:
        items: Its items, without the bullet in front.
        start: Where the line starts in the text.
        end: Where it ends.
        apart: Whether an empty line stands before it.
    """

    items: list[Item]
    start: int
    end: int
    apart: bool


@dataclass(frozen=True, slots=True)
class Cut:
    """An answer, cut into items and lines.

    Attributes:
        text: The plain text.
        items: All items, ends of lines too.
        lines: The lines that are not empty.
        labels: How many labels were shown.
        wanted: How many of them make a complete answer.
        numbers: Whether the labels are numbers.
        ordered: Whether the order of labels says something; not so where a few are only picked.
    """

    text: str
    items: list[Item]
    lines: list[Line]
    labels: int
    wanted: int
    numbers: bool
    ordered: bool = True


def names_of(labels: Sequence[str]) -> Names:
    """How these labels are found."""
    return _names_of(tuple(labels))


@lru_cache(maxsize=64)
def _names_of(labels: tuple[str, ...]) -> Names:
    return Names.of(labels, [tuple(item.text for item in cut(plain(label))) for label in labels])


def cut_answer(text: str, labels: Sequence[str], wanted: int, *, ordered: bool = True) -> Cut:
    """Cuts an answer, its thought already cut off, in which `wanted` of these labels should be named."""
    text = _POLITE.sub("", _CUT_OFF.sub("", _last_part(plain(_last_part(text)).strip())))
    names = names_of(labels)
    items = named(cut(text), names)
    return Cut(text, items, lines_of(items), len(labels), wanted, names.numbers, ordered)


def cut_inside(answer: Cut, text: str, names: Names) -> Cut:
    """Cuts a text that an answer holds, such as a string of its JSON."""
    items = named(cut(text), names)
    return replace(answer, text=text, items=items, lines=lines_of(items))


def _last_part(text: str) -> str:
    """The whole text, or of one that no model writes as an answer the lines at its end; "" where those are too long."""
    return text if len(text) <= LONGEST else text[-LONGEST:].partition("\n")[2]


def lines_of(items: list[Item]) -> list[Line]:
    """The lines that are not empty."""
    lines: list[Line] = []
    line: list[Item] = []
    apart, breaks = False, 0
    for item in items:
        if item.kind != BREAK:
            if not line:
                apart = breaks > 1
            line.append(item)
            continue
        if line:
            lines.append(_line(line, apart=apart))
            line, breaks = [], 0
        breaks += 1
    if line:
        lines.append(_line(line, apart=apart))
    return lines


def _line(items: list[Item], *, apart: bool) -> Line:
    first = 0
    while first < len(items) and items[first].kind == SIGN and items[first].text in _BULLETS:
        first += 1
    if first and first < len(items) and items[first - 1].text in "-+" and not items[first].spaced:
        first -= 1  # `-3` is no item of a list
    return Line(items[first:], items[0].start, items[-1].end, apart)


def whole_number(item: Item) -> int | None:
    """The number that an item is, be it a label too; None for all else, and for numbers too long to count anything."""
    if item.kind == NUMBER or (item.kind == LABEL and item.mark == BARE):
        return int(item.text) if item.text.isdecimal() and len(item.text) <= _DIGITS else None
    return None


def is_sign(items: Sequence[Item], i: int, signs: str) -> bool:
    """Whether item i is one of these signs."""
    return 0 <= i < len(items) and items[i].kind == SIGN and items[i].text in signs
