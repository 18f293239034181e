"""Text answers, read by a parser."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, Self

from rerankllm.calls import Capabilities, Reading, Request, Response, Tokenizer
from rerankllm.data import float32
from rerankllm.elicitation import labels as label_sets
from rerankllm.elicitation.asking import Asking, Expected, Thought
from rerankllm.elicitation.assessment import Assessments
from rerankllm.elicitation.base import Elicitor, PromptSettings, builder_for, check_labels, refuse, unusable
from rerankllm.elicitation.constrained import BARE, CHAIN, GRADES, LIST, ONE, Constraint, Form, Wish
from rerankllm.elicitation.criteria import Criteria
from rerankllm.elicitation.draft import Drafts
from rerankllm.elicitation.ends import BothEnds
from rerankllm.elicitation.grades import WRITTEN, Grades
from rerankllm.elicitation.ordered import Ordered
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
    Draft,
    Ends,
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

ELICITED = (Permute, Compare, Score, Select, Ends, Grade, Write, Draft, Assess)
FORMS: dict[type, Form] = {Permute: CHAIN, Select: LIST, Compare: ONE, Score: BARE, Ends: CHAIN, Grade: GRADES}
"""What can be held to labels, and how such answers are written."""
ASKED: dict[type, Callable[[Asking], Elicitor]] = {
    Select: Selection,
    Grade: Grades,
    Ends: BothEnds,
    Write: lambda asking: Criteria(asking.builder, asking.max_tokens, asking.before),
    Draft: lambda asking: Drafts(asking.builder, asking.max_tokens, asking.before),
    Assess: lambda asking: Assessments(asking.builder, asking.max_tokens, asking.before),
}
"""The elicitors that live in files of their own."""
USUAL = 20
"""As many labels as an answer usually has."""
Constrained = Literal["auto", True, False]
CHOICE_TOKENS = 24
"""Room for an answer that is one label, with some politeness around it."""


@dataclass(frozen=True, slots=True)
class Text:
    """The model writes its answer, which is then read. Works with every model that writes text.

    Where the engine computes in this process, answers are held to the labels shown: at each place the likeliest label
    not yet named is written, and nothing else. Such an answer is always complete, and takes a step a label. Wherever
    the model would have written a well-formed answer by itself, it is the same. An order of one label (`full(top_k=1)`)
    ranks all documents by how likely their labels are there, which is FIRST (Reddy et al. 2024, section 3.1), as far as
    labels are told apart by their first tokens.

    Attributes:
        prompt: Template name; `default` is the one called `text`.
        max_tokens: Bound on an answer that is free; what a complete answer takes, and some, when none.
        constrained: Whether orders, selections, comparisons, scores and grades are held to their labels. `auto`: where
            the engine can do so, and no `max_tokens` are given.
    """

    prompt: str = "default"
    max_tokens: int | None = None
    constrained: Constrained = field(default="auto", metadata={"unsaid": True})

    def __post_init__(self) -> None:
        if self.max_tokens is not None and self.max_tokens < 1:
            raise SpecError(f"text: max_tokens should be at least 1, found {self.max_tokens}")
        if self.max_tokens is not None and self.constrained is True:
            raise SpecError("text: max_tokens bounds free answers; leave it out, or constrained=true")

    def settled(
        self,
        judgements: tuple[type, ...],
        tokenizer: Tokenizer,
        capabilities: Capabilities,
        settings: PromptSettings,
        *,
        thought: Thought | None = None,
    ) -> Self:
        """With `constrained=true` where it is `auto` and all answers will be held to labels; else as it is.

        Raises:
            TemplateError: There is no template for these judgements, or it does not suit the model.
        """
        if self.constrained != "auto" or not judgements:
            return self
        for judgement in judgements:
            template = self._template(judgement)
            if not self._holds(template, judgement, capabilities, thought):
                return self
            builder = builder_for(template, judgement, tokenizer, capabilities, settings)
            constraint = Constraint(builder, _form(template, judgement), required=False, end=thought and thought.end)
            if not all(constraint.hold(*tried) for tried in _usual(template, judgement)):
                return self
        return replace(self, constrained=True)

    def bind(
        self,
        judgement: type,
        tokenizer: Tokenizer,
        capabilities: Capabilities,
        settings: PromptSettings,
        *,
        thought: Thought | None = None,
    ) -> Elicitor:
        """The elicitor for a kind of judgement; `thought` comes before the answer."""
        if judgement not in ELICITED:
            raise refuse("text", judgement, ELICITED)
        if not capabilities.generate:
            raise CapabilityError("'text' needs a model that writes; this backend does not")
        template = self._template(judgement)
        if thought and judgement is Compare and (settings.demonstrations or template.demonstrations):
            raise TemplateError("worked examples have no thoughts to show: use / text or / labels with them")
        builder = builder_for(template, judgement, tokenizer, capabilities, settings)
        required, form = self.constrained is True, _form(template, judgement)
        constraint = wish = None
        if self._holds(template, judgement, capabilities, thought):
            constraint = Constraint(builder, form, required=required, end=thought and thought.end)
        elif self._wishes(template, judgement, capabilities, thought):
            wish = Wish(builder, form, required=required)
        asking = Asking(builder, self.max_tokens, thought, constraint, wish)
        if template.order and judgement in (Permute, Select):
            return Ordered(asking, template.order)
        if judgement in ASKED:
            return ASKED[judgement](asking)
        return (_Order if judgement is Permute else _Choice)(template, asking)

    def _template(self, judgement: type) -> Template:
        template = load(judgement.__name__.lower(), "text" if self.prompt == "default" else self.prompt)
        check_labels(template, judgement)
        return template

    def _holds(self, template: Template, judgement: type, capabilities: Capabilities, thought: Thought | None) -> bool:
        """Whether answers to a kind of judgement are held to labels in this process.

        What a published model writes after its thought is left as it learnt it, unless it is said otherwise.

        Raises:
            CapabilityError: They should be, here or by a host, and cannot.
        """
        can = capabilities.constrained and judgement in FORMS
        if self.constrained is True:
            if not can and not self._wishes(template, judgement, capabilities, thought):
                names = ", ".join(kind.__name__ for kind in FORMS)
                raise CapabilityError(
                    f"constrained=true is for {names}, asked of models computed in this process or of hosts that hold "
                    f"answers to a form; not for {judgement.__name__} of this one"
                )
            return can
        return can and self._auto(template, thought)

    def _wishes(self, template: Template, judgement: type, capabilities: Capabilities, thought: Thought | None) -> bool:
        """Whether a host is asked to hold such answers: after a thought where the host keeps that out of the text."""
        can = capabilities.forms and judgement in FORMS and (thought is None or capabilities.thinks_apart)
        return can and (self.constrained is True or self._auto(template, thought))

    def _auto(self, template: Template, thought: Thought | None) -> bool:
        """Whether answers that can be held are, unless it is said that they must be."""
        as_learnt = thought is not None and template.form is not None
        return self.constrained == "auto" and self.max_tokens is None and not as_learnt


def _form(template: Template, judgement: type) -> Form:
    """How an answer is written that names labels; a kind of judgement that cannot be held has none that matters."""
    if template.order and judgement in (Permute, Select):
        return Form("", template.order.between, "")
    return FORMS.get(judgement, BARE)


def _usual(template: Template, judgement: type) -> list[tuple[Sequence[str], Sequence[str], int]]:
    """What `Constraint.hold` is tried with: as many labels as an answer usually has."""
    if not isinstance(template.labels, str):
        return [(label_sets.letters(2), [label.text for label in template.labels], 1)]
    labels = label_sets.of_documents(template.labels, USUAL)
    if judgement is Grade:
        return [(labels, WRITTEN, USUAL)]
    return [(labels, labels, count) for count in (1, USUAL)]


@dataclass(frozen=True, slots=True)
class _Order:
    """Elicits `Permute`."""

    template: Template
    asking: Asking

    @property
    def builder(self) -> PromptBuilder:
        return self.asking.builder

    def prepare(self, judgement: Judgement) -> Request:
        assert isinstance(judgement, Permute)  # noqa: S101
        labels = self._labels(len(judgement.docs))
        named = labels[: judgement.decode]
        return self.asking.request(
            judgement.query, judgement.docs, labels, Expected(labels, len(named), self._room(named))
        )

    def read(self, judgement: Judgement, response: Response) -> tuple[Answer | Unanswered, ParseReport]:
        assert isinstance(judgement, Permute)  # noqa: S101
        if self.asking.constraint and judgement.decode == 1 and len(response.readings) == 1:
            return _first(judgement, response.readings[0]), ParseReport()
        return read_order(response, judgement, self._labels(len(judgement.docs)))

    def _labels(self, n: int) -> tuple[str, ...]:
        return label_sets.of_documents(str(self.template.labels), n)

    def _room(self, labels: tuple[str, ...]) -> int:
        complete = " > ".join(map(bracketed, labels))
        return len(self.builder.tokenizer.encode(complete)) + CHOICE_TOKENS


@dataclass(frozen=True, slots=True)
class _Choice:
    """Elicits `Compare` and `Score`: one of the labels that the template gives values."""

    template: Template
    asking: Asking

    @property
    def builder(self) -> PromptBuilder:
        return self.asking.builder

    def prepare(self, judgement: Judgement) -> Request:
        shown = label_sets.letters(len(judgement.docs))
        texts = tuple(label.text for label in self.template.choices)
        expected = Expected(texts, 1, CHOICE_TOKENS, chosen=True)
        return self.asking.request(judgement.query, judgement.docs, shown, expected)

    def read(self, judgement: Judgement, response: Response) -> tuple[Answer | Unanswered, ParseReport]:
        del judgement
        choices = self.template.choices
        index, report = parse_choice(response.text, [label.text for label in choices])
        return (unusable(response) if index is None else choices[index].value), report


def _first(judgement: Permute, reading: Reading) -> WeakOrder:
    """The order of the labels by how likely they are, as far as it is known: the one written, then all above the floor.

    Labels whose log-probability is not known are no likelier than the floor, so no more can be said of those below.
    """
    known = {label: value for label, value in enumerate(reading.logprobs) if not math.isnan(value)}
    complete = len(known) == len(reading.logprobs)
    by_value: dict[float, list[int]] = {}
    for label, value in known.items():
        if label != reading.label and (complete or value > reading.floor):
            by_value.setdefault(float32(value), []).append(label)
    groups = [[reading.label], *(by_value[value] for value in sorted(by_value, reverse=True))]
    named = {label for group in groups for label in group}
    ids = [doc.doc_id for doc in judgement.docs]
    omitted = tuple(name for label, name in enumerate(ids) if label not in named)
    return WeakOrder(tuple(tuple(ids[label] for label in group) for group in groups), omitted)


def read_order(
    response: Response, judgement: Permute, labels: tuple[str, ...]
) -> tuple[WeakOrder | Unanswered, ParseReport]:
    """The order that an answer to `judgement` names, its documents having been shown under `labels`.

    An answer that was cut off before it was complete is none: what it names may be half a thought.
    """
    parsed = parse_order(response.text, labels, judgement.decode)
    if parsed.report.status is Status.FAILED:
        return unusable(response), parsed.report
    if response.finish_reason == "length" and "missing" in parsed.report.repairs:
        report = ParseReport(Status.FAILED, {"cut off": 1})
        return Unanswered("the answer was cut off; allow it more tokens: text(max_tokens=…)", Failure.ANSWER), report
    ids = [doc.doc_id for doc in judgement.docs]
    groups = tuple(tuple(ids[i] for i in group) for group in parsed.groups)
    return WeakOrder(groups, tuple(ids[i] for i in parsed.omitted)), parsed.report
