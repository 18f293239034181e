"""A document, judged by criteria: a grade for each, with the reason."""

from dataclasses import dataclass

from rerankllm.calls import Generate, Request, Response
from rerankllm.elicitation import labels as label_sets
from rerankllm.elicitation.base import unusable
from rerankllm.elicitation.grades import SCALE, parse_grades
from rerankllm.elicitation.prompts import PromptBuilder
from rerankllm.elicitation.template import Wanted
from rerankllm.errors import TemplateError
from rerankllm.judgements import Answer, Assess, Assessment, Failure, Judgement, ParseReport, Status, Unanswered

_TOKENS = 64
"""Room for one grade and the sentence after it."""
_POLITENESS = 24


@dataclass(frozen=True, slots=True)
class Assessments:
    """Elicits `Assess` in text.

    Attributes:
        builder: Makes the prompts.
        max_tokens: Bound on the answer; what so many grades and sentences take when none.
        before: Tokens for what comes before the answer.
    """

    builder: PromptBuilder
    max_tokens: int | None
    before: int

    def prepare(self, judgement: Judgement) -> Request:
        """The request."""
        assert isinstance(judgement, Assess)  # noqa: S101
        if judgement.scale != SCALE:
            raise TemplateError(f"templates ask for grades from 0 to {SCALE}, not to {judgement.scale}")
        texts = [criterion.text for criterion in judgement.criteria]
        room = self.before + (self.max_tokens or _TOKENS * len(texts) + _POLITENESS)
        prompt = self.builder.build(
            judgement.query,
            judgement.docs,
            label_sets.letters(1),
            reserve=room,
            wanted=Wanted(len(texts)),
            criteria=texts,
        )
        return Request(prompt, Generate(room))

    def read(self, judgement: Judgement, response: Response) -> tuple[Answer | Unanswered, ParseReport]:
        """The grades, NaN for criteria without one, and the reasons; cut off before the last grade it is none."""
        assert isinstance(judgement, Assess)  # noqa: S101
        graded = parse_grades(response.text, label_sets.numbers(len(judgement.criteria)), judgement.scale)
        if graded.report.status is Status.FAILED:
            return unusable(response), graded.report
        if response.finish_reason == "length" and "missing" in graded.report.repairs:
            reason = "the answer was cut off; allow it more tokens: text(max_tokens=…)"
            return Unanswered(reason, Failure.ANSWER), ParseReport(Status.FAILED, {"cut off": 1})
        return Assessment(graded.grades, graded.reasons), graded.report
