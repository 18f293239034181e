"""Reading answers. Every parser is total: any text gives an answer and a report, nothing raises.

What names a label in an answer to a listwise prompt (numbers from 1, or letters):

- a label in brackets: `[3]`;
- a bare label in a chain, next to `>` or `=`: `3 > 1 = 2`, with or without a word such as "Passage";
- at the very start, a label whose bracket the prompt had already opened: `3] > [1]`;
- every label in a list of nothing else: `3, 1, 2`, `{"ranking": [3, 1, 2]}`, a line each.

A number or letter inside a sentence names nothing. Where an answer holds a chain of several labels, the longest one
is the ranking and what is said around it is not.
"""

import html
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rerankllm.judgements import ParseReport, Status

_THOUGHT = r"(?:think|thinking|thought|reasoning|seed:think)"
THINK_END = re.compile(rf"</{_THOUGHT}>|◁/think▷|<\|channel\|>final<\|message\|>", re.IGNORECASE)
THINK_START = re.compile(rf"\A\s*(?:<{_THOUGHT}>|◁think▷|<\|channel\|>analysis)", re.IGNORECASE)

_CHARACTERS = str.maketrans(
    "⁰¹²³⁴⁵⁶⁷⁸⁹₀₁₂₃₄₅₆₇₈₉０１２３４５６７８９［］【】〔〕＞＝→➔≻»，、。",
    "012345678901234567890123456789[][][]>=>>>>,,.",
)
_CIRCLED = {chr(0x2460 + i): f"[{i + 1}]" for i in range(20)}
_NOUNS = re.compile(r"\b(?:passage|document|doc|identifier|id)\b", re.IGNORECASE)
_NOUN = rf"(?:{_NOUNS.pattern} ?)?"
_BULLET = re.compile(r"^[ \t]*[-•][ \t]+", re.MULTILINE)
_MARKUP = re.compile(r"[*`\"'#]|\\boxed|[{}]|</?[A-Za-z_]+>")
_CUT_OFF = re.compile(r"\[ ?\w* ?\Z")
_ECHO = 3
"""Labels in the order shown, each before some prose, are the passages repeated when there are this many."""


@dataclass(frozen=True, slots=True)
class _Pattern:
    """How labels of one kind are found in text whose white space is folded."""

    named: re.Pattern[str]
    listed: re.Pattern[str]
    in_parentheses: re.Pattern[str]
    one: re.Pattern[str]

    @classmethod
    def of(cls, label: str) -> "_Pattern":
        follows = rf"(?= ?\]? ?[>=]+ ?\[? ?{_NOUN} ?{label}\b)"
        return cls(
            re.compile(
                rf"\[ ?{_NOUN} ?({label}) ?\]"  # in brackets
                rf"|\A ?({label}) ?\]"  # the prompt had opened the bracket
                rf"|(?<![\w.]){_NOUN} ?\b({label}){follows}"  # opening a chain, or inside one
                rf"|\A ?{_NOUN} ?\b({label}) ?(?=[>=]|\.? ?\Z)"  # alone, or with its chain cut off
                rf"|(?<=[>=]) ?{_NOUN} ?\b({label})\b(?! ?\])",  # closing a chain
                re.IGNORECASE,
            ),
            re.compile(
                rf"(?:(?:\A|[\[:]) ?)({_NOUN} ?{label}(?:[ ,;]+{_NOUN} ?{label})+) ?(?=\]|\.? ?\Z)", re.IGNORECASE
            ),
            re.compile(rf"\( ?({label}) ?\)(?= ?[>=])|(?<=[>=]) ?\( ?({label}) ?\)"),
            re.compile(label),
        )


_CLOSING = 5  # the group of `named` that closes a chain
_NUMBERS = _Pattern.of("[0-9]+")
_LETTERS = _Pattern.of("[A-Za-z]{1,2}")


