"""Attention: an encoder reads every passage apart, and a decoder that answers the query attends to them."""

from dataclasses import dataclass

from rerankllm.calls import Capabilities, ReadAttention, Request, Response, Tokenizer
from rerankllm.elicitation.base import Elicitor, PromptSettings, builder_for, refuse
from rerankllm.elicitation.labels import numbers
from rerankllm.elicitation.logprobs import by_value
from rerankllm.elicitation.prompts import PromptBuilder
from rerankllm.elicitation.templates import load
from rerankllm.errors import CapabilityError, SpecError, TemplateError
from rerankllm.judgements import Answer, Judgement, ParseReport, Permute, Unanswered


@dataclass(frozen=True, slots=True)
class Attention:
    """Orders documents by how much a decoder attends to them while it answers the query.

    The model was trained to answer questions, and never to rank: Tamber et al. 2023, "Scaling Down, LiTting Up:
    Efficient Zero-Shot Listwise Reranking with Seq2seq Encoder-Decoder Models", section 3 (LiT5-Score). Needs a T5
    whose encoder reads passages apart.

    Attributes:
        prompt: Template name; it has to show every passage apart (`passages: apart`).
        max_tokens: The most tokens of the answer.
    """

    prompt: str = "lit5-score"
    max_tokens: int = 19

    def __post_init__(self) -> None:
        if self.max_tokens < 1:
            raise SpecError(f"attention: max_tokens should be at least 1, found {self.max_tokens}")

    def bind(
        self, judgement: type, tokenizer: Tokenizer, capabilities: Capabilities, settings: PromptSettings
    ) -> Elicitor:
        """The elicitor for `Permute`."""
        if judgement is not Permute:
            raise refuse("attention", judgement, (Permute,))
        if ReadAttention not in capabilities.lists:
            raise CapabilityError(
                "'attention' needs a T5 whose decoder's attention is told, such as hf:castorini/LiT5-Score-base; this "
                "is none"
            )
        template = load("permute", self.prompt)
        if not template.apart:
            raise TemplateError(f"template {template.name} shows no passages apart, of which attention could be read")
        return _Attention(builder_for(template, judgement, tokenizer, capabilities, settings), self.max_tokens)


@dataclass(frozen=True, slots=True)
class _Attention:
    """Elicits `Permute`."""

    builder: PromptBuilder
    max_tokens: int

    def prepare(self, judgement: Judgement) -> Request:
        query, docs = judgement.query, judgement.docs
        prompt = self.builder.build(query, docs, numbers(len(docs)), reserve=0)
        return Request(prompt, ReadAttention(self.max_tokens, len(self.builder.skipped(query))))

    def read(self, judgement: Judgement, response: Response) -> tuple[Answer | Unanswered, ParseReport]:
        return by_value(judgement.docs, response.logprobs)
