"""Label log-probabilities: one token is read, nothing is parsed."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from rerankllm.calls import Capabilities, ReadLabels, Request, Response, Tokenizer, log_sum_exp
from rerankllm.data import Document, float32
from rerankllm.elicitation import labels as label_sets
from rerankllm.elicitation.base import Elicitor, PromptSettings, builder_for, check_labels, refuse
from rerankllm.elicitation.prior import Contextual, PriorKind, less
from rerankllm.elicitation.prompts import PromptBuilder
from rerankllm.elicitation.template import Label, Template, Wanted
from rerankllm.elicitation.templates import load
from rerankllm.elicitation.unreported import Filled, fill
from rerankllm.errors import CapabilityError, TemplateError
from rerankllm.judgements import (
    Answer,
    Compare,
    Failure,
    Judgement,
    ParseReport,
    Permute,
    Score,
    Select,
    Status,
    Unanswered,
    WeakOrder,
)


@dataclass(frozen=True, slots=True)
class Labels:
    """Reads how likely each label is as the next token.

    `Permute` by the log-probabilities of the documents' letters is FIRST (Reddy et al. 2024, section 3.1); `Compare`
    by those of A and B is PRP's scoring mode (Qin et al. 2023, section 3.1); `Select` takes the likeliest letters, as
    Setwise does by likelihood (Zhuang et al. 2024, section 3); `Score` is the expectation of the
    labels' values, which for yes = 1 and no = 0 is monoT5's P(yes) and for grades the expected grade of Zhuang et
    al. 2023 ("Beyond yes and no", section 3.2). Templates that read logits score by their sum, each times its label's
    value: for one label of value 1 that is RankT5's (Zhuang et al. 2022, section 4).

    Models like some labels and some places better than others, whatever stands there. With a prior, the label's
    log-probability in the same prompt without content is taken off each (contextual calibration, Zhao et al. 2021,
    section 5): for one call more a number of documents (`empty`, the same for all queries, which share it), or a query
    and number of documents (`documents`). For text answers, `psc` shuffles instead.

    Attributes:
        prompt: Template name; `default` is the one called `labels`.
        prior: What is without content in the prompt that tells what labels are worth by themselves: `documents`, or
            `empty` for the query too.
    """

    prompt: str = "default"
    prior: PriorKind | None = None

    def bind(
        self, judgement: type, tokenizer: Tokenizer, capabilities: Capabilities, settings: PromptSettings
    ) -> Elicitor:
        """The elicitor for `Permute`, `Compare`, `Score` or `Select`."""
        if judgement not in (Permute, Compare, Score, Select):
            raise refuse("labels", judgement, (Permute, Compare, Score, Select))
        if not capabilities.label_logprobs:
            raise CapabilityError(
                "'labels' needs label log-probabilities, which this backend does not give; use / text"
            )
        template = load(judgement.__name__.lower(), "labels" if self.prompt == "default" else self.prompt)
        check_labels(template, judgement)
        if template.needs_logits and not capabilities.logits:
            raise CapabilityError(
                f"template {template.name} reads logits, which this backend does not give; use a model in this process "
                "(hf:), or another template"
            )
        if template.read == "logits" and self.prior:
            raise TemplateError(f"template {template.name} reads logits, not log-probabilities: leave the prior out")
        builder = builder_for(template, judgement, tokenizer, capabilities, settings)
        if judgement is Permute:
            inner: _Order | _Selection | _Choice = _Order(builder)
        elif judgement is Select:
            inner = _Selection(_Order(builder))
        else:
            opening = builder.opening(label_sets.letters(2))
            want, left = choice_tokens(template, builder, opening)
            inner = _Choice(template, builder, want, left)
        return inner if self.prior is None else Contextual(inner, self.prior)


@dataclass(frozen=True, slots=True)
class _Order:
    """Elicits `Permute`: documents by the log-probability of their letter."""

    builder: PromptBuilder
    own: tuple[float, ...] = ()
    _sets: dict[int, tuple[ReadLabels, str]] = field(default_factory=dict)

    def prepare(self, judgement: Judgement) -> Request:
        want, left = self.want(len(judgement.docs))
        return Request(self.builder.build(judgement.query, judgement.docs, want.labels, reserve=1, left=left), want)

    def read(self, judgement: Judgement, response: Response) -> tuple[Answer | Unanswered, ParseReport]:
        return by_value(judgement.docs, less(response.logprobs, self.own))

    def given(self, own: tuple[float, ...]) -> "_Order":
        """The same, with what the labels are worth by themselves."""
        return replace(self, own=own)

    def want(self, n: int) -> tuple[ReadLabels, str]:
        """Which labels are read where n documents are shown, and the end of the prompt that is left to their tokens."""
        if n not in self._sets:
            limit = self.builder.capabilities.label_logprobs
            if n > limit:
                raise TemplateError(f"this backend tells at most {limit} labels apart, {n} documents are shown; "
                                    "use a smaller window, or text answers")  # fmt: skip
            if self.builder.capabilities.token_prompts:
                opening = self.builder.opening(label_sets.letters(n))
                found, left = label_sets.single_tokens(self.builder.tokenizer, opening, n)
                labels, ids = tuple(label for label, _ in found), tuple((token,) for _, token in found)
                self._sets[n] = ReadLabels(labels, ids), left
            else:
                self._sets[n] = ReadLabels(label_sets.letters(n)), ""
        return self._sets[n]


@dataclass(frozen=True, slots=True)
class _Selection:
    """Elicits `Select`: the prompt asks for the one best or worst, the likeliest letters are the m."""

    order: _Order

    @property
    def builder(self) -> PromptBuilder:
        return self.order.builder

    def prepare(self, judgement: Judgement) -> Request:
        assert isinstance(judgement, Select)  # noqa: S101
        (want, left), wanted = self.order.want(len(judgement.docs)), Wanted(worst=judgement.worst)
        self.builder.template.check(wanted)
        prompt = self.builder.build(judgement.query, judgement.docs, want.labels, reserve=1, wanted=wanted, left=left)
        return Request(prompt, want)

    def read(self, judgement: Judgement, response: Response) -> tuple[Answer | Unanswered, ParseReport]:
        assert isinstance(judgement, Select)  # noqa: S101
        answer, report = self.order.read(judgement, response)
        if isinstance(answer, Unanswered):
            return answer, report
        named = answer.ranked[: judgement.m]
        missing = judgement.m - len(named)
        return named, ParseReport(Status.REPAIRED, {"missing": missing}) if missing > 0 else ParseReport()

    def given(self, own: tuple[float, ...]) -> "_Selection":
        """The same, with what the labels are worth by themselves."""
        return replace(self, order=self.order.given(own))


@dataclass(frozen=True, slots=True)
class _Choice:
    """Elicits `Compare` and `Score`: the expected value of the template's labels."""

    template: Template
    builder: PromptBuilder
    want: ReadLabels
    left: str = ""
    own: tuple[float, ...] = ()

    def prepare(self, judgement: Judgement) -> Request:
        shown = label_sets.letters(len(judgement.docs))
        prompt = self.builder.build(judgement.query, judgement.docs, shown, reserve=1, left=self.left)
        return Request(prompt, self.want)

    def read(self, judgement: Judgement, response: Response) -> tuple[Answer | Unanswered, ParseReport]:
        del judgement
        filled = fill(response.logprobs, response.floor)
        if not isinstance(filled, Filled):
            return filled
        if self.template.read == "logits":  # of which differences are those of log-probabilities
            pairs = zip(self.template.choices, filled.values, strict=True)
            return sum(label.value * value for label, value in pairs), ParseReport()
        values = less(filled.values, self.own)
        return expected_value(self.template.choices, values), filled.report(ParseReport())

    def given(self, own: tuple[float, ...]) -> "_Choice":
        """The same, with what the labels are worth by themselves."""
        return replace(self, own=own)


