"""`[2] > [1] = [3]`: labels joined by signs, with or without a remark after each."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from rerankllm.elicitation.reading.answer import Cut, is_sign
from rerankllm.elicitation.reading.candidate import Candidate, as_shown
from rerankllm.elicitation.reading.lexer import BARE, BREAK, LABEL, NUMBER, SIGN, WORD, Item

_SIGNS = {">", "<", "="}
_CLEAN = {*_SIGNS, "[", "]", "(", ")"}
_LOOSE = {",", ";", "[", "]"}
_PARENTHESES = "()"
_PART = "part"
_COPULAS = frozenset({"is", "are", "because", "since", "as", "would", "seems", "ist", "est", "es", "è", "é"})
_LOOSE_SHARE = 4
"""One link in so many may be a comma, or nothing, in place of a sign."""
_REMARK = 40
"""Items of a remark between two labels."""


@dataclass(slots=True)
class _Chain:
    """A chain as far as it was read."""

    labels: list[Item] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    first: int = 0
    last: int = 0
    remarks: int = 0


def chains(answer: Cut) -> Iterator[Candidate]:
    """All chains of an answer, in order. Labels in parentheses behind another are part of a remark."""
    items, closing = answer.items, parentheses(answer.items)
    chain = _Chain()
    gap: list[Item] = []
    signs = skip_to = 0
    for i, item in enumerate(items):
        if i < skip_to:
            continue
        if item.kind != LABEL or _counts_lines(items, i):
            if i in closing and chain.labels and not signs:
                skip_to = closing[i] + 1
                item = Item(WORD, _PARENTHESES, item.start, item.end, item.spaced)  # noqa: PLW2901
            gap.append(item)
            signs += _linking(item)
            if len(gap) > _REMARK:
                yield from _finished(chain, answer, closing)
                chain, gap, signs = _Chain(), [], 0
            continue
        link = _link(gap, chain, items, i) if chain.labels else None
        if link == _PART and len(gap) < _REMARK:
            gap.append(item)
            continue
        if link is None or link == _PART:
            link = None
            yield from _finished(chain, answer, closing)
            chain = _Chain(first=i)
        else:
            chain.links.append(link)
            chain.remarks += any(g.kind in {WORD, NUMBER, LABEL} and g.text != _PARENTHESES for g in gap)
        gap, signs = [], 0
        if link is not None or not (item.mark == BARE and _runs_on(items, i)):
            chain.labels.append(item)
            chain.last = i
    yield from _finished(chain, answer, closing)


def parentheses(items: list[Item]) -> dict[int, int]:
    """Where each opening parenthesis that closes on its line is, with the place of the closing one."""
    closing: dict[int, int] = {}
    opened: list[int] = []
    for i, item in enumerate(items):
        if item.kind == BREAK:
            opened.clear()
        elif item.kind == SIGN and item.text == "(":
            opened.append(i)
        elif item.kind == SIGN and item.text == ")" and opened:
            closing[opened.pop()] = i
    return closing


def _linking(item: Item) -> bool:
    return item.kind == SIGN and item.text in _SIGNS


def _counts_lines(items: list[Item], i: int) -> bool:
    """Whether a bare number is the `1.` in front of a line."""
    at_start = i == 0 or items[i - 1].kind == BREAK
    return at_start and items[i].mark == BARE and is_sign(items, i + 1, ".)") and not items[i + 1].spaced


def _runs_on(items: list[Item], i: int) -> bool:
    """Whether a word follows a bare label, which then counts things: `5 people`."""
    after = items[i + 1] if i + 1 < len(items) else None
    return after is not None and after.kind == WORD


def _link(gap: list[Item], chain: _Chain, items: list[Item], i: int) -> str | None:
    """How a label goes on with a chain: by `>`, `<`, `=` or loosely; None: not at all; "part": it is in a remark."""
    item = items[i]
    mark = max(label.mark for label in chain.labels[:2])
    signs = [g.text for g in gap if _linking(g)]
    clean = all(g.kind == BREAK or g.text == _PARENTHESES or (g.kind == SIGN and g.text in _CLEAN) for g in gap)
    if item.mark < mark:
        if clean and signs == [">"] and not _runs_on(items, i):
            return ">"
        return None if any(g.kind == BREAK for g in gap) else _PART
    if item.mark == BARE and _runs_on(items, i) and items[i + 1].text.casefold() not in _COPULAS:
        return None
    if len(signs) == 1 and (clean or (mark and _is_remark(gap))):
        return signs[0]
    loose = all(g.kind == SIGN and g.text in _LOOSE for g in gap)
    return "," if loose and len(gap) <= len(_LOOSE) and (mark or gap) else None


def _is_remark(gap: list[Item]) -> bool:
    """Whether what parts two labels is a remark on the first, and then a sign: no end of a sentence, no line."""
    sign = next(j for j, g in enumerate(gap) if _linking(g))
    if any(g.kind not in {SIGN, BREAK} for g in gap[sign + 1 :]) or gap[sign].text != ">":
        return False
    return not any(g.kind == BREAK or (g.kind == SIGN and g.text in ".!?;…") for g in gap[:sign])


def _finished(chain: _Chain, answer: Cut, closing: dict[int, int]) -> Iterator[Candidate]:
    """The chain as a candidate, if it is one."""
    links, labels = chain.links, chain.labels
    if _spans(answer.items, chain.last):
        links, labels = links[:-1], labels[:-1]
    signs = [link for link in links if link != ","]
    last = max((at for at, link in enumerate(links) if link != ","), default=-1)
    links, labels = links[: last + 1], labels[: last + 2]  # `[2] > [1], [3]` names one more, and does not say where
    loose = len(links) - len(signs)
    if not signs or {"<", ">"} <= set(signs) or loose * _LOOSE_SHARE > len(links):
        return
    indices = [label.index for label in labels]
    if chain.remarks and as_shown(indices):
        return
    groups: list[list[int]] = [[indices[0]]]
    for link, index in zip(links, indices[1:], strict=True):
        if link == "=":
            groups[-1].append(index)
        else:
            groups.append([index])
    ascending = "<" in signs
    end = _end(answer, chain.last, closing)
    found = Candidate(
        "ascending chain" if ascending else "chain",
        tuple(map(tuple, reversed(groups) if ascending else groups)),
        labels[0].start,
        end,
        _alone(answer, chain.first, chain.last),
        ascending,
        Counter(separator=loose) if loose else Counter(),
    )
    if set(signs) == {"="} and found.named < answer.labels:
        return
    yield found


def _spans(items: list[Item], last: int) -> bool:
    """Whether a label is the first of several, in a range or tied in some way: `[1]-[5]`, `[1]/[4]`."""
    if not is_sign(items, last + 1, "-/") or items[last + 1].spaced:
        return False
    return last + 2 < len(items) and items[last + 2].kind == LABEL and not items[last + 2].spaced


def _end(answer: Cut, last: int, closing: dict[int, int]) -> int:
    """Where a chain ends: after the parentheses that follow its last label."""
    return answer.items[closing.get(last + 1, last)].end


def _alone(answer: Cut, first: int, last: int) -> bool:
    """Whether nothing but a list number, a colon or signs stands before it on its line, and no word behind it."""
    items = answer.items
    before = first - 1
    while before >= 0 and items[before].kind == SIGN and items[before].text in "[(->.)":
        before -= 1
    colon = is_sign(items, first - 1, ":")
    opens = before < 0 or items[before].kind == BREAK or colon or _counts_lines(items, before)
    behind = last + 1
    while behind < len(items) and items[behind].kind == SIGN and items[behind].text in ".])>;,":
        behind += 1
    if is_sign(items, behind, "("):
        return opens
    return opens and (behind >= len(items) or items[behind].kind == BREAK)
