"""A label a line: `3⏎1⏎2`, with or without bullets."""

from collections.abc import Iterator

from rerankllm.elicitation.reading.answer import Cut, Line, whole_number
from rerankllm.elicitation.reading.candidate import Candidate, as_shown
from rerankllm.elicitation.reading.lexer import BARE, LABEL, NAMED, NUMBER, SIGN, UNKNOWN
from rerankllm.elicitation.reading.surroundings import MOST, announces, denies, lead

_PLAIN_END = frozenset(".,;>]")
_INVENTED = 4
"""One bare number in so many may be no label."""


def label_lines(answer: Cut) -> Iterator[Candidate]:
    """All blocks of lines that begin with a label; with words behind it only where a heading announces an order."""
    blocks: list[list[Line]] = []
    block: list[Line] = []
    for line in answer.lines:
        labelled = bool(line.items) and line.items[0].kind == LABEL
        if labelled and (not block or _alike(line, block[0])):
            block.append(line)
        else:
            blocks.append(block)
            block = [line] if labelled else []
    blocks.append(block)
    for found in [block for block in blocks if len(block) > 1][-MOST:]:
        if _is_answer(answer, found):
            groups = tuple((line.items[0].index,) for line in found)
            yield Candidate("labels line by line", groups, found[0].start, found[-1].end)


def _alike(one: Line, other: Line) -> bool:
    """Whether two lines mark their labels the same way, and both have words behind them or neither has."""
    return one.items[0].mark == other.items[0].mark and _is_plain(one) == _is_plain(other)


def _is_plain(line: Line) -> bool:
    return all(item.kind == SIGN and item.text in _PLAIN_END for item in line.items[1:])


def _is_answer(answer: Cut, block: list[Line]) -> bool:
    labels = [line.items[0] for line in block]
    indices = [label.index for label in labels]
    known = set(indices) - {UNKNOWN}
    plain = all(map(_is_plain, block))
    said = lead(answer, block[0].start)
    if denies(said) or not known:
        return False
    announced = announces(said)
    if not plain:
        marked = all(label.mark == NAMED for label in labels)
        return marked and announced and not as_shown(indices) and len(known) >= answer.wanted and _remarks(block)
    if labels[0].mark == BARE and indices.count(UNKNOWN) * _INVENTED > len(indices):
        return False
    if as_shown(indices) and answer.ordered:
        return announced if said else block[0] is answer.lines[0]
    return announced or not said


def _remarks(block: list[Line]) -> bool:
    """Whether what follows each label is a remark behind a sign, and names no other label."""
    for line in block:
        behind = line.items[1:]
        if not behind or behind[0].kind != SIGN or behind[0].text not in ":-(,.":
            return False
        if whole_number(behind[1 % len(behind)]) is not None or behind[1 % len(behind)].kind == NUMBER:
            return False
        if any(item.kind == LABEL and item.mark == NAMED for item in behind):
            return False
    return True
