"""What a way of eliciting answers is."""

from dataclasses import dataclass
from typing import Protocol

from rerankllm.calibration.demonstrations import Demonstration
from rerankllm.calls import Capabilities, Request, Response, Tokenizer
from rerankllm.elicitation.parsing import answer_part
from rerankllm.elicitation.prompts import PromptBuilder
from rerankllm.elicitation.template import Template
from rerankllm.errors import CapabilityError, TemplateError
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
    Unanswered,
    Write,
)

_QUOTED = 60
ROOM = (
    "give it room to think (/ reasoning(budget=…), or ?max_tokens=… or ?reasoning=true of a model behind an API), or "
    "let it not think (?thinking=off)"
)
"""What helps against thoughts that leave no tokens for the answer."""


@dataclass(frozen=True, slots=True)
class PromptSettings:
    """What the user says about prompts, whatever the elicitation.

    Attributes:
        instruction: Shown to the model by templates that have a place for one.
        passage_tokens: Cut of every passage; the template's own when None.
        demonstrations: Worked examples for comparisons, instead of the template's own.
    """

    instruction: str | None = None
    passage_tokens: int | None = None
    demonstrations: tuple[Demonstration, ...] = ()


class Elicitor(Protocol):
    """Turns judgements of one kind into requests to one backend, and its responses into answers.

    Attributes:
        builder: Makes its prompts.
    """

    @property
    def builder(self) -> PromptBuilder: ...

    def prepare(self, judgement: Judgement) -> Request:
        """The request.

        Raises:
            TemplateError: The prompt cannot fit.
        """
        ...

    def read(self, judgement: Judgement, response: Response) -> tuple[Answer | Unanswered, ParseReport]:
        """The answer, and how it read; `Unanswered` where there is nothing to use. Never raises."""
        ...


class Elicitation(Protocol):
    """A way of eliciting answers: a frozen dataclass whose fields are its parameters."""

    def bind(
        self, judgement: type, tokenizer: Tokenizer, capabilities: Capabilities, settings: PromptSettings
    ) -> Elicitor:
        """Makes the elicitor for one kind of judgement and one backend, and checks all that can be checked.

        Raises:
            CapabilityError: The backend lacks what this needs, or this cannot elicit that judgement.
            TemplateError: There is no template for it, or it does not suit the model.
        """
        ...


def default_elicitation(judgement: type, capabilities: Capabilities) -> str:
    """The elicitation a backend is asked with when the user names none.

    Likelihood for scores and label log-probabilities for comparisons and selections where the backend has them: they
    need no parsing and do not tie. Text otherwise.
    """
    if judgement is Score and capabilities.continuation_logprobs:
        return "likelihood"
    if judgement in {Score, Compare, Select} and capabilities.label_logprobs:
        return "labels"
    return "text"


def builder_for(
    template: Template, judgement: type, tokenizer: Tokenizer, capabilities: Capabilities, settings: PromptSettings
) -> PromptBuilder:
    """What makes the prompts for one kind of judgement; comparisons may come with worked examples.

    Raises:
        TemplateError: The template cannot be used so.
    """
    if template.demonstrations and judgement is not Compare:
        raise TemplateError(
            f"template {template.name} has worked examples of comparisons, and {judgement.__name__} is asked"
        )
    examples = (settings.demonstrations or template.demonstrations) if judgement is Compare else ()
    return PromptBuilder(template, tokenizer, capabilities, settings.instruction, settings.passage_tokens, examples)


def refuse(elicitation: str, judgement: type, can: tuple[type, ...]) -> CapabilityError:
    """The error for a judgement that an elicitation does not know."""
    names = ", ".join(kind.__name__ for kind in can)
    return CapabilityError(f"'{elicitation}' does not elicit {judgement.__name__}; it elicits {names}")


def check_labels(template: Template, judgement: type) -> None:
    """Checks that a template's labels suit what is asked; criteria are always numbered.

    Raises:
        TemplateError: Labels that stand for values where documents are named, or the other way round.
    """
    stand_for_documents = isinstance(template.labels, str)
    several = judgement in {Permute, Select, Ends, Grade, Write, Draft, Assess}
    if several != stand_for_documents:
        needs = "numbers or letters" if several else "a list of texts with values"
        raise TemplateError(f"template {template.name}: to answer {judgement.__name__}, its labels should be {needs}")


def unusable(response: Response) -> Unanswered:
    """What an answer is in which nothing was found; the reason says what the model did instead, or quotes it."""
    said = " ".join(response.text.split())
    cut_off = response.finish_reason == "length"
    if response.reasoning is not None and not said and cut_off:
        return Unanswered(f"the model thought until its tokens ran out, and answered nothing; {ROOM}", Failure.ANSWER)
    if answer_part(response.text) is None:
        ended = "until its tokens ran out" if cut_off else "and did not end its thought"
        return Unanswered(f"the model thought {ended}, and answered nothing; {ROOM}", Failure.ANSWER)
    if not said:
        thought = "thought and " if response.reasoning else ""
        cut = f": its tokens ran out; {ROOM}" if cut_off else ""
        return Unanswered(f"the model {thought}answered nothing{cut}", Failure.ANSWER)
    quoted = said if len(said) <= _QUOTED else f"{said[:_QUOTED]}…"
    return Unanswered(f"the model answered '{quoted}', in which no answer was found", Failure.ANSWER)