@dataclass(frozen=True, slots=True)
class Parsed:
    """What was read from an answer to a listwise prompt.

    Attributes:
        groups: Indices of the labels named, best first, ties together; each at most once.
        omitted: Indices never named, ascending.
        report: How it read. Repairs: `repeated`, `unknown` (a label that was not shown), `missing`.
    """

    groups: tuple[tuple[int, ...], ...]
    omitted: tuple[int, ...]
    report: ParseReport


@dataclass(frozen=True, slots=True)
class _Named:
    """One label found, with what stands between it and the one before."""

    label: str
    between: str

    @property
    def tied(self) -> bool:
        return self.between.strip(" []") == "="

    @property
    def linked(self) -> bool:
        """Whether only separators part it from the one before."""
        return not self.between.strip(" []>=,;")


def answer_part(text: str) -> str | None:
    """The text after the reasoning; None when reasoning was opened and never closed."""
    *_, last = THINK_END.split(text)
    if len(last) < len(text):
        return last
    return None if THINK_START.match(text) else text


def parse_order(text: str, labels: Sequence[str], decode: int | None = None) -> Parsed:
    """Reads a ranking such as `[2] > [1] = [3]`.

    Args:
        text: The model's answer, without the opening the prompt pre-filled.
        labels: The labels shown, best read as `labels[i]` for the i-th document.
        decode: How many labels make a complete answer; all when None.

    Returns:
        A weak order over exactly the labels shown: ranked groups, then the omitted. The report is `failed` when no
        label was found, when reasoning never ended, or when the answer repeats the passages instead of ranking them.
    """
    everything = tuple(range(len(labels)))
    answer = answer_part(text)
    if answer is None:
        return Parsed((), everything, ParseReport(Status.FAILED, {"unclosed reasoning": 1}))
    named = list(_named(answer, _NUMBERS if labels and labels[0].isdigit() else _LETTERS))
    if _repeats_the_passages(named, labels):
        return Parsed((), everything, ParseReport(Status.FAILED, {"passages repeated": 1}))
    known = {label: i for i, label in enumerate(labels)}
    groups: list[list[int]] = []
    seen: set[int] = set()
    repairs: Counter[str] = Counter()
    for found in _ranking(named):
        index = known.get(found.label.lstrip("0"))
        if index is None:
            repairs["unknown"] += 1
        elif index in seen:
            repairs["repeated"] += 1
        elif found.tied and groups:
            groups[-1].append(index)
            seen.add(index)
        else:
            groups.append([index])
            seen.add(index)
    omitted = tuple(i for i in everything if i not in seen)
    complete = len(labels) if decode is None else min(decode, len(labels))
    if len(seen) < complete:
        repairs["missing"] = complete - len(seen)
    return Parsed(tuple(tuple(sorted(g)) for g in groups), omitted, _report(bool(seen), repairs))


def parse_choice(text: str, labels: Sequence[str]) -> tuple[int | None, ParseReport]:
    """Reads an answer that should be one of `labels` (`A`, `Yes`, `2`).

    The label may open the answer, follow a word such as "answer" or "grade", or be the only one named. An answer that
    names several without opening on one, or that only denies one, says nothing certain and fails.

    Returns:
        The index of the label, or None when the report is `failed`.
    """
    answer = answer_part(text)
    if answer is None:
        return None, ParseReport(Status.FAILED, {"unclosed reasoning": 1})
    answer = " ".join(_MARKUP.sub(" ", answer.translate(_CHARACTERS).translate(_FULL_WIDTH)).split())
    fold = len({label.casefold() for label in labels}) == len(labels)
    index = {label.casefold() if fold else label: i for i, label in enumerate(labels)}
    one = "|".join(re.escape(label) for label in sorted(labels, key=len, reverse=True))
    # Articles are lower case: a single letter counts as itself only, unless it is the whole answer.
    flags = re.IGNORECASE if fold and (max(map(len, labels)) > 1 or len(answer.strip(" .[]()")) == 1) else 0

    def of(label: str) -> int:
        return index[label.casefold() if fold else label]

    mentioned = {of(m) for m in re.findall(rf"(?:\[ ?|(?i:passage|document|doc|option) )({one})\b ?\]?", answer, flags)}
    for pattern in (_OPENING, _ANNOUNCED):
        found = re.match(pattern.replace("LABEL", one), answer, flags)
        if found is not None:
            choice = of(found.group(1))
            return choice, _report(True, Counter({"contradicted": len(mentioned - {choice})}))
    denied = re.search(r"\b(?:not|neither|cannot)\b|n't", answer, re.IGNORECASE)
    if len(mentioned) == 1 and not denied:
        return mentioned.pop(), _report(True, Counter())
    return None, ParseReport(Status.FAILED, {"ambiguous": 1} if mentioned else {"no label": 1})


