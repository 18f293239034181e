"""Several grades in one answer: one for each document shown."""

from dataclasses import dataclass

from rerankllm.calls import Generate, Request, Response
from rerankllm.elicitation import labels as label_sets
from rerankllm.elicitation.base import unusable
from rerankllm.elicitation.prompts import PromptBuilder
from rerankllm.elicitation.reading.grading import Graded, parse_grades
from rerankllm.errors import TemplateError
from rerankllm.judgements import Answer, Failure, Grade, Judgement, ParseReport, Status, Unanswered

__all__ = ["SCALE", "Graded", "Grades", "parse_grades"]

SCALE = 10
"""Templates in `prompts/grade/` ask for grades from 0 to this."""
_POLITENESS = 24


@dataclass(frozen=True, slots=True)
class Grades:
    """Elicits `Grade` in text.

    Attributes:
        builder: Makes the prompts.
        max_tokens: Bound on the answer; what a complete answer takes, and some, when none.
        before: Tokens for what comes before the answer.
    """

    builder: PromptBuilder
    max_tokens: int | None
    before: int

    def prepare(self, judgement: Judgement) -> Request:
        """The request."""
        assert isinstance(judgement, Grade)  # noqa: S101
        if judgement.scale != SCALE:
            raise TemplateError(f"templates ask for grades from 0 to {SCALE}, not to {judgement.scale}")
        labels = label_sets.numbers(len(judgement.docs))
        room = self.before + (self.max_tokens or self._room(labels))
        return Request(self.builder.build(judgement.query, judgement.docs, labels, reserve=room), Generate(room))

    def read(self, judgement: Judgement, response: Response) -> tuple[Answer | Unanswered, ParseReport]:
        """One grade a document, NaN for those without; an answer cut off before the last grade is none."""
        assert isinstance(judgement, Grade)  # noqa: S101
        graded = parse_grades(response.text, label_sets.numbers(len(judgement.docs)), judgement.scale)
        if graded.report.status is Status.FAILED:
            return unusable(response), graded.report
        if response.finish_reason == "length" and "missing" in graded.report.repairs:
            report = ParseReport(Status.FAILED, {"cut off": 1})
            return Unanswered(
                "the answer was cut off; allow it more tokens: text(max_tokens=…)", Failure.ANSWER
            ), report
        return graded.grades, graded.report

    def _room(self, labels: tuple[str, ...]) -> int:
        complete = "\n".join(f"[{label}]: {SCALE}" for label in labels)
        return len(self.builder.tokenizer.encode(complete)) + _POLITENESS
