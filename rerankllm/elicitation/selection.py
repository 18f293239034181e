"""The best of a group: one label in an answer, or several."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from rerankllm.calls import Request, Response
from rerankllm.elicitation import labels as label_sets
from rerankllm.elicitation.asking import Asking, Expected
from rerankllm.elicitation.base import unusable
from rerankllm.elicitation.prompts import PromptBuilder
from rerankllm.elicitation.reading.beside import Kind
from rerankllm.elicitation.reading.choice import read_choice
from rerankllm.elicitation.reading.order import read_order
from rerankllm.elicitation.template import Wanted, bracketed
from rerankllm.judgements import Answer, Failure, Judgement, ParseReport, Select, Status, Unanswered

_POLITENESS = 24

_WORDS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")
_ENDS = (
    ("least", "most"),
    ("worst", "best"),
    ("less", "more"),
    ("wenigsten", "meisten"),
    ("unwichtigste", "relevanteste"),
    ("moins", "plus"),
    ("pire", "meilleur"),
    ("menos", "más"),
    ("peor", "mejor"),
    ("meno", "più"),
    ("peggiore", "migliore"),
    ("наименее", "наиболее"),
    ("худший", "лучший"),
    ("最不相关", "最相关"),
    ("低い", "高い"),
    ("الأقل", "الأكثر"),
)
_OTHER_END = {a: b for pair in _ENDS for a, b in (pair, pair[::-1])}
_END = re.compile(
    "|".join(end if end[0] > "\u0900" else rf"\b{end}(?=\w{{0,2}}\b)" for end in _OTHER_END), re.IGNORECASE
)
_ORDINAL = re.compile(rf"\b(?:({'|'.join(_WORDS)})|([0-9]+)(?:st|nd|rd|th)) (?=passage|document|one\b)", re.IGNORECASE)


def parse_selection(
    text: str, labels: Sequence[str], m: int = 1, *, worst: bool = False
) -> tuple[tuple[int, ...], ParseReport]:
    """Reads an answer that should name `m` of `labels`. Total: never raises.

    A single label may open the answer, follow a word such as "answer", be called the best, or be the only one named,
    as for a comparison; where there is none, "the second passage" is number 2. Several are read as a ranking is, and
    a ranking in place of a single label gives its first.

    Args:
        text: The model's answer.
        labels: The labels shown, numbers or letters.
        m: How many should be named.
        worst: Whether the least relevant are asked for; an answer that names the most relevant is none then.

    Returns:
        Indices of the labels named, best (worst) first, at most `m`. The report is `repaired` when there are fewer
        (`missing`), more (`extra`) or others, and `failed` when there is none, or when it is not clear which.
    """
    if worst:
        text = _END.sub(lambda found: _OTHER_END[found.group().lower()], text)
    if m == 1:
        index, report = _one(text, labels)
        if index is not None:
            return (index,), report
        if worst:
            return (), report
    return _several(text, labels, m, worst=worst)


def _one(text: str, labels: Sequence[str]) -> tuple[int | None, ParseReport]:
    kind = Kind(documents=True)
    index, report = read_choice(text, labels, kind)
    if "no label" in report.repairs and labels and labels[0] == "1":
        return read_choice(_ORDINAL.sub(_counted, text), labels, kind)
    return index, report


def _several(text: str, labels: Sequence[str], m: int, *, worst: bool) -> tuple[tuple[int, ...], ParseReport]:
    """The first of a ranking."""
    parsed = read_order(text, labels, m, ordered=m == 1)
    named = [index for group in parsed.groups for index in group]
    if len(named) <= m:
        return tuple(named), parsed.report
    places = [place for place, group in enumerate(parsed.groups) for _ in group]
    if worst or places[m - 1] == places[m]:
        return (), ParseReport(Status.FAILED, {"ambiguous": 1})
    repairs = {**parsed.report.repairs, "extra": len(named) - m}
    return tuple(named[:m]), ParseReport(Status.REPAIRED, repairs, parsed.report.form)


def _counted(ordinal: re.Match[str]) -> str:
    word, number = ordinal.groups()
    return f"[{number or _WORDS.index(word.lower()) + 1}] "


@dataclass(frozen=True, slots=True)
class Selection:
    """Elicits `Select` in text.

    Attributes:
        asking: Asks for the answers.
    """

    asking: Asking

    @property
    def builder(self) -> PromptBuilder:
        """Makes the prompts."""
        return self.asking.builder

    def prepare(self, judgement: Judgement) -> Request:
        """The request."""
        assert isinstance(judgement, Select)  # noqa: S101
        labels = self._labels(len(judgement.docs))
        expected = Expected(labels, min(judgement.m, len(labels)), self._room(labels[-judgement.m :]))
        wanted = Wanted(judgement.m, judgement.worst)
        self.builder.template.check(wanted)
        return self.asking.request(judgement.query, judgement.docs, labels, expected, wanted)

    def read(self, judgement: Judgement, response: Response) -> tuple[Answer | Unanswered, ParseReport]:
        """The ids named, fewer than m where the answer has fewer; an answer cut off before the last is none."""
        assert isinstance(judgement, Select)  # noqa: S101
        labels = self._labels(len(judgement.docs))
        named, report = parse_selection(response.text, labels, judgement.m, worst=judgement.worst)
        if report.status is Status.FAILED:
            return unusable(response), report
        if response.finish_reason == "length" and "missing" in report.repairs:
            reason = "the answer was cut off; allow it more tokens: text(max_tokens=…)"
            return Unanswered(reason, Failure.ANSWER), ParseReport(Status.FAILED, {"cut off": 1})
        return tuple(judgement.docs[index].doc_id for index in named), report

    def _labels(self, n: int) -> tuple[str, ...]:
        return label_sets.of_documents(str(self.builder.template.labels), n)

    def _room(self, labels: Sequence[str]) -> int:
        return len(self.builder.tokenizer.encode(", ".join(map(bracketed, labels)))) + _POLITENESS
