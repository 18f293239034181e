"""`1. Passage 2⏎2. Passage 5`: lines with a place in front, and then a label."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from rerankllm.elicitation.reading import words
from rerankllm.elicitation.reading.answer import Cut, is_sign, whole_number
from rerankllm.elicitation.reading.candidate import Candidate, as_shown
from rerankllm.elicitation.reading.lexer import BARE, LABEL, NAMED, NUMBER, SIGN, UNKNOWN, WORD, Item
from rerankllm.elicitation.reading.surroundings import MOST, announces, denies, lead

_JOINING = frozenset({"and", "&", "und", "et", "y", "e", "и"})
_ENDINGS = frozenset({"st", "nd", "rd", "th", "er", "º", "ª", "位", "名", "위", "등"})
_PLACE_WORDS = frozenset({"place", "choice", "rank", "position", "platz", "lugar", "posto"})


@dataclass(frozen=True, slots=True)
class _Entry:
    """One place, and what stands at it.

    Attributes:
        place: The number in front.
        labels: The label, or several that are tied.
        rest: What else is said.
        sure: Whether the place is called one, or is a list's number.
    """

    place: int
    labels: list[Item]
    rest: list[Item]
    sure: bool


@dataclass(slots=True)
class _Block:
    """The entries of one list, as far as they were read.

    Attributes:
        entries: Its entries.
        last: The place read last, that of an entry or not.
        spoilt: Whether some place has no label.
        prose: Whether words stand between entries.
        start: Where its first line starts.
    """

    entries: list[_Entry]
    last: int
    start: int
    spoilt: bool = False
    prose: bool = False

    @property
    def counts_down(self) -> bool:
        """Whether only place 1 is left of a list that counts down."""
        return self.last == 2 and len(self.entries) > 0 and self.entries[0].place == len(self.entries) + 1  # noqa: PLR2004


def numbered(answer: Cut) -> Iterator[Candidate]:
    """All numbered lists whose items begin with a label."""
    blocks = [block for block in _blocks(answer) if len(block.entries) > 1 and not block.spoilt]
    for block in blocks[-MOST:]:
        yield from _finished(answer, block)


def _blocks(answer: Cut) -> Iterator[_Block]:
    block: _Block | None = None
    prose = False
    for line in answer.lines:
        place = _place(line.items)
        if place is None:
            if block and line.items and line.items[0].kind == LABEL and line.items[0].mark:
                yield block
                block = None
            prose = prose or any(item.kind in {WORD, LABEL} for item in line.items)
            continue
        number, after, sure = place
        if block and number == 1 and (block.last != 1 or block.spoilt) and not block.counts_down:
            yield block
            block = None
        entries = list(_entries(line.items, number, after, sure=sure))
        if block is None:
            block = _Block([], number, line.start)
        elif prose:
            block.prose = True
        prose = False
        block.spoilt = block.spoilt or not entries
        block.last = entries[-1].place if entries else number
        block.entries.extend(entries)
    if block:
        yield block


def _place(items: list[Item]) -> tuple[int, int, bool] | None:
    """The place a line begins with, the item after it, and whether nothing else can be meant."""
    if not items:
        return None
    first = items[0]
    number = whole_number(first)
    if number is not None:
        if len(items) > 1 and not items[1].spaced and items[1].text.casefold() in _ENDINGS:
            after = 2 + any(item.text.casefold() in _PLACE_WORDS for item in items[2:3])
            return number, after, True
        if is_sign(items, 1, ".)") and not items[1].spaced and len(items) > 2:  # noqa: PLR2004
            return number, 2 + is_sign(items, 2, ")"), True
        after = 1 + is_sign(items, 1, ":-|")
        strong = after < len(items) and items[after].kind == LABEL and items[after].mark == NAMED
        return (number, after, False) if strong else None
    if first.kind == LABEL and first.mark == 1 and first.text.isdecimal() and len(items) > 1 and items[1].kind == LABEL:
        return int(first.text[:4]), 1, False
    if first.kind == SIGN and first.text == "(" and len(items) > 3 and is_sign(items, 2, ")"):  # noqa: PLR2004
        number = whole_number(items[1])
        return None if number is None else (number, 3, True)
    return _named_place(items)


def _named_place(items: list[Item]) -> tuple[int, int, bool] | None:
    """`Rank 1:`, `Place #2`, `First:`, `第1位`."""
    said = items[0].text.casefold()
    if items[0].kind != WORD:
        return None
    if said in words.ORDINALS:
        after = 1 + (len(items) > 1 and items[1].text.casefold() in _PLACE_WORDS)
        return (words.ORDINALS[said], after, True) if is_sign(items, after, ":-,.)") else None
    if words.RANK.fullmatch(said) or said == "第":
        at = 1 + is_sign(items, 1, "#")
        number = whole_number(items[at]) if at < len(items) else None
        if number is not None:
            after = at + 1 + (at + 1 < len(items) and items[at + 1].text in _ENDINGS)
            return (number, after, True) if is_sign(items, after, ":-.)=|") or after > at + 1 else None
    return None


def _entries(items: list[Item], number: int, after: int, *, sure: bool) -> Iterator[_Entry]:
    """What stands behind a place on its line, and behind the next places where they are on the same line."""
    while True:
        while is_sign(items, after, ":-.)|=,"):
            after += 1
        labels: list[Item] = []
        at = after
        while at < len(items) and items[at].kind == LABEL:
            labels.append(items[at])
            at += 1
            joined = at
            while is_sign(items, joined, ",=&") or (joined < len(items) and items[joined].text.casefold() in _JOINING):
                joined += 1
            if (
                joined == at
                or joined >= len(items)
                or items[joined].kind != LABEL
                or items[joined].mark < labels[0].mark
            ):
                break
            at = joined
        if not labels or not _stands(items, at, labels[-1]):
            return
        following = _next_place(items, at, number + 1)
        end = len(items) if following is None else following
        yield _Entry(number, labels, items[at:end], sure)
        if following is None:
            return
        number, after = number + 1, following + 2


def _stands(items: list[Item], at: int, label: Item) -> bool:
    """Whether a label is not the first word of a sentence, and no other sign than a remark's follows."""
    if at >= len(items):
        return True
    if items[at].kind in {NUMBER, LABEL}:
        return label.mark == NAMED
    if items[at].kind == WORD:
        return label.mark == NAMED
    return items[at].text not in {">", "<"} and not (label.mark == BARE and items[at].text in "/%")


