"""A query and the documents found for it, as one text to embed that fits the model."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from rerankllm.backends.embed.memory import Role, Text
from rerankllm.data import Document, Query
from rerankllm.elicitation import cards
from rerankllm.elicitation.labels import numbers
from rerankllm.elicitation.prompts import FEWEST_TOKENS, common_cut
from rerankllm.elicitation.template import escape, pieces
from rerankllm.elicitation.templates import load
from rerankllm.errors import TemplateError

PLAIN = "feedback"
"""The template for models without one of their own."""


class Measure(Protocol):
    """What a text means to a model."""

    def room(self, role: Role) -> int | None:
        """Tokens that a text may have; None where unknown."""
        ...

    def ends(self, text: str) -> Sequence[int]:
        """Where each token of a text ends, in characters."""
        ...

    def harmless(self, text: str) -> str:
        """A text without control tokens."""
        ...


class Prompted(NamedTuple):
    """A text to embed, and how many of its documents are not whole or not in it."""

    text: Text
    cut: int = 0
    left_out: int = 0


class Feedback:
    """Makes prompts by the template that names the model as its own, else by the plain one, which is read as a query.

    Args:
        model: The model's name.
        measure: Its tokens.
    """

    def __init__(self, model: str, measure: Measure) -> None:
        card = cards.find([model])
        self.named = card is not None and "embed" in card.prompts
        self.template = card.template("embed") if card is not None and self.named else load("embed", PLAIN)
        self._role: Role = "prompt" if self.named else "query"
        self._measure = measure

    def prompt(self, query: Query, docs: Sequence[Document]) -> Prompted:
        """The query with as many of the documents as fit, each cut to the template's length, or all to a shorter one.

        Raises:
            TemplateError: Not even the first document fits beside the query.
        """
        texts = [self._measure.harmless(escape(doc.content)) for doc in docs]
        passages = [self._cut(text, self.template.passage_tokens) for text in texts]
        room = self._measure.room(self._role)
        for shown in range(len(docs), 0, -1):
            fitted = self._fitted(query, passages[:shown], room)
            if fitted is not None:
                cut = sum(short != text for short, text in zip(fitted, texts[:shown], strict=True))
                return Prompted(Text(self._role, self._filled(query, fitted)), cut, len(docs) - shown)
        raise TemplateError(f"the query and a document do not fit a context of {room} tokens; use embed")

    def _fitted(self, query: Query, passages: Sequence[str], room: int | None) -> Sequence[str] | None:
        """The passages, all cut to the same length where they are too long; None where too little is left of them."""
        total = len(self._measure.ends(self._filled(query, passages)))
        if room is None or total <= room:
            return passages
        lengths = [len(self._measure.ends(passage)) for passage in passages]
        for tokens in range(common_cut(lengths, room - total + sum(lengths)), FEWEST_TOKENS - 1, -1):
            shorter = [self._cut(passage, tokens) for passage in passages]
            if len(self._measure.ends(self._filled(query, shorter))) <= room:
                return shorter
        return None

    def _filled(self, query: Query, passages: Sequence[str]) -> str:
        (message,) = self.template.render(numbers(len(passages)), instruction=False)
        asked = self._measure.harmless(query.text)
        return "".join(
            piece if isinstance(piece, str) else piece.lead + (passages[piece.index] if piece.kind == "doc" else asked)
            for piece in pieces(message.content)
        )

    def _cut(self, text: str, tokens: int) -> str:
        """The first so many tokens of a text."""
        ends = self._measure.ends(text)
        return text if len(ends) <= tokens else text[: ends[tokens - 1]]
