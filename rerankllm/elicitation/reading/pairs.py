"""A label and the number beside it: `[1]: 3`, `Passage 1 scores 7/10`, `| 2 | 9 |`."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from rerankllm.elicitation.reading import words
from rerankllm.elicitation.reading.answer import Cut, is_sign, whole_number
from rerankllm.elicitation.reading.lexer import BARE, BREAK, LABEL, NAMED, NUMBER, SIGN, WORD, Item

_FILLERS = words.among(
    "is gets get of has a an the at with receives given earns deserves merits"
    " verdient mérite merece merita out ist hat est a es tiene è ha é tem from"
)
_UNITS = words.among(
    "points point pts stars star because since as for due punkte punkt puntos points weil car porque and but"
)
_OF = words.among("of von sur de su van из z")
_ENDINGS = frozenset({"st", "nd", "rd", "th", "º", "ª", "位", "위", "등"})
_SCORED = frozenset({"分", "点", "점"})
_REACH = 10
"""Items between a label and its number."""

Kind = Literal["score", "rank", ""]


@dataclass(frozen=True, slots=True)
class Pair:
    """A label and its number.

    Attributes:
        label: The label.
        value: The number.
        kind: What the number is called; "" where nothing says it.
        out_of: The best that it could be, where that is said; 0 where not.
        end: Where it ends in the plain text.
        spoken: Whether it is a place in words.
    """

    label: Item
    value: float
    kind: Kind
    out_of: float
    end: int
    spoken: bool = False


def pairs(answer: Cut, *, list_numbers: bool) -> Iterator[Pair]:
    """All labels with a number beside them, as they come.

    Args:
        answer: The answer.
        list_numbers: Whether the number in front of a line, as in `1. 7`, is a label.
    """
    items = answer.items
    skip_to = 0
    for i, item in enumerate(items):
        if i < skip_to or item.kind != LABEL:
            continue
        found = _value(items, i, list_numbers=list_numbers) or _ordinal(items, i, answer.labels)
        if found is not None:
            pair, skip_to = found
            yield pair


def _is_key(items: list[Item], i: int, *, list_numbers: bool) -> bool:
    """Whether a label may have a number: it is marked, or it is a bare one in front of a colon or the like."""
    item = items[i]
    if item.mark == NAMED:
        return True
    at_start = i == 0 or items[i - 1].kind == BREAK or (items[i - 1].kind == SIGN and items[i - 1].text in ",;:|-·+")
    if not at_start:
        return False
    if item.mark == BARE and is_sign(items, i + 1, ".)"):
        return list_numbers and items[i + 2 : i + 3] != [] and items[i + 2].spaced and not is_sign(items, i - 1, ":")
    return is_sign(items, i + 1, ":=|") or (is_sign(items, i + 1, "-") and items[i + 1].spaced)


def _value(items: list[Item], i: int, *, list_numbers: bool) -> tuple[Pair, int] | None:
    """The number of the label at i, and the item after it."""
    if not _is_key(items, i, list_numbers=list_numbers):
        return None
    kinds: set[Kind] = set()
    j = i + 1
    if items[i].mark == BARE and is_sign(items, j, ".)"):
        j += 1
    negative = broken = counts = False
    while j < min(len(items), i + _REACH):
        item = items[j]
        if item.kind == NUMBER or (item.kind == LABEL and item.mark != NAMED and item.text.isdecimal()):
            parts = _OF if list_numbers else frozenset()
            found = None if broken and not kinds else _pair(items, i, j, kinds, parts, negative=negative)
            return None if counts and found is not None and not found[0].kind else found
        if item.kind == LABEL or not _fills(item, kinds):
            return None
        broken = broken or item.kind == BREAK
        counts = counts or item.text.casefold() == "has"  # `has 4`, of whatever
        negative = item.text == "-" and j + 1 < len(items) and not items[j + 1].spaced and item.spaced
        j += 1
    return None


def _fills(item: Item, kinds: set[Kind]) -> bool:
    """Whether something may stand between a label and its number; notes what it calls the number."""
    if item.kind == BREAK:
        return True
    said = item.text.casefold()
    if item.kind == SIGN:
        if said == "#":
            kinds.add("rank")
        return said in ":=|,(-[])#·>"
    if words.SCORE.fullmatch(said):
        kinds.add("score")
    elif words.RANK.fullmatch(said):
        kinds.add("rank")
    elif said not in _FILLERS:
        return False
    return True


def _ordinal(items: list[Item], i: int, count: int) -> tuple[Pair, int] | None:
    """`[4]: first`; `[4] second, …`; `[2] last`: the place of a marked label, and the item after it."""
    at = i + 1 + is_sign(items, i + 1, ":=→-(")
    said = items[at].text.casefold() if at < len(items) and items[i].mark == NAMED else ""
    place = count if said == "last" else words.ORDINALS.get(said)
    after = items[at + 1 : at + 2]
    if place is None or not all(item.kind in {BREAK, SIGN} or item.text.casefold() == "and" for item in after):
        return None
    return Pair(items[i], float(place), "rank", 0.0, items[at].end, spoken=True), at + 1


def _pair(
    items: list[Item], i: int, j: int, kinds: set[Kind], of: frozenset[str], *, negative: bool
) -> tuple[Pair, int] | None:
    """The pair of label i and number j, if the number stands for itself; words in `of` part it from the best."""
    after = j + 1
    value = float(items[j].text[:300]) * (-1 if negative else 1)
    out_of = 0.0
    if after < len(items) and not items[after].spaced and items[after].text.casefold() in _ENDINGS:
        kinds.add("rank")
        after += 1
        after += after < len(items) and items[after].text.casefold() in {"place", "position"}
    if is_sign(items, after, "%"):
        out_of, after = 100.0, after + 1
    else:
        parted = is_sign(items, after, "/") or any(item.text.casefold() in of for item in items[after : after + 1])
        slash = 1 if parted else 2 if _says(items, after, "out", "of") else 0
        if slash and after + slash < len(items) and whole_number(items[after + slash]) is not None:
            out_of, after = float(items[after + slash].text), after + slash + 1
        elif _says(items, after, "of") and "rank" in kinds:
            after += 2
    if after < len(items) and items[after].text in _SCORED:
        kinds.add("score")
        after += 1
    if out_of:
        kinds.add("score")
    if after < len(items) and (_decimal(items, after) or not _ends(items[after], kinds)):
        return None
    kind: Kind = next(iter(kinds)) if len(kinds) == 1 else ""
    if len(kinds) > 1:
        return None
    return Pair(items[i], value, kind, out_of, items[after - 1].end), after


def _says(items: list[Item], i: int, *said: str) -> bool:
    return [item.text.casefold() for item in items[i : i + len(said)]] == list(said)


def _decimal(items: list[Item], i: int) -> bool:
    """Whether a comma goes on with the number before it: `7,5`, and not `1: 7,2: 5`."""
    if not is_sign(items, i, ",") or items[i].spaced or i + 1 >= len(items) or items[i + 1].spaced:
        return False
    return whole_number(items[i + 1]) is not None and not is_sign(items, i + 2, ":=")


def _ends(item: Item, kinds: set[Kind]) -> bool:
    """Whether what follows a number leaves it a number of its own: not 3 fleas, 3rd or 3:30."""
    if item.kind == BREAK or (item.kind == LABEL and item.mark):
        return True
    if item.kind == WORD:
        if words.SCORE.fullmatch(item.text.casefold()) and item.spaced:
            kinds.add("score")
        return item.spaced and (
            item.text.casefold() in _UNITS or words.SCORE.fullmatch(item.text.casefold()) is not None
        )
    return item.kind == SIGN and item.text in ".,;:|-()[]!…·" and (item.spaced or item.text not in "-:")
