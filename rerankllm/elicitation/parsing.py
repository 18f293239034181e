"""Reading answers. Every parser is total: any text gives an answer and a report, nothing raises.

What counts as naming a label (`n` labels are shown, numbers from 1 or letters):

- a label in brackets, anywhere: `[3]`;
- at the very start, a label whose bracket the prompt had already opened: `3] > [1]`;
- a bare label in a chain, next to `>` or `=`: `3 > 1 = 2`, with or without a word such as "Passage";
- every bare label, when the answer is nothing but labels and separators: `3, 1, 2`.

A number or letter inside a sentence names nothing.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from rerankllm.judgements import ParseReport, Status

THINK_END = re.compile(r"</(?:think|thinking|reasoning)>", re.IGNORECASE)
THINK_START = re.compile(r"\A\s*<(?:think|thinking|reasoning)>", re.IGNORECASE)

_DIGITS = str.maketrans(
    "⁰¹²³⁴⁵⁶⁷⁸⁹₀₁₂₃₄₅₆₇₈₉０１２３４５６７８９［］【】〔〕＞＝",
    "012345678901234567890123456789[][][]>=",
)
_CIRCLED = {chr(0x2460 + i): f"[{i + 1}]" for i in range(20)}
_NOUN = r"(?:(?:passage|document|doc|identifier) ?#?)?"


@dataclass(frozen=True, slots=True)
class _Pattern:
    """How labels of one kind are found in text whose white space is folded."""

    named: re.Pattern[str]
    nothing_else: re.Pattern[str]
    one: re.Pattern[str]

    @classmethod
    def of(cls, label: str) -> "_Pattern":
        return cls(
            re.compile(
                rf"\[ ?{_NOUN} ?({label}) ?\]"  # in brackets
                rf"|\A ?({label}) ?\]"  # the prompt had opened the bracket
                rf"|(?:\A|(?<=[>=])) ?{_NOUN} ?\b({label}) ?(?=[>=\]])"  # opening a chain, or inside one
                rf"|(?<=[>=]) ?{_NOUN} ?\b({label})(?=[ .,;]|\Z)",  # closing a chain
                re.IGNORECASE,
            ),
            re.compile(rf"[ \[]*{label}(?:[ ,;>=\[\]]+{label})*[ \].]*\Z"),
            re.compile(label),
        )


_NUMBERS = _Pattern.of("[0-9]+")
_LETTERS = _Pattern.of("[A-Za-z]{1,2}")
_CUT_OFF = re.compile(r"\[ ?\w* ?\Z")


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
        label was found, or when reasoning never ended.
    """
    answer = answer_part(text)
    if answer is None:
        return Parsed((), tuple(range(len(labels))), ParseReport(Status.FAILED, {"unclosed reasoning": 1}))
    named = _named(answer, _NUMBERS if labels and labels[0].isdigit() else _LETTERS)
    known = {label: i for i, label in enumerate(labels)}
    groups: list[list[int]] = []
    seen: set[int] = set()
    repairs: Counter[str] = Counter()
    for label, tied in named:
        index = known.get(label.lstrip("0"))
        if index is None:
            repairs["unknown"] += 1
        elif index in seen:
            repairs["repeated"] += 1
        elif tied and groups:
            groups[-1].append(index)
            seen.add(index)
        else:
            groups.append([index])
            seen.add(index)
    omitted = tuple(i for i in range(len(labels)) if i not in seen)
    complete = len(labels) if decode is None else min(decode, len(labels))
    if len(seen) < complete:
        repairs["missing"] = complete - len(seen)
    return Parsed(tuple(tuple(sorted(g)) for g in groups), omitted, _report(bool(seen), repairs))


def parse_choice(text: str, labels: Sequence[str]) -> tuple[int | None, ParseReport]:
    """Reads an answer that should be one of `labels` (`A`, `Yes`, `2`).

    The label may open the answer or be the only one it names; an answer that names several without opening on one
    says nothing certain and fails.

    Returns:
        The index of the label, or None when the report is `failed`.
    """
    answer = answer_part(text)
    if answer is None:
        return None, ParseReport(Status.FAILED, {"unclosed reasoning": 1})
    answer = answer.translate(_DIGITS).strip()
    fold = len({label.casefold() for label in labels}) == len(labels) and max(map(len, labels)) > 1
    flags = re.IGNORECASE if fold else 0
    one = "|".join(re.escape(label) for label in sorted(labels, key=len, reverse=True))
    noun = r"(?:(?i:passage|document|doc|answer|output|option)\s*:?\s*)?"
    opening = re.match(rf"[\W_]*{noun}[\W_]*({one})(?=\Z|\s*[\n.,:;!)\]>*\"'])", answer, flags)
    mentioned = re.findall(rf"(?:\[\s*|(?i:passage|document|doc|option)\s+)({one})\b\]?", answer, flags)
    index = {label.casefold() if fold else label: i for i, label in enumerate(labels)}
    found = [index[m.casefold() if fold else m] for m in mentioned]
    if opening is not None:
        choice = index[opening.group(1).casefold() if fold else opening.group(1)]
        others = {i for i in found if i != choice}
        return choice, _report(True, Counter({"contradicted": len(others)}))
    if len(set(found)) == 1:
        return found[0], _report(True, Counter())
    return None, ParseReport(Status.FAILED, {"ambiguous": 1} if found else {"no label": 1})


def _named(answer: str, pattern: _Pattern) -> list[tuple[str, bool]]:
    """The labels an answer names, in order, each with whether it is tied to the one before."""
    text = " ".join("".join(_CIRCLED.get(c, c) for c in answer).translate(_DIGITS).split())
    text = _CUT_OFF.sub("", text)
    named: list[tuple[str, bool]] = []
    previous = 0
    for match in (pattern.one if pattern.nothing_else.match(text) else pattern.named).finditer(text):
        label = next(filter(None, match.groups()), match.group())
        between = text[previous : match.start()] + match.group().partition(label)[0]
        named.append((label, bool(named) and between.strip(" []") == "="))
        previous = match.end()
    return named


def _report(found: bool, repairs: Counter[str]) -> ParseReport:  # noqa: FBT001
    counts = {kind: count for kind, count in repairs.items() if count}
    if not found:
        return ParseReport(Status.FAILED, counts or {"no label": 1})
    return ParseReport(Status.REPAIRED if counts else Status.PARSED, counts)
