"""Several grades in one answer: one for each document shown."""

from dataclasses import dataclass

from rerankllm.calls import Request, Response
from rerankllm.elicitation import labels as label_sets
from rerankllm.elicitation.asking import Asking, Expected
from rerankllm.elicitation.base import unusable
from rerankllm.elicitation.prompts import PromptBuilder
from rerankllm.elicitation.reading.grading import Graded, parse_grades
from rerankllm.errors import TemplateError
from rerankllm.judgements import Answer, Failure, Grade, Judgement, ParseReport, Status, Unanswered

__all__ = ["SCALE", "WRITTEN", "Graded", "Grades", "parse_grades"]

SCALE = 10
"""Templates in `prompts/grade/` ask for grades from 0 to this."""
WRITTEN = tuple(map(str, range(SCALE + 1)))
"""How grades are written."""
_POLITENESS = 24


@dataclass(frozen=True, slots=True)
class Grades:
    """Elicits `Grade` in text.

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
        assert isinstance(judgement, Grade)  # noqa: S101
        if judgement.scale != SCALE:
            raise TemplateError(f"templates ask for grades from 0 to {SCALE}, not to {judgement.scale}")
        labels = label_sets.numbers(len(judgement.docs))
        return self.asking.request(
            judgement.query, judgement.docs, labels, Expected(WRITTEN, len(labels), self._room(labels))
        )

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