def by_value(docs: Sequence[Document], values: Sequence[float]) -> tuple[WeakOrder | Unanswered, ParseReport]:
    """Documents in the order of their values, the largest first; those without one, which is NaN, are omitted."""
    groups: dict[float, list[str]] = {}
    omitted: list[str] = []
    for doc, value in zip(docs, values, strict=True):
        if math.isnan(value):
            omitted.append(doc.doc_id)
        else:
            groups.setdefault(float32(value), []).append(doc.doc_id)
    if not groups:
        report = ParseReport(Status.FAILED, {"no label": 1})
        return Unanswered("none of the labels is among the likeliest tokens", Failure.ANSWER), report
    repairs = {"missing": len(omitted)} if omitted else {}
    report = ParseReport(Status.REPAIRED if repairs else Status.PARSED, repairs)
    return WeakOrder(tuple(tuple(groups[value]) for value in sorted(groups, reverse=True)), tuple(omitted)), report


def expected_value(choices: Sequence[Label], logprobs: Sequence[float]) -> float:
    """Σ value·p over these labels, one of which it is."""
    total = log_sum_exp(logprobs)
    return sum(label.value * math.exp(value - total) for label, value in zip(choices, logprobs, strict=True))


def choice_tokens(template: Template, builder: PromptBuilder, opening: str) -> tuple[ReadLabels, str]:
    """The template's labels with the tokens of their variants, each checked to be single right after `opening`.

    Returns:
        The labels; and the end of `opening` that is part of their tokens, so that the prompt has to end before it.
    """
    choices = template.choices
    texts = tuple(label.text for label in choices)
    raw = template.read == "logits" and builder.capabilities.logits
    if not builder.capabilities.token_prompts:
        return ReadLabels(texts), ""
    if all(label.id is not None for label in choices):
        known = tuple((label.id,) for label in choices if label.id is not None)
        return ReadLabels(texts, known, raw=raw), ""
    labels = [(label.text, label.variants) for label in choices]
    ids, left = label_sets.tokens_after(builder.tokenizer, opening, labels)
    spelled = [token for tokens in ids for token in tokens]
    if len(set(spelled)) < len(spelled):
        raise TemplateError(f"template {template.name}: two labels share a token for this model")
    return ReadLabels(texts, ids, raw=raw), left