_FULL_WIDTH = {0xFF21 + i: chr(ord("A") + i) for i in range(26)} | {0xFF41 + i: chr(ord("a") + i) for i in range(26)}
_ENDS = (
    r"(?= ?(?:\Z|[.,:;!)(\]>/]|[-–—] |(?i:is|because|since) (?!(?i:not|less|neither)\b)))"
    r"(?! ?\.\d)(?! ?\]? (?i:or|and) )"
)
_OPENING = rf"[ \[(_]*(?i:passage|document|doc|option)? ?[\[(_]* ?(LABEL){_ENDS}"
_ANNOUNCED = (
    r".*\b(?i:answer|choice|output|option|grade|score|rating|relevance|label)\b ?(?i:is|would be)? ?[:=]? ?"
    rf"(?i:passage|document)? ?[\[(]? ?(LABEL){_ENDS}"
)


def _named(answer: str, pattern: _Pattern) -> Iterator[_Named]:
    """The labels an answer names, in order."""
    text = html.unescape("".join(_CIRCLED.get(c, c) for c in answer)).translate(_CHARACTERS)
    text = " ".join(_MARKUP.sub(" ", _BULLET.sub("", text)).split())
    text = pattern.listed.sub(lambda m: _bracketed(m.group(1), pattern), text)
    text = pattern.in_parentheses.sub(lambda m: f" [{m.group(1) or m.group(2)}]", text)
    text = _CUT_OFF.sub("", text)
    previous = 0
    for match in pattern.named.finditer(text):
        label = next(filter(None, match.groups()))
        found = _Named(label, _NOUNS.sub(" ", text[previous : match.end()].rpartition(label)[0]))
        if match.lastindex == _CLOSING and not (previous and found.linked):
            continue  # `5 people > 3 dogs`
        yield found
        previous = match.end()


def _bracketed(labels: str, pattern: _Pattern) -> str:
    """A list of bare labels as a chain; it stands in for the brackets that may have been around it."""
    return " > ".join(f"[{label}]" for label in pattern.one.findall(_NOUNS.sub(" ", labels))).removeprefix("[")


def _ranking(named: list[_Named]) -> list[_Named]:
    """The longest chain of labels joined by `>` or `=`; all labels where there is no chain."""
    chains: list[list[_Named]] = []
    for found in named:
        if not chains or not found.linked:
            chains.append([])
        chains[-1].append(found)
    joined = [c for c in chains if any(">" in found.between or "=" in found.between for found in c[1:])]
    return max(joined, key=len) if joined else named


def _repeats_the_passages(named: list[_Named], labels: Sequence[str]) -> bool:
    """Whether the labels come in the order shown, each before some prose: the prompt again, not a ranking."""
    apart = all(any(c.isalpha() for c in found.between) for found in named[1:])
    return len(named) >= _ECHO and apart and [found.label for found in named] == list(labels[: len(named)])


def _report(found: bool, repairs: Counter[str]) -> ParseReport:  # noqa: FBT001
    counts = {kind: count for kind, count in repairs.items() if count}
    if not found:
        return ParseReport(Status.FAILED, counts or {"no label": 1})
    return ParseReport(Status.REPAIRED if counts else Status.PARSED, counts)
