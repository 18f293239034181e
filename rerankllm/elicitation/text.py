"""Text answers, read by a parser."""

from collections.abc import Callable
from dataclasses import dataclass

from rerankllm.calls import Capabilities, Generate, Request, Response, Tokenizer
from rerankllm.elicitation import labels as label_sets
from rerankllm.elicitation.assessment import Assessments
from rerankllm.elicitation.base import Elicitor, PromptSettings, builder_for, check_labels, refuse, unusable
from rerankllm.elicitation.criteria import Criteria
from rerankllm.elicitation.grades import Grades
from rerankllm.elicitation.parsing import parse_choice, parse_order
from rerankllm.elicitation.prompts import PromptBuilder
from rerankllm.elicitation.selection import Selection
from rerankllm.elicitation.template import Template, bracketed
from rerankllm.elicitation.templates import load
from rerankllm.errors import CapabilityError, SpecError, TemplateError
from rerankllm.judgements import (
    Answer,
    Assess,
    Compare,
    Failure,
    Grade,
    Judgement,
    ParseReport,
    Permute,
    Score,
    Select,
    Status,
    Unanswered,
    WeakOrder,
    Write,
)

ELICITED = (Permute, Compare, Score, Select, Grade, Write, Assess)
READERS: dict[type, Callable[[PromptBuilder, int | None, int], Elicitor]] = {
    Select: Selection,
    Grade: Grades,
    Write: Criteria,
    Assess: Assessments,
}
"""The elicitors that live in files of their own."""
CHOICE_TOKENS = 24
"""Room for an answer that is one label, with some politeness around it."""


@dataclass(frozen=True, slots=True)
class Text:
    """The model writes its answer; a total parser reads it. Works with every backend that generates.

    Attributes:
        prompt: Template name; `default` is the one called `text`.
        max_tokens: Bound on the answer; what a complete answer takes, and some, when none.
    """

    prompt: str = "default"
    max_tokens: int | None = None

    def __post_init__(self) -> None:
        if self.max_tokens is not None and self.max_tokens < 1:
            raise SpecError(f"text: max_tokens should be at least 1, found {self.max_tokens}")

    def bind(
        self,
        judgement: type,
        tokenizer: Tokenizer,
        capabilities: Capabilities,
        settings: PromptSettings,
        *,
        before: int = 0,
    ) -> Elicitor:
        """The elicitor for a kind of judgement; `before` are tokens for what comes before the answer."""
        if judgement not in ELICITED:
            raise refuse("text", judgement, ELICITED)
        if not capabilities.generate:
            raise CapabilityError("'text' needs a model that writes; this backend does not")
        template = load(judgement.__name__.lower(), "text" if self.prompt == "default" else self.prompt)
        check_labels(template, judgement)
        if before and judgement is Compare and (settings.demonstrations or template.demonstrations):
            raise TemplateError("worked examples have no thoughts to show: use / text or / labels with them")
        builder = builder_for(template, judgement, tokenizer, capabilities, settings)
        if judgement in READERS:
            return READERS[judgement](builder, self.max_tokens, before)
        return (_Order if judgement is Permute else _Choice)(template, builder, self.max_tokens, before)


@dataclass(frozen=True, slots=True)
class _Order:
    """Elicits `Permute`."""

    template: Template
    builder: PromptBuilder
    max_tokens: int | None
    before: int

    def prepare(self, judgement: Judgement) -> Request:
        assert isinstance(judgement, Permute)  # noqa: S101
        labels = self._labels(len(judgement.docs))
        room = self.before + (self.max_tokens or self._room(labels[: judgement.decode]))
        prompt = self.builder.build(judgement.query, judgement.docs, labels, reserve=room)
        return Request(prompt, Generate(room))

    def read(self, judgement: Judgement, response: Response) -> tuple[Answer | Unanswered, ParseReport]:
        assert isinstance(judgement, Permute)  # noqa: S101
        cut_off = response.finish_reason == "length"
        return read_order(response.text, judgement, self._labels(len(judgement.docs)), cut_off=cut_off)

    def _labels(self, n: int) -> tuple[str, ...]:
        return label_sets.letters(n) if self.template.labels == "letters" else label_sets.numbers(n)

    def _room(self, labels: tuple[str, ...]) -> int:
        complete = " > ".join(map(bracketed, labels))
        return len(self.builder.tokenizer.encode(complete)) + CHOICE_TOKENS


@dataclass(frozen=True, slots=True)
class _Choice:
    """Elicits `Compare` and `Score`: one of the labels that the template gives values."""

    template: Template
    builder: PromptBuilder
    max_tokens: int | None
    before: int

    def prepare(self, judgement: Judgement) -> Request:
        room = self.before + (self.max_tokens or CHOICE_TOKENS)
        shown = label_sets.letters(len(judgement.docs))
        prompt = self.builder.build(judgement.query, judgement.docs, shown, reserve=room)
        choices = () if self.max_tokens or self.before else tuple(label.text for label in self.template.choices)
        return Request(prompt, Generate(room, choices=choices))

    def read(self, judgement: Judgement, response: Response) -> tuple[Answer | Unanswered, ParseReport]:
        del judgement
        choices = self.template.choices
        index, report = parse_choice(response.text, [label.text for label in choices])
        return (unusable(response.text) if index is None else choices[index].value), report


def read_order(
    text: str, judgement: Permute, labels: tuple[str, ...], *, cut_off: bool = False
) -> tuple[WeakOrder | Unanswered, ParseReport]:
    """The order that an answer to `judgement` names, its documents having been shown under `labels`.

    An answer that was cut off before it was complete is none: what it names may be half a thought.
    """
    parsed = parse_order(text, labels, judgement.decode)
    if parsed.report.status is Status.FAILED:
        return unusable(text), parsed.report
    if cut_off and "missing" in parsed.report.repairs:
        report = ParseReport(Status.FAILED, {"cut off": 1})
        return Unanswered("the answer was cut off; allow it more tokens: text(max_tokens=…)", Failure.ANSWER), report
    ids = [doc.doc_id for doc in judgement.docs]
    groups = tuple(tuple(ids[i] for i in group) for group in parsed.groups)
    return WeakOrder(groups, tuple(ids[i] for i in parsed.omitted)), parsed.report
