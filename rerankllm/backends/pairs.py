"""What a model with a scoring head is shown for a query and a document."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from rerankllm.data import Document
from rerankllm.elicitation import cards


class Cutter(Protocol):
    """What a tokenizer does for texts."""

    def encode(self, text: str, /) -> tuple[int, ...]:
        """Token ids, control tokens as plain text."""
        ...

    def decode(self, ids: Sequence[int], /) -> str:
        """The text of these ids."""
        ...

    def harmless(self, text: str, /) -> str:
        """A text in which control tokens are none."""
        ...


@dataclass(frozen=True, slots=True)
class PairTexts:
    """Makes the texts that a head scores: those of a published model's card, else query and document as they are.

    Attributes:
        card: The model's card; None where none names it.
        tokenizer: The model's.
    """

    card: cards.Card | None
    tokenizer: Cutter

    @property
    def own(self) -> bool:
        """Whether the card says what the texts are, prefixes and chat format included."""
        return self.card is not None and self.card.pair is not None

    def of(self, query: str, doc: Document) -> tuple[str, ...]:
        """Two texts, or one.

        A published model without a card for its head gets plain pairs, which its own configuration puts into a prompt.
        """
        if self.card is None:
            return query, doc.content
        safe = Document(doc.doc_id, self.tokenizer.harmless(doc.text), self.tokenizer.harmless(doc.title))
        cut = self.card.treatment.query_cut
        if cut and cut.unit == "tokens" and len(ids := self.tokenizer.encode(query)) > cut.length:
            query = self.tokenizer.decode(ids[: cut.length])
        return self.card.texts(self.tokenizer.harmless(query), safe)
