"""What is embedded: queries, documents, and a query with the documents found for it as one text that fits the model."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from rerankllm.backends.embed.memory import Role, Text
from rerankllm.data import Document, Query
from rerankllm.elicitation import cards
from rerankllm.elicitation.labels import numbers
from rerankllm.elicitation.template import filled, pieces
from rerankllm.elicitation.templates import load
from rerankllm.elicitation.treatment import Treatment
from rerankllm.elicitation.whole import FEWEST_TOKENS, common_cut
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
    """Makes the texts that are embedded, as a published model's card has them; else as they are.

    A query with documents is shown by the card's prompt, or by the plain one, which is read as a query.

    Args:
        names: What the model is called.
        measure: Its tokens.
    """

    def __init__(self, names: Sequence[str], measure: Measure) -> None:
        card = cards.find(names)
        self._card = card if card is not None and card.vectors is not None else None
        self.named = self._card is not None
        self.template = self._card.template("embed") if self._card else load("embed", PLAIN)
        self._role: Role = "prompt" if self.named else "query"
        self._measure = measure

    def query(self, query: Query) -> Text:
        """A query by itself."""
        if self._card is None or self._card.vectors is None:
            return Text("query", query.text)
        asked = self._measure.harmless(self._card.treatment.asked(query.text))
        return self._ended(filled(self._card.vectors.query, query=asked))

    def document(self, doc: Document) -> Text:
        """A document."""
        if self._card is None:
            return Text("document", doc.content)
        return self._ended(self._measure.harmless(self._card.treatment.document(doc)))

    def _ended(self, text: str) -> Text:
        """A text with what the model was trained to read last, which is never cut off."""
        end = self._card.vectors.end if self._card and self._card.vectors else ""
        room = self._measure.room("prompt")
        return Text("prompt", (text if room is None else self._cut(text, room - len(self._measure.ends(end)))) + end)

    def prompt(self, query: Query, docs: Sequence[Document]) -> Prompted:
        """The query with as many of the documents as fit, each cut to the template's length, or all to a shorter one.

        Raises:
            TemplateError: Not even the first document fits beside the query.
        """
        treatment = self._card.treatment if self._card else Treatment(spaces="fold")
        texts = [self._measure.harmless(treatment.document(doc)) for doc in docs]
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
