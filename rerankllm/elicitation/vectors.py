"""Passages as vectors: a prompt holds one token for each, and the answer is these vectors, one after the other."""

from dataclasses import dataclass

from rerankllm.calls import (
    Capabilities,
    OrderVectors,
    Request,
    Response,
    TextPrompt,
    Tokenizer,
    TokenPrompt,
    VectorPrompt,
)
from rerankllm.elicitation.base import Elicitor, PromptSettings, builder_for, refuse, unusable
from rerankllm.elicitation.labels import numbers
from rerankllm.elicitation.ordered import parse_ordered
from rerankllm.elicitation.prompts import PromptBuilder
from rerankllm.elicitation.template import Order
from rerankllm.elicitation.templates import load
from rerankllm.errors import CapabilityError, TemplateError
from rerankllm.judgements import Answer, Judgement, ParseReport, Permute, Status, Unanswered, WeakOrder


@dataclass(frozen=True, slots=True)
class Vectors:
    """The model is shown a vector for each passage, and writes an order of these vectors.

    The vectors are an encoder's, put among the model's own tokens by a projector: Liu et al. 2024, "Leveraging Passage
    Embeddings for Efficient Listwise Reranking with Large Language Models", section 3 (PE-Rank). At every place the
    likeliest vector not yet written is written. Needs a model with such an encoder.

    Attributes:
        prompt: Template name; it has to say which token stands for a passage (`markers`).
    """

    prompt: str = "pe-rank"

    def bind(
        self, judgement: type, tokenizer: Tokenizer, capabilities: Capabilities, settings: PromptSettings
    ) -> Elicitor:
        """The elicitor for `Permute`."""
        if judgement is not Permute:
            raise refuse("vectors", judgement, (Permute,))
        if OrderVectors not in capabilities.lists:
            raise CapabilityError(
                "'vectors' needs a model that is shown passages as vectors, such as hf:liuqi6777/pe-rank-mistral-jina; "
                "this is none"
            )
        template = load("permute", self.prompt)
        if template.markers is None or template.markers.query or template.form is None:
            raise TemplateError(f"template {template.name} has no marker that stands for a passage's vector")
        marker = tokenizer.encode(template.markers.document, special=True) if capabilities.token_prompts else ()
        if capabilities.token_prompts and len(marker) != 1:
            raise TemplateError(f"template {template.name}: its marker is no single token for this model")
        return _Vectors(builder_for(template, judgement, tokenizer, capabilities, settings), next(iter(marker), None))


@dataclass(frozen=True, slots=True)
class _Vectors:
    """Elicits `Permute`."""

    builder: PromptBuilder
    marker: int | None

    def prepare(self, judgement: Judgement) -> Request:
        assert isinstance(judgement, Permute)  # noqa: S101
        n = len(judgement.docs)
        prompt = self.builder.build(judgement.query, judgement.docs, numbers(n), reserve=n)
        assert isinstance(prompt, TokenPrompt | TextPrompt)  # noqa: S101 - the template is a text
        whole = VectorPrompt(prompt, self.builder.texts(judgement.docs), self.marker)
        return Request(whole, OrderVectors(min(n, judgement.decode or n)))

    def read(self, judgement: Judgement, response: Response) -> tuple[Answer | Unanswered, ParseReport]:
        assert isinstance(judgement, Permute)  # noqa: S101
        ids = [doc.doc_id for doc in judgement.docs]
        places, report = parse_ordered(response.text, numbers(len(ids)), Order())
        if report.status is Status.FAILED:
            return unusable(response), report
        named = tuple((ids[place],) for place in places)
        left = tuple(ids[place] for place in range(len(ids)) if place not in places)
        wanted = min(len(ids), judgement.decode or len(ids))
        return WeakOrder(named, left), report if len(places) < wanted else ParseReport()
