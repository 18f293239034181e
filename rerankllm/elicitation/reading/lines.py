"""A label a line: `3⏎1⏎2`, with or without bullets."""

from collections.abc import Iterator

from rerankllm.elicitation.reading import words
from rerankllm.elicitation.reading.answer import Cut, Line
from rerankllm.elicitation.reading.candidate import Candidate, as_shown
from rerankllm.elicitation.reading.lexer import BARE, LABEL, NAMED, SIGN, UNKNOWN
from rerankllm.elicitation.reading.surroundings import MOST, denies, lead

_PLAIN_END = frozenset(".,;>]")
_INVENTED = 4
"""One bare number in so many may be no label."""


def label_lines(answer: Cut) -> Iterator[Candidate]:
    """All blocks of lines that begin with a label; with words behind it only where a heading announces an order."""
    blocks: list[list[Line]] = []
    block: list[Line] = []
    for line in answer.lines:
        if line.items and line.items[0].kind == LABEL and (not block or line.items[0].mark == block[0].items[0].mark):
            block.append(line)
        else:
            blocks.append(block)
            block = [line] if line.items and line.items[0].kind == LABEL else []
    blocks.append(block)
    for found in [block for block in blocks if len(block) > 1][-MOST:]:
        if _is_answer(answer, found):
            groups = tuple((line.items[0].index,) for line in found)
            yield Candidate("labels line by line", groups, found[0].start, found[-1].end)


def _is_answer(answer: Cut, block: list[Line]) -> bool:
    labels = [line.items[0] for line in block]
    indices = [label.index for label in labels]
    known = set(indices) - {UNKNOWN}
    plain = all(item.kind == SIGN and item.text in _PLAIN_END for line in block for item in line.items[1:])
    said = lead(answer, block[0].start)
    if denies(said) or not known:
        return False
    announced = words.ANNOUNCING.search(said) is not None
    if not plain:
        marked = all(label.mark == NAMED for label in labels)
        return marked and announced and not as_shown(indices) and len(known) >= answer.wanted and _remarks(block)
    if labels[0].mark == BARE and indices.count(UNKNOWN) * _INVENTED > len(indices):
        return False
    if as_shown(indices) and answer.ordered:
        return announced if said else len(block) == len(answer.lines)
    return announced or not said


def _remarks(block: list[Line]) -> bool:
    """Whether what follows each label is a remark behind a sign, and names no other label."""
    for line in block:
        behind = line.items[1:]
        if not behind or behind[0].kind != SIGN or behind[0].text not in ":-(,.":
            return False
        if any(item.kind == LABEL and item.mark == NAMED for item in behind):
            return False
    return True
