"""The best of a group: one label in an answer, or several."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from rerankllm.calls import Generate, Request, Response
from rerankllm.elicitation import labels as label_sets
from rerankllm.elicitation.base import unusable
from rerankllm.elicitation.constrained import Constraint
from rerankllm.elicitation.parsing import parse_choice, parse_order
from rerankllm.elicitation.prompts import PromptBuilder
from rerankllm.elicitation.template import Wanted, bracketed
from rerankllm.judgements import Answer, Failure, Judgement, ParseReport, Select, Status, Unanswered

_POLITENESS = 24
_AND = re.compile(r"(?<=[0-9A-Z\]])\s*,?\s+(?:and|&)\s+(?=[0-9A-Z\[])")

_WORDS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")
_ORDINAL = re.compile(rf"\b(?:({'|'.join(_WORDS)})|([0-9]+)(?:st|nd|rd|th)) (?=passage|document|one\b)", re.IGNORECASE)


def parse_selection(text: str, labels: Sequence[str], m: int = 1) -> tuple[tuple[int, ...], ParseReport]:
    """Reads an answer that should name `m` of `labels`. Total: never raises.

    A single label may open the answer, follow a word such as "answer", or be the only one named, as for a comparison;
    where there is none, "the second passage" is number 2. Several are read as a ranking is.

    Args:
        text: The model's answer.
        labels: The labels shown, numbers or letters.
        m: How many should be named.

    Returns:
        Indices of the labels named, best first, at most `m`. The report is `repaired` when there are fewer
        (`missing`), more (`extra`) or others, and `failed` when there is none, or the answer repeats the passages.
    """
    parsed = parse_order(_AND.sub(", ", text), labels, m)
    if "passages repeated" in parsed.report.repairs:
        return (), parsed.report
    if m == 1:
        index, report = parse_choice(text, labels)
        if "no label" in report.repairs and labels[0].isdigit():
            index, report = parse_choice(_ORDINAL.sub(_counted, text), labels)
        return (() if index is None else (index,)), report
    named = [index for group in parsed.groups for index in group]
    if len(named) <= m:
        return tuple(named), parsed.report
    return tuple(named[:m]), ParseReport(Status.REPAIRED, {**parsed.report.repairs, "extra": len(named) - m})


def _counted(ordinal: re.Match[str]) -> str:
    word, number = ordinal.groups()
    return f"[{number or _WORDS.index(word.lower()) + 1}] "


@dataclass(frozen=True, slots=True)
class Selection:
    """Elicits `Select` in text.

    Attributes:
        builder: Makes the prompts.
        max_tokens: Bound on the answer; what a complete answer takes, and some, when none.
        before: Tokens for what comes before the answer.
        constraint: Holds answers to labels; None where they are free.
    """

    builder: PromptBuilder
    max_tokens: int | None
    before: int
    constraint: Constraint | None = None

    def prepare(self, judgement: Judgement) -> Request:
        """The request."""
        assert isinstance(judgement, Select)  # noqa: S101
        labels = self._labels(len(judgement.docs))
        room = self.before + (self.max_tokens or self._room(labels[-judgement.m :]))
        wanted = Wanted(judgement.m, judgement.worst)
        count = min(judgement.m, len(labels))
        held = self.constraint.hold(labels, labels, count) if self.constraint else None
        left = held.left if held else ""
        prompt = self.builder.build(judgement.query, judgement.docs, labels, reserve=room, wanted=wanted, left=left)
        return Request(prompt, held.want if held else Generate(room))

    def read(self, judgement: Judgement, response: Response) -> tuple[Answer | Unanswered, ParseReport]:
        """The ids named, fewer than m where the answer has fewer; an answer cut off before the last is none."""
        assert isinstance(judgement, Select)  # noqa: S101
        named, report = parse_selection(response.text, self._labels(len(judgement.docs)), judgement.m)
        if report.status is Status.FAILED:
            return unusable(response.text), report
        if response.finish_reason == "length" and "missing" in report.repairs:
            reason = "the answer was cut off; allow it more tokens: text(max_tokens=…)"
            return Unanswered(reason, Failure.ANSWER), ParseReport(Status.FAILED, {"cut off": 1})
        return tuple(judgement.docs[index].doc_id for index in named), report

    def _labels(self, n: int) -> tuple[str, ...]:
        return label_sets.letters(n) if self.builder.template.labels == "letters" else label_sets.numbers(n)

    def _room(self, labels: Sequence[str]) -> int:
        return len(self.builder.tokenizer.encode(", ".join(map(bracketed, labels)))) + _POLITENESS
