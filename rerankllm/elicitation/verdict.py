"""A verdict and the grade behind it, such as `yes(4)`, both by how likely they were where they were written."""

from dataclasses import dataclass, replace

from rerankllm.calls import Capabilities, Generate, ReadLabels, Request, Response, Tokenizer
from rerankllm.elicitation.base import Elicitor, PromptSettings, builder_for, check_labels, refuse, unusable
from rerankllm.elicitation.logprobs import choice_tokens, expected_value
from rerankllm.elicitation.prompts import PromptBuilder
from rerankllm.elicitation.template import Label
from rerankllm.elicitation.templates import load
from rerankllm.elicitation.unreported import Filled, fill
from rerankllm.errors import CapabilityError, TemplateError
from rerankllm.judgements import Answer, Failure, Judgement, ParseReport, Score, Status, Unanswered

ROOM = 16
"""Tokens for an answer."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The model writes yes or no with a grade, such as `yes(4)`; the score is the mean of the two expected values.

    This is how TFRank scores (Fan et al. 2025, "TFRank: Think-Free Reasoning Enables Practical Pointwise LLM Ranking",
    section 3): P(yes) among yes and no where the verdict stands, and the expected grade, as a share of the highest,
    where the grade stands. An answer that lacks one of the two is none.

    Attributes:
        prompt: Template name; `default` is the one called `verdict`. Labels that are numbers are grades.
    """

    prompt: str = "default"

    def bind(
        self, judgement: type, tokenizer: Tokenizer, capabilities: Capabilities, settings: PromptSettings
    ) -> Elicitor:
        """The elicitor for `Score`."""
        if judgement is not Score:
            raise refuse("verdict", judgement, (Score,))
        if not (capabilities.generate and capabilities.label_logprobs):
            raise CapabilityError(
                "'verdict' needs a model that writes and tells label log-probabilities; use / text with this one"
            )
        template = load("score", "verdict" if self.prompt == "default" else self.prompt)
        check_labels(template, judgement)
        words = tuple(label for label in template.choices if not label.text.isdecimal())
        grades = tuple(label for label in template.choices if label.text.isdecimal())
        if not words or not grades:
            raise TemplateError(f"template {template.name} needs labels that are words, and grades that are numbers")
        builder = builder_for(template, judgement, tokenizer, capabilities, settings)
        verdict, _ = choice_tokens(replace(template, labels=words), builder, "\n")
        grade, _ = choice_tokens(replace(template, labels=grades), builder, f"{words[0].text}(")
        wanted = ReadLabels((*verdict.labels, *grade.labels), (*verdict.ids, *grade.ids))
        return _Graded(builder, wanted, words, grades)


@dataclass(frozen=True, slots=True)
class _Graded:
    """Elicits `Score`: the verdict's labels come first among those read."""

    builder: PromptBuilder
    wanted: ReadLabels
    words: tuple[Label, ...]
    grades: tuple[Label, ...]

    def prepare(self, judgement: Judgement) -> Request:
        prompt = self.builder.build(judgement.query, judgement.docs, ("A",), reserve=ROOM)
        return Request(prompt, Generate(ROOM, labels=self.wanted))

    def read(self, judgement: Judgement, response: Response) -> tuple[Answer | Unanswered, ParseReport]:
        del judgement
        count = len(self.words)
        readings = iter(response.readings)
        verdict = next((reading for reading in readings if reading.label < count), None)
        grade = next((reading for reading in readings if reading.label >= count), None)
        if verdict is None:
            return unusable(response), ParseReport(Status.FAILED, {"no label": 1})
        if grade is None:
            written = self.words[verdict.label].text
            reason = f"the model answered '{written}' and no grade behind it"
            return Unanswered(reason, Failure.ANSWER), ParseReport(Status.FAILED, {"no grade": 1})
        values, report = [], ParseReport()
        for reading, labels, shown in ((verdict, self.words, slice(count)), (grade, self.grades, slice(count, None))):
            filled = fill(reading.logprobs[shown], reading.floor)
            if not isinstance(filled, Filled):
                return filled
            values.append(expected_value(labels, filled.values))
            report = filled.report(report)
        return sum(values) / len(values), report
