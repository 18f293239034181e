"""A label the model wrote, weighed by how likely it was, and the others, where it stands."""

import math
import re
from dataclasses import dataclass, replace
from typing import Literal

from rerankllm.calls import Capabilities, Generate, Reading, ReadLabels, Request, Response
from rerankllm.elicitation.base import Elicitor
from rerankllm.elicitation.logprobs import choice_tokens, expected_value
from rerankllm.elicitation.parsing import parse_choice
from rerankllm.elicitation.prompts import PromptBuilder
from rerankllm.elicitation.unreported import Filled, fill
from rerankllm.errors import CapabilityError, TemplateError
from rerankllm.judgements import Answer, Compare, Failure, Judgement, ParseReport, Score, Status, Unanswered

Value = Literal["written", "expected", "product"]
WEIGHED: dict[str, tuple[type, ...]] = {"expected": (Score, Compare), "product": (Score,)}
BEFORE = "\n"
"""What stands before an answer; with a space or a bracket in front a label may be another token."""


@dataclass(frozen=True, slots=True)
class Weighed:
    """Reads a label in text, and then the log-probabilities at the place where it was written.

    The one label is what the text says; where it stands is the first place after the thought that says so. An answer
    whose place is not among those the backend read is none. A 10 that a model writes as 1 and 0 is as likely as both.

    Attributes:
        answering: Reads the text.
        labels: The template's labels.
        product: Whether the value is the label's own times its probability, instead of the expectation over all.
    """

    answering: Elicitor
    labels: ReadLabels
    product: bool

    @classmethod
    def around(cls, answering: Elicitor, value: str, judgement: type, capabilities: Capabilities) -> "Weighed":
        """In front of another elicitor.

        Raises:
            CapabilityError: The backend tells no log-probabilities, or this judgement has no labels with values.
            TemplateError: A label is not a single token for this model.
        """
        kinds = WEIGHED[value]
        if judgement not in kinds:
            names = " and ".join(kind.__name__ for kind in kinds)
            raise CapabilityError(f"value={value} is for {names}, not for {judgement.__name__}; use value=written")
        if not capabilities.label_logprobs:
            raise CapabilityError(
                f"value={value} needs label log-probabilities, which this backend does not give; use value=written"
            )
        builder = answering.builder
        spelled = tuple(
            replace(c, variants=(f" {c.text}", *c.variants, f"[{c.text}", f" [{c.text}"))
            for c in builder.template.choices
        )
        try:
            labels, _ = choice_tokens(replace(builder.template, labels=spelled), builder, BEFORE)
        except TemplateError:
            texts = {choice.text for choice in spelled}
            alone = tuple(c for c in spelled if len(c.text) == 1 or not set(c.text) <= texts)
            if value != "product" or alone == spelled:
                raise
            labels, _ = choice_tokens(replace(builder.template, labels=alone), builder, BEFORE)
        return cls(answering, labels, value == "product")

    @property
    def builder(self) -> PromptBuilder:
        """The other's."""
        return self.answering.builder

    def prepare(self, judgement: Judgement) -> Request:
        """The other's request, with the labels to be read beside the text."""
        request = self.answering.prepare(judgement)
        assert isinstance(request.want, Generate)  # noqa: S101
        return replace(request, want=replace(request.want, labels=self.labels))

    def read(self, judgement: Judgement, response: Response) -> tuple[Answer | Unanswered, ParseReport]:
        """The expected value, or the product."""
        answer, report = self.answering.read(judgement, response)
        if isinstance(answer, Unanswered):
            return answer, report
        texts = [choice.text for choice in self.builder.template.choices]
        label, _ = parse_choice(response.text, texts)
        if label is None:
            return self._unknown(answer)
        if self.product:
            found = self._log_probability(response, texts[label])
            return self._unknown(answer) if math.isnan(found) else (answer * math.exp(found), report)
        written = (r for r in response.readings if r.label == label)
        reading = next((r for r in written if self._stands_alone(response.text, r, texts[label])), None)
        if reading is None:
            return self._unknown(answer)
        filled = fill(reading.logprobs, reading.floor)
        if not isinstance(filled, Filled):
            return self._unknown(answer)
        return expected_value(self.builder.template.choices, filled.values), filled.report(report)

    def _log_probability(self, response: Response, label: str) -> float:
        """That of a label where it first stands, of all its tokens where it is written in several; NaN if unknown."""
        known, readings = self.labels.labels, response.readings
        for tokens in ((label,), tuple(label)):
            for start, first in enumerate(readings):
                row = readings[start : start + len(tokens)]
                spelled = tuple(known[reading.label] for reading in row)
                if spelled == tokens and self._stands_alone(response.text, first, label):
                    return math.fsum(reading.logprobs[reading.label] for reading in row)
        return math.nan

    @staticmethod
    def _stands_alone(text: str, reading: Reading, label: str) -> bool:
        """Whether a label read is a word of its own: not the 1 of 12."""
        return re.compile(rf"\W*\b{re.escape(label)}\b", re.IGNORECASE).match(text, reading.at) is not None

    def _unknown(self, answer: Answer) -> tuple[Unanswered, ParseReport]:
        reason = f"the model answered {answer:g}, and how likely that was is not known; use value=written"
        return Unanswered(reason, Failure.ANSWER), ParseReport(Status.FAILED, {"unknown probability": 1})
