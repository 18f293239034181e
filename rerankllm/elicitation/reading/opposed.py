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
_FITTING = (
    "(?:相关|相關|好|合适|符合|贴切|切题|具体|直接|有用|准确|匹配|适合|関連|適|良|よい|いい|優|詳|正確|役|答|관련|적합|좋|유용"
    "|구체|정확|직접)"
)
_BETTER_THAN = (
    (r"比", rf"(?:更|还|還|较|較)(?:加|为|為)?{_FITTING}.*", 0),
    (r"(?:不如|没有|沒有)", rf"(?:那么|那麼)?{_FITTING}.*", 1),
    (r"より(?:も)?(?:パッセージ|文書)?", rf"(?:の(?:方|ほう))?が[^、。]*?{_FITTING}.*", 1),
    (r"の(?:方|ほう)が(?:パッセージ|文書)?", rf"より[^、。]*?{_FITTING}.*", 0),
    (r"보다 ?(?:단락|문서|지문)? ?", rf"(?:가|이) 더[^,.]*?{_FITTING}.*", 1),
)
"""What stands between two documents, and behind them, where one is called better; and which one that is."""
_TURNED = re.compile(r"不是|并不|並不|ない|ません|않|아니|없|낮|덜|떨어|低|差|劣|弱|悪|无关|無関|무관|不相|[?？]")
"""What may turn such a sentence into its opposite."""
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
    if not _LEADING.fullmatch(_said(items[: places[0]])):
        return None
    if None in levels or levels[0] == levels[1]:
        return _compared(answer.text, items[places[0]], items[places[1]])
    return named[0] if (levels[0] or 0) > (levels[1] or 0) else named[1]


def _compared(text: str, one: Item, other: Item) -> int | None:
    """The better of two documents in a sentence that compares them, in languages that do so in another order."""
    between, behind = text[one.end : other.start].strip("[]"), text[other.end :].lstrip("]").strip(" 。.")
    if _TURNED.search(text) or "\n" in behind:
        return None
    for joint, rest, better in _BETTER_THAN:
        if re.fullmatch(joint, between.casefold()) and re.fullmatch(rest, behind.casefold()):
            return (one, other)[better].index
    return None


def _level(clause: str) -> Level | None:
    return next((level for level, pattern in _CLAUSES.items() if pattern.fullmatch(clause)), None)


def _said(items: Sequence[Item]) -> str:
    return " ".join(item.text.casefold() for item in items if item.kind != SIGN or item.text != ".")
