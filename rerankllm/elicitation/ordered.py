"""Orders as some published models were trained to write them: bare labels, all of them, perhaps the best one last."""

from collections.abc import Sequence
from dataclasses import dataclass

from rerankllm.calls import Request, Response
from rerankllm.elicitation import labels as label_sets
from rerankllm.elicitation.asking import Asking, Expected
from rerankllm.elicitation.base import unusable
from rerankllm.elicitation.prompts import PromptBuilder
from rerankllm.elicitation.template import Order
from rerankllm.judgements import (
    Answer,
    Failure,
    Judgement,
    ParseReport,
    Permute,
    Select,
    Status,
    Unanswered,
    WeakOrder,
)


@dataclass(frozen=True, slots=True)
class Ordered:
    """Elicits `Permute` and `Select` of a model that writes a whole order whatever is wanted of it.

    Attributes:
        asking: Asks for the answers.
        order: How an order is written.
    """

    asking: Asking
    order: Order

    @property
    def builder(self) -> PromptBuilder:
        """Makes the prompts."""
        return self.asking.builder

    def prepare(self, judgement: Judgement) -> Request:
        """The request."""
        labels = self._labels(len(judgement.docs))
        room = len(self.builder.tokenizer.encode(self.order.between.join(labels))) + 1
        return self.asking.request(judgement.query, judgement.docs, labels, Expected(labels, len(labels), room))

    def read(self, judgement: Judgement, response: Response) -> tuple[Answer | Unanswered, ParseReport]:
        """The order, or the m ids at one of its ends."""
        assert isinstance(judgement, Permute | Select)  # noqa: S101
        places, report = parse_ordered(response.text, self._labels(len(judgement.docs)), self.order)
        if report.status is Status.FAILED:
            return unusable(response), report
        if response.finish_reason == "length" and "missing" in report.repairs:
            return Unanswered("the answer was cut off", Failure.ANSWER), ParseReport(Status.FAILED, {"cut off": 1})
        ids = [doc.doc_id for doc in judgement.docs]
        if isinstance(judgement, Select):
            ends = reversed(places) if judgement.worst else places
            return tuple(ids[place] for place in ends)[: judgement.m], report
        omitted = tuple(ids[place] for place in sorted(set(range(len(ids))) - set(places)))
        return WeakOrder(tuple((ids[place],) for place in places), omitted), report

    def _labels(self, n: int) -> tuple[str, ...]:
        return label_sets.of_documents(str(self.builder.template.labels), n)


def parse_ordered(text: str, labels: Sequence[str], order: Order) -> tuple[tuple[int, ...], ParseReport]:
    """Reads an answer that should be an order of `labels`. Total: never raises.

    Returns:
        Indices of the labels named, best first, each once. The report is `failed` when there is none, and `repaired`
        when some are missing, repeated, or were not shown.
    """
    words = text.split(order.between.strip() or None)
    places = {label: place for place, label in enumerate(labels)}
    named = [places[word.strip()] for word in words if word.strip() in places]
    found = tuple(dict.fromkeys(named))
    if not found:
        return (), ParseReport(Status.FAILED, {"no label": 1})
    counts = {
        "unknown": len(words) - len(named),
        "repeated": len(named) - len(found),
        "missing": len(labels) - len(found),
    }
    repairs = {kind: count for kind, count in counts.items() if count}
    report = ParseReport(Status.REPAIRED if repairs else Status.PARSED, repairs)
    return (found[::-1] if order.worst_first else found), report