def _next_place(items: list[Item], at: int, number: int) -> int | None:
    """Where the next place begins on the same line."""
    for i in range(at, min(len(items) - 2, at + 60)):
        if (
            whole_number(items[i]) == number
            and is_sign(items, i + 1, ".)")
            and not items[i + 1].spaced
            and items[i + 2].kind == LABEL
            and (items[i + 2].mark == NAMED or is_sign(items, i - 1, ",;."))
        ):
            return i
    return None


def _finished(answer: Cut, block: _Block) -> Iterator[Candidate]:
    """A block of entries as a candidate, if its places are places and it does not only repeat what was shown.

    Where scores beside the labels say another order than the places, it has no groups: nothing else is read there.
    """
    entries = block.entries
    places = [entry.place for entry in entries]
    lazy = set(places) == {1} and all(entry.sure for entry in entries)
    if not lazy and sorted(places) != list(range(1, len(places) + 1)):
        return
    ordered = entries if lazy else sorted(entries, key=lambda entry: entry.place)
    indices = [label.index for entry in entries for label in entry.labels]
    known = set(indices) - {UNKNOWN}
    bare = any(label.mark == BARE for entry in entries for label in entry.labels)
    if bare and (len(known) < answer.wanted or len(known) < len(indices) or not all(entry.sure for entry in entries)):
        return
    said = lead(answer, block.start)
    if answer.ordered and as_shown(indices):
        remarks = any(item.kind != SIGN for entry in entries for item in entry.rest)
        if block.prose or remarks or not _falls(ordered) or (said and not announces(said)):
            return
    if denies(said):
        return
    groups = tuple(tuple(label.index for label in entry.labels) for entry in ordered) if _falls(ordered) else ()
    last = entries[-1].rest[-1] if entries[-1].rest else entries[-1].labels[-1]
    yield Candidate("numbered lines", groups, block.start, last.end)


def _falls(block: list[_Entry]) -> bool:
    """Whether the scores beside the labels, where each has one, do not rise."""
    scores = [_score(entry.rest) for entry in block]
    if any(score is None for score in scores):
        return True
    values = [score for score in scores if score is not None]
    return all(a >= b for a, b in pairwise(values))


def _score(rest: list[Item]) -> float | None:
    """The score that a remark is, or begins with."""
    found = [item for item in rest[:6] if item.kind == NUMBER or whole_number(item) is not None]
    said = [item for item in rest[:6] if item.kind == WORD]
    if not found or any(not words.SCORE.fullmatch(word.text.casefold()) for word in said):
        return None
    return float(found[0].text[:12])
