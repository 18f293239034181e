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
from rerankllm.errors import CapabilityError
from rerankllm.judgements import Answer, Compare, Failure, Judgement, ParseReport, Score, Status, Unanswered

Value = Literal["written", "expected", "product"]
WEIGHED: dict[str, tuple[type, ...]] = {"expected": (Score, Compare), "product": (Score,)}
BEFORE = "\n"
"""What stands before an answer; with a space or a bracket in front a label may be another token."""


@dataclass(frozen=True, slots=True)
class Weighed:
    """Reads a label in text, and then the log-probabilities at the place where it was written.

    The one label is what the text says; where it stands is the first place after the thought that says so. An answer
    whose place is not among those the backend read is none.

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
        labels, _ = choice_tokens(replace(builder.template, labels=spelled), builder, BEFORE)
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
        label, _ = parse_choice(response.text, self.labels.labels)
        at_it = (r for r in response.readings if r.label == label and self._stands_alone(response.text, r))
        reading = next(at_it, None)
        if reading is None or label is None:
            return self._unknown(answer)
        if self.product:
            found = reading.logprobs[label]
            return self._unknown(answer) if math.isnan(found) else (answer * math.exp(found), report)
        filled = fill(reading.logprobs, reading.floor)
        if not isinstance(filled, Filled):
            return self._unknown(answer)
        return expected_value(self.builder.template.choices, filled.values), filled.report(report)

    def _stands_alone(self, text: str, reading: Reading) -> bool:
        """Whether the label read is a word of its own: not the 1 of 12."""
        label = re.escape(self.labels.labels[reading.label])
        return re.compile(rf"\W*\b{label}\b", re.IGNORECASE).match(text, reading.at) is not None

    def _unknown(self, answer: Answer) -> tuple[Unanswered, ParseReport]:
        reason = f"the model answered {answer:g}, and how likely that was is not known; use value=written"
        return Unanswered(reason, Failure.ANSWER), ParseReport(Status.FAILED, {"unknown probability": 1})
