"""Similarity in context: one pass over the whole list, and a vector for each document and for the query."""

from dataclasses import dataclass
from itertools import chain

from rerankllm.calls import Capabilities, ReadSimilarities, Request, Response, Tokenizer
from rerankllm.elicitation.base import Elicitor, PromptSettings, builder_for, refuse
from rerankllm.elicitation.labels import numbers
from rerankllm.elicitation.logprobs import by_value
from rerankllm.elicitation.prompts import PromptBuilder
from rerankllm.elicitation.template import Markers
from rerankllm.elicitation.templates import load
from rerankllm.errors import CapabilityError, TemplateError
from rerankllm.judgements import Answer, Judgement, ParseReport, Permute, Unanswered


@dataclass(frozen=True, slots=True)
class Similarity:
    """Orders the documents of one prompt by the cosine of their vectors and the query's.

    The vectors are those of tokens behind each document and behind the query, so that every document is seen beside
    all before it: Wang et al. 2025, "jina-reranker-v3: last but not late interaction for document reranking", section
    3. Needs a model with such a head.

    Attributes:
        prompt: Template name; it has to say which tokens those are (`markers`).
    """

    prompt: str = "jina-reranker-v3"

    def bind(
        self, judgement: type, tokenizer: Tokenizer, capabilities: Capabilities, settings: PromptSettings
    ) -> Elicitor:
        """The elicitor for `Permute`."""
        if judgement is not Permute:
            raise refuse("similarity", judgement, (Permute,))
        if ReadSimilarities not in capabilities.lists:
            raise CapabilityError(
                "'similarity' needs a model that compares the documents of a prompt by vectors, such as "
                "hf:jinaai/jina-reranker-v3; this is none"
            )
        template = load("permute", self.prompt)
        if template.markers is None or not template.markers.query:
            raise TemplateError(f"template {template.name} has no markers, at which vectors could be taken")
        spelled = [tokenizer.encode(marker, special=True) for marker in template.markers[:2]]
        if capabilities.token_prompts and any(len(ids) != 1 for ids in spelled):
            raise TemplateError(f"template {template.name}: its markers are no single tokens for this model")
        builder = builder_for(template, judgement, tokenizer, capabilities, settings)
        ids = tuple(chain.from_iterable(spelled)) if capabilities.token_prompts else ()
        return _Similarities(builder, template.markers, ids)


@dataclass(frozen=True, slots=True)
class _Similarities:
    """Elicits `Permute`."""

    builder: PromptBuilder
    markers: Markers
    ids: tuple[int, ...]

    def prepare(self, judgement: Judgement) -> Request:
        n = len(judgement.docs)
        prompt = self.builder.build(judgement.query, judgement.docs, numbers(n), reserve=0)
        document, query, queries = self.markers
        return Request(prompt, ReadSimilarities(n, (document, query), self.ids, queries))

    def read(self, judgement: Judgement, response: Response) -> tuple[Answer | Unanswered, ParseReport]:
        return by_value(judgement.docs, response.logprobs)
