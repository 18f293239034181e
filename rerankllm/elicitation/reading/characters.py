"""Answers made plain: one spelling for each sign, and no markup."""

import html
import re

NO_WIDTH = "\u200b\u200c\u200d\u200e\u200f\u2060\ufeff\ufe0e\ufe0f\u20e3\u00ad"
_BREAKS_OF_LINES = "\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"
_MEDALS = {"🥇": "1. ", "🥈": "2. ", "🥉": "3. "}
_ZEROES = "٠۰०০０"
_SMALL = "⁰¹²³⁴⁵⁶⁷⁸⁹₀₁₂₃₄₅₆₇₈₉"


def _table() -> dict[int, str]:
    table = {0xFF01 + i: chr(0x21 + i) for i in range(94)}
    table |= {0x2460 + i: f"[{i + 1}]" for i in range(20)}
    table |= {0x24B6 + i: f"[{chr(65 + i)}]" for i in range(26)}
    table |= {ord(zero) + i: str(i) for zero in _ZEROES for i in range(10)}
    table |= {ord(digit): str(i % 10) for i, digit in enumerate(_SMALL)}
    table |= {ord(end): "\n" for end in _BREAKS_OF_LINES}
    table |= {ord(medal): place for medal, place in _MEDALS.items()}
    return table | {ord(sign): "" for sign in NO_WIDTH}


PLAIN = _table()
"""What characters become that only look like others; those that are not seen become nothing."""
_LATEX = re.compile(r"\\([A-Za-z]+|[\[\]()])")
_LATEX_SIGNS = {
    ">": {"succ", "gt", "rightarrow", "to", "Rightarrow", "longrightarrow", "succeq", "ge", "geq"},
    "<": {"prec", "lt", "leftarrow", "Leftarrow", "preceq", "le", "leq"},
    "=": {"sim", "approx", "equiv"},
}
_LATEX_PLAIN = {name: sign for sign, names in _LATEX_SIGNS.items() for name in names}
_TAG = re.compile(r"<(/?)([A-Za-z][A-Za-z0-9_-]{0,20})(?:\s[^<>\n]{0,60})?/?>")
_BREAKS = {"br", "p", "li", "tr", "div", "ol", "ul", "table", "h1", "h2", "h3", "h4", "h5", "h6", "answer", "ranking"}
_FENCE = re.compile(r"^[ \t]*```.*$", re.MULTILINE)
_STRUCK = re.compile(r"~~[^~\n]*~~|<(s|del|strike)>[^<\n]*</\1>")
_ANSWER = re.compile(r"<answer>([^<]*+(?:<(?!/?answer>)[^<]*+)*+)(?:</answer>|\Z)", re.IGNORECASE)


_TOO_LARGE = re.compile(r"&#(?:[0-9]{12,}+|[xX][0-9a-fA-F]{12,}+);?")
"""References to characters that do not exist, with so many digits that Python may refuse to read the number."""


def unescaped(text: str) -> str:
    """The text with `&gt;` and the like as the characters they mean. Never raises."""
    return html.unescape(_TOO_LARGE.sub("\ufffd", text))


def plain(text: str) -> str:
    """The text with one spelling for each sign: `［２］＞①` is `[2]>[1]`; tags, fences and struck words are gone."""
    text = text.replace("\r\n", "\n")
    if "&" in text:
        text = unescaped(text)
    if not text.isascii():
        text = text.translate(PLAIN)
    if "\\" in text:
        text = _LATEX.sub(lambda m: f" {_LATEX_PLAIN.get(m.group(1), '')}", text)
    if "~~" in text or "</" in text:
        text = _STRUCK.sub(" ", text)
    if "<" in text:
        text = _TAG.sub(_untagged, _tagged_answer(text))
    return _FENCE.sub("", text) if "```" in text else text


def _tagged_answer(text: str) -> str:
    """What stands between `<answer>` and `</answer>`, where exactly one answer is marked so."""
    marked = {found for match in _ANSWER.finditer(text) if (found := match.group(1).strip())}
    return marked.pop() if len(marked) == 1 else text


def _untagged(tag: re.Match[str]) -> str:
    closing, name = tag.group(1), tag.group(2).lower()
    if name in _BREAKS:
        return "\n"
    if name in {"td", "th"}:
        return " | " if closing else " "
    return " "
