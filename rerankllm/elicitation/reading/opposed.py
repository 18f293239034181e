"""Two documents, each judged by itself: `A: irrelevant⏎B: relevant`; `A is wrong, B is right`.

Every word of the answer has to belong to such a judgement: one more, and it says nothing here.
"""

import re
from collections.abc import Sequence
from enum import IntEnum

from rerankllm.elicitation.reading.answer import Cut
from rerankllm.elicitation.reading.lexer import LABEL, NUMBER, SIGN, WORD, Item


class Level(IntEnum):
    """How good a clause calls its document."""

    BAD = 0
    GOOD = 1
    BETTER = 2


_IS = r"(?:(?:is|seems|looks|appears)(?: to be)? )?(?:\w+ly |quite |not at all )?"
_QUERY = r"(?: to (?:the|this) (?:search )?(?:query|question))?(?: at (?:all|first))?"
_ASKED = r"(?: (?:the|this) (?:search )?(?:query|question))?(?: at all| \w+ly)?"
_CLAUSES = {
    Level.BAD: re.compile(
        rf"{_IS}(?:wrong|incorrect|irrelevant|unrelated|off[ -]topic|not (?:relevant|right|correct|related)){_QUERY}"
        rf"|(?:does not|doesn't|does n't|cannot|fails to) (?:answer|address){_ASKED}"
    ),
    Level.GOOD: re.compile(
        rf"(?!not ){_IS}(?:right|correct|relevant|good|on[ -]topic){_QUERY}|(?:answers|addresses){_ASKED}|does"
    ),
    Level.BETTER: re.compile(rf"{_IS}(?:better|best|(?:more|most) relevant){_QUERY}"),
}
_NAMED = r"(?:passage|document|option)"
_LEADING = re.compile(rf"(?:{_NAMED})?")
_JOINING = re.compile(rf" ?\b(?:(?:but|and|while|whereas)(?: {_NAMED})?|{_NAMED})$")


def preferred(answer: Cut, count: int) -> int | None:
    """The document of two that is called the better one; None where the answer says anything else.

    Args:
        answer: The answer.
        count: How many documents there are.
    """
    items = [item for item in answer.items if item.kind in {LABEL, NUMBER, WORD} or item.text in {"?", "n't"}]
    places = [i for i, item in enumerate(items) if item.kind == LABEL]
    named = [items[i].index for i in places]
    if count != 2 or sorted(named) != [0, 1]:  # noqa: PLR2004
        return None
    between = _JOINING.sub("", _said(items[places[0] + 1 : places[1]]))
    levels = [_level(between), _level(_said(items[places[1] + 1 :]))]
    if not _LEADING.fullmatch(_said(items[: places[0]])) or None in levels or levels[0] == levels[1]:
        return None
    return named[0] if (levels[0] or 0) > (levels[1] or 0) else named[1]


def _level(clause: str) -> Level | None:
    return next((level for level, pattern in _CLAUSES.items() if pattern.fullmatch(clause)), None)


def _said(items: Sequence[Item]) -> str:
    return " ".join(item.text.casefold() for item in items if item.kind != SIGN or item.text != ".")
