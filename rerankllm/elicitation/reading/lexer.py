"""An answer cut into items: words, numbers, signs and the ends of lines. Markup is left out."""

import re
from dataclasses import dataclass

WORD, NUMBER, SIGN, BREAK, LABEL = "word", "number", "sign", "break", "label"

BARE, PARENTHESES, NAMED = 0, 1, 2
"""How a label is marked: `3`; `(3)`; `[3]` or `Passage 3`."""

UNKNOWN = -1
"""The index of a label that was not shown."""


@dataclass(slots=True)
class Item:
    """One piece of an answer.

    Attributes:
        kind: WORD, NUMBER, SIGN, BREAK or LABEL.
        text: What it says; a sign in its one spelling (`==>` is `>`).
        start: Where it starts in the plain text.
        end: Where it ends.
        spaced: Whether something stands between it and the item before.
        index: Which of the labels shown a LABEL is, or UNKNOWN.
        mark: How a LABEL is marked.
    """

    kind: str
    text: str
    start: int
    end: int
    spaced: bool
    index: int = UNKNOWN
    mark: int = BARE


_DENSE = "\u3041-\u3096\u309d-\u30fa\u30fc-\u30ff\u3400-\u9fff\uac00-\ud7af"
"""Scripts that put no spaces between words: `段落B` is two items."""
LEFT_OUT = "*`\"'“”„‟«‘’‚「」『』《》{}$\\^_"
"""Markup and quotation marks, which are no items."""
_ITEM = re.compile(
    r"(?P<break>\n)"
    r"|(?P<number>[0-9]++(?:\.[0-9]++)?)"
    rf"|(?P<word>[{_DENSE}]++|[^\W\d_{_DENSE}]++(?:['’][^\W\d_{_DENSE}]++)*+)"
    r"|(?P<more>[-=]{1,3}>++|>++=?)"
    r"|(?P<less><++[-=]{0,3})"
    r"|(?P<equal>={1,3}|~)"
    r"|(?P<dots>\.{2,}+|…)"
    r"|(?P<stars>[★☆⭐🌟]++)"
    r"|(?P<dash>-{1,3})"
    rf"|(?P<sign>[^\s{re.escape(LEFT_OUT)}])"
)
SIGNS = {
    ">": "→➔➜➙➡⟶⇒⟹≻»›▶►⏩≥⩾≽≫",
    "<": "←⟵⇐≺‹≤⩽≼≪",
    "=": "≈≃∼≡≅",
    "[": "【〔〖",
    "]": "】〕〗",
    "-": "–—―−‐‑‒",
    ",": "、،﹐",
    ".": "。",
    ":": "﹕",
    ";": "؛",
    "?": "؟",
    "·": "•▪◦‣●○∙",
}
_SPELT = {"more": ">", "less": "<", "equal": "=", "dots": "…", "dash": "-"} | {
    sign: plain for plain, signs in SIGNS.items() for sign in signs
}


def cut(text: str) -> list[Item]:
    """The items of a plain text, the ends of lines among them."""
    items: list[Item] = []
    end = 0
    for match in _ITEM.finditer(text):
        kind = match.lastgroup or ""
        start = match.start()
        spaced, end_before = start > end, end
        end = match.end()
        if kind == "break":
            items.append(Item(BREAK, "\n", start, end, spaced))
        elif kind == "number":
            items.append(Item(NUMBER, match.group(), start, end, spaced))
        elif kind == "word":
            items.append(Item(WORD, match.group().replace("’", "'"), start, end, spaced))
        elif kind == "stars":
            items.append(
                Item(NUMBER, str(len(match.group()) - match.group().count("☆")), start, end, start > end_before)
            )
        else:
            items.append(Item(SIGN, _SPELT.get(kind) or _SPELT.get(match.group(), match.group()), start, end, spaced))
    return items
