"""`Ranking: 2, 5, 3`: labels in a row, parted by commas or the like, alone or after what announces them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from rerankllm.elicitation.reading import words
from rerankllm.elicitation.reading.answer import Cut, Line, is_sign
from rerankllm.elicitation.reading.candidate import Candidate, as_shown
from rerankllm.elicitation.reading.chain import parentheses
from rerankllm.elicitation.reading.directions import ASCENDING
from rerankllm.elicitation.reading.lexer import BARE, LABEL, NAMED, NUMBER, SIGN, UNKNOWN, WORD, Item
from rerankllm.elicitation.reading.names import is_noun
from rerankllm.elicitation.reading.surroundings import MOST, announces, denies, lead, tail

_COMMAS = frozenset(",;&")
_OTHER = frozenset("/|-")
_BRACKETS = frozenset("[]")
_JOINING = words.among(
    "and & then next followed by finally lastly und dann et puis ensuite y luego e poi depois en и затем 和 と 및"
)
_COPULAS = words.among("is are be follows ist sind lautet est sont es son è sono é são 是 は")
_LEAST = 3
"""Labels of a list without commas."""
_GAP = 5
"""Items between two labels."""
_AHEAD = 80
"""Items before a list that are looked at."""
_INVENTED = 4
"""One bare number in so many may be no label."""
_BENIGN = re.compile(
    r"\b(?:without|with no|no|not?) (?:any )?(?:further |other |additional |more )?(?:explanations?|comments?"
    r"|text|words|ado|reasons?|ties)\b"
)
_POSITIVE_TAIL = re.compile(
    r"^\W*(?:is|are|in|from|as|by|being|ist|sind|est|sont|es|son)\b[^.]{0,60}(?:rank|order|relevan|best"
    r"|pertinent|reihenfolge|answer)"
)
_REASON = re.compile(
    r"^[\s,;(-]{0,3}(?:because|since|weil|parce que|porque|perché|потому что)\b|^(?:因为|なぜなら|왜냐하면)"
)
_A_NUMBER_EACH = re.compile(
    r"\b(?:scores?|ratings?|grades?|points|ranks|positions|places|ranks? of|for each|each passage|per passage"
    r"|respective\w*"
    r"|in order of appearance)\b|分数|评分|スコア|점수"
)
"""What says that numbers in a row belong to the passages in the order shown."""
_PLAIN_WORDS = words.among("the passages documents identifiers ids labels these are here is i")


@dataclass(slots=True)
class _Run:
    """Labels in a row, as far as they were read, on one line.

    Attributes:
        line: The items of the line.
        first: Where the first label is in it.
        after: The item behind the last.
        labels: The labels.
        between: What parts them.
        remarks: Whether some have a remark in parentheses.
    """

    line: list[Item]
    first: int
    after: int
    labels: list[Item]
    between: set[str] = field(default_factory=set)
    remarks: bool = False

    @property
    def end(self) -> int:
        """Where it ends in the plain text."""
        return self.line[self.after - 1].end

    @property
    def fills(self) -> bool:
        """Whether nothing but signs stands beside it on its line."""
        before, after = self.first - 1, self.after
        while before >= 0 and self.line[before].kind == SIGN:
            before -= 1
        while after < len(self.line) and self.line[after].kind == SIGN:
            after += 1
        return before < 0 and after == len(self.line)

    @property
    def follows_colon(self) -> bool:
        """Whether it ends its line, right behind a colon."""
        return is_sign(self.line, self.first - 1, ":") and all(item.kind == SIGN for item in self.line[self.after :])


def lists(answer: Cut) -> Iterator[Candidate]:
    """All lists of an answer; one that ends a line with a comma goes on in the next."""
    runs = [run for line in _joined(answer.lines) for run in _runs(line) if _is_list(answer, run)]
    for run in runs[-MOST:]:
        if _is_answer(answer, run):
            groups = tuple((label.index,) for label in run.labels)
            yield Candidate("list", groups, run.labels[0].start, run.end, run.fills or not _said_before(answer, run)[1])


def _joined(lines: list[Line]) -> Iterator[list[Item]]:
    joined: list[Item] = []
    for line in lines:
        joined.extend(line.items)
        if not is_sign(line.items, len(line.items) - 1, ","):
            yield joined
            joined = []
    if joined:
        yield joined


def _runs(line: list[Item]) -> Iterator[_Run]:
    """The rows of labels of one line."""
    closing = parentheses(line)
    run: _Run | None = None
    gap: list[Item] = []
    skip_to, remark = -1, False
    for i, item in enumerate(line):
        if i < skip_to:
            continue
        if item.kind != LABEL:
            if run is not None and not gap and i in closing:
                skip_to, remark = closing[i] + 1, True
            else:
                gap.append(item)
            continue
        kind = _parted(gap) if run is not None and len(gap) <= _GAP else None
        if (
            run is None
            or kind is None
            or not (item.mark == run.labels[-1].mark or (len(run.labels) == 1 and item.mark == NAMED))
        ):
            if run is not None:
                yield run
            run = _Run(line, i, i + 1, [item])
        else:
            run.remarks = run.remarks or remark
            run.labels.append(item)
            run.between.add(kind)
            run.after = i + 1
        gap, remark = [], False
    if run is not None:
        yield run


def _parted(gap: list[Item]) -> str | None:
    """What parts two labels: "," or a word such as "then"; another sign; " " for nothing; None for all else."""
    signs = {g.text for g in gap if g.kind == SIGN} - _BRACKETS
    said = [g for g in gap if g.kind == WORD]
    if any(g.kind == NUMBER for g in gap) or any(w.text.casefold() not in _JOINING for w in said):
        return None
    if signs <= _COMMAS:
        return "," if signs else ("and" if said else " ")
    return signs.pop() if len(signs) == 1 and not said and signs <= _OTHER else None


def _is_list(answer: Cut, run: _Run) -> bool:
    """Whether a row is made as a list is: by commas or words, or else complete and nothing beside it."""
    labels, between = run.labels, run.between
    known = {label.index for label in labels} - {UNKNOWN}
    invented = sum(label.index == UNKNOWN for label in labels)
    bare = labels[-1].mark == BARE
    if len(labels) <= 1 or not known or (bare and invented * _INVENTED > len(labels)):
        return False
    if between & {",", "and"} and between <= {",", "and", " "}:
        return True
    if len(known) < answer.wanted or len(between) > 1:
        return False
    stands = run.fills or run.follows_colon
    return stands if between == {" "} and not bare else stands and len(labels) >= _LEAST


def _said_before(answer: Cut, run: _Run) -> tuple[str, bool]:
    """What leads to a list, and whether that is on the same line."""
    said = lead(answer, run.labels[0].start)
    return _BENIGN.sub(" ", said), bool(run.first and run.line[run.first - 1].kind != SIGN)


def _is_answer(answer: Cut, run: _Run) -> bool:
    """Whether what stands around a list lets it be the answer, also where it only repeats what was shown."""
    said = _said_before(answer, run)[0]
    announced = announces(said)
    shown = as_shown([label.index for label in run.labels])
    if answer.ordered and answer.wanted == 1 and (shown or run.between == {"and"}):
        return False
    if answer.ordered and shown:
        if run.remarks or (said and not announced) or run.between == {"and"}:
            return False
        if not said and not run.fills:
            return False
    return _led(run, said, announced=announced) and _ended(answer, run)


def _led(run: _Run, said: str, *, announced: bool) -> bool:
    """Whether what stands before a list announces it, or nothing does."""
    first = run.labels[0]
    if denies(said):
        return False
    if first.mark == BARE and _A_NUMBER_EACH.search(said):
        return False
    ahead = [item for item in run.line[max(0, run.first - _AHEAD) : run.first] if item.start >= first.start - len(said)]
    if any(item.kind == LABEL and item.mark for item in ahead):
        return False
    if not said:
        return all(item.kind == SIGN for item in ahead)
    found = re.findall(r"\w+", said)
    plain = all(word in _PLAIN_WORDS or is_noun(word) for word in found)
    if not (plain or announced):
        return False
    if first.mark != BARE or said.endswith(":") or plain:
        return True
    return bool(found) and (found[-1] in _COPULAS or words.ANNOUNCING.fullmatch(found[-1]) is not None)


def _ended(answer: Cut, run: _Run) -> bool:
    """Whether what stands behind a list, in its sentence, lets it be the answer."""
    behind = tail(answer, run.end)
    if not behind.strip(" .,;:!-)]("):
        return True
    if _REASON.match(behind):
        return True
    if behind.startswith((",", ":", "=")) or denies(behind) or "respectively" in behind:
        return False
    if behind.startswith(("(", "-", ";")) or ASCENDING.search(behind) is not None:
        return True
    return _POSITIVE_TAIL.match(behind) is not None
