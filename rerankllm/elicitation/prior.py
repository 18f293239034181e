"""What labels are worth by themselves: the answer to a prompt in which there is nothing to read."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

from rerankllm.calls import Request, Response
from rerankllm.data import Document, Query
from rerankllm.elicitation.base import Elicitor
from rerankllm.elicitation.prompts import PromptBuilder
from rerankllm.elicitation.unreported import Filled, fill
from rerankllm.judgements import (
    Answer,
    Compare,
    Judgement,
    ParseReport,
    Permute,
    Prior,
    Score,
    Select,
    Unanswered,
)

CONTENT_FREE = "N/A"
"""The content-free text of Zhao et al. 2021 (section 5) that needs no tokens of the model's own, as [MASK] does."""

PriorKind: TypeAlias = Literal["empty", "documents"]
"""Which texts of a prompt are content-free: all, or the documents, under the query."""


class Correctable(Elicitor, Protocol):
    """An elicitor that reads label log-probabilities, and can take something off them."""

    def given(self, own: tuple[float, ...]) -> Elicitor:
        """The same, with what each label is worth by itself."""
        ...


@dataclass(frozen=True, slots=True)
class Contextual:
    """Has a content-free prompt asked first, and takes its answer off the others'.

    Attributes:
        inner: What elicits.
        kind: Which texts of that prompt are content-free.
    """

    inner: Correctable
    kind: PriorKind

    @property
    def builder(self) -> PromptBuilder:
        return self.inner.builder

    def prior(self, judgement: Judgement) -> Prior:
        """What has to be asked before `judgement`."""
        return blank(judgement, self.kind)

    def given(self, prior: Answer) -> Elicitor:
        """What elicits the others, once that is answered."""
        return self.inner.given(prior)

    def prepare(self, judgement: Judgement) -> Request:
        """The request."""
        return self.inner.prepare(judgement.of if isinstance(judgement, Prior) else judgement)

    def read(self, judgement: Judgement, response: Response) -> tuple[Answer | Unanswered, ParseReport]:
        """The labels' log-probabilities for a prior, with a log-probability for each."""
        return read_prior(response) if isinstance(judgement, Prior) else self.inner.read(judgement, response)


def blank(judgement: Judgement, kind: PriorKind) -> Prior:
    """The content-free judgement of the same shape: as many documents, and the same wanted of them.

    Contextual calibration (Zhao et al. 2021, "Calibrate before use", section 5): what a model answers to it, it
    answers for the prompt's sake and not for the documents'.
    """
    query = judgement.query if kind == "documents" else Query("", CONTENT_FREE)
    docs = tuple(Document(str(i), CONTENT_FREE) for i in range(len(judgement.docs)))
    match judgement:
        case Score():
            return Prior(Score(query, docs[0]))
        case Compare():
            return Prior(Compare(query, *docs))
        case Select():
            return Prior(Select(query, docs, worst=judgement.worst))
        case Permute():
            return Prior(Permute(query, docs))
        case _:
            raise TypeError(f"{type(judgement).__name__} has no labels")


def read_prior(response: Response) -> tuple[tuple[float, ...] | Unanswered, ParseReport]:
    """The labels' log-probabilities; one that was not reported counts as the likeliest it can be."""
    filled = fill(response.logprobs, response.floor)
    return (filled.values, filled.report(ParseReport())) if isinstance(filled, Filled) else filled


def less(values: Sequence[float], prior: Sequence[float]) -> list[float]:
    """Log-probabilities without what the labels are worth by themselves; as they are where no prior is known."""
    return [value - own for value, own in zip(values, prior, strict=True)] if prior else list(values)
