"""A published model's prompt: one text, tokenized whole, its documents cut until it fits."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import chain
from typing import Any

from rerankllm.calls import Tokenizer
from rerankllm.data import Document
from rerankllm.elicitation.harmless import without_control_tokens
from rerankllm.elicitation.template import SEAM, Form, Piece
from rerankllm.elicitation.treatment import Cut
from rerankllm.errors import TemplateError

FEWEST_TOKENS = 16
"""A passage is never cut below this to make a prompt fit; the prompt is refused instead."""
_TRIES = 8
_CACHED = 50_000
_RECENT = 256


@dataclass(frozen=True)
class WholeText:
    """Fills a rendered template with texts as the model's authors treat them.

    Nothing in a text can act as a control token: one spelled out in it gets a space after its first character.

    Attributes:
        form: How the prompt is put together.
        tokenizer: The backend's.
        context: Tokens that prompt and answer may have together; None for any number.
        passage_tokens: Cut of every passage instead of the form's; None for the form's.
        host: Whether the prompt goes out as text, which a host searches for control tokens.
    """

    form: Form
    tokenizer: Tokenizer
    context: int | None = None
    passage_tokens: int | None = None
    host: bool = False

    def fill(
        self,
        skeleton: Sequence[Sequence[Piece]],
        texts: dict[str, str],
        docs: Sequence[Document],
        reserve: int,
    ) -> list[str]:
        """The texts that a rendered template's messages become.

        Args:
            skeleton: The messages in pieces.
            texts: The query and the instruction.
            docs: The documents, in the order shown.
            reserve: Tokens to leave for the answer.

        Raises:
            TemplateError: It does not fit, however short the documents are cut.
        """
        given = {"query": self._query(texts["query"]), "instruction": self._harmless(texts["instruction"])}
        limit = min((size for size in (self.context, self.form.whole) if size is not None), default=None)
        limit = None if limit is None else limit - reserve
        shown, size = [self.passage(doc) for doc in docs], 0
        for _ in range(_TRIES):
            filled = ["".join(_text(piece, given, shown) for piece in message) for message in skeleton]
            if limit is None:
                return filled
            size = sum(len(self.ids(text)) for text in filled)
            if size <= limit:
                return filled
            lengths = [len(self._plain(text)) for text in shown]
            cut = common_cut(lengths, sum(lengths) - (size - limit))
            if cut < FEWEST_TOKENS:
                break
            shown = [self._first(text, cut) for text in shown]
        raise TemplateError(
            f"{len(docs)} passages do not fit {limit} tokens ({size} in the prompt): less than {FEWEST_TOKENS} tokens "
            "would be left of each; show fewer documents at a time"
        )

    def ids(self, text: str) -> tuple[int, ...]:
        """The tokens of a text with seams, BOS first where the tokenizer has one and the text does not."""
        found = tuple(chain.from_iterable(self._segment(part) for part in text.split(SEAM) if part))
        bos = self.tokenizer.bos
        return found if found[: len(bos)] == bos else (*bos, *found)

    @cached_property
    def _segment(self) -> Any:
        """The tokens of a text as the tokenizer has them where it is given nothing else."""
        whole = getattr(self.tokenizer, "whole", None)
        return lru_cache(maxsize=_RECENT)(whole or (lambda text: self.tokenizer.encode(text, special=True)))

    @cached_property
    def _plain(self) -> Any:
        return lru_cache(maxsize=_CACHED)(self.tokenizer.encode)

    @cached_property
    def passage(self) -> Any:
        """A document's text as it is shown, before it is cut to fit."""
        treatment = self.form.treatment
        own = treatment.passage_cut
        cut = own if self.passage_tokens is None else Cut(self.passage_tokens, "tokens")

        def make(doc: Document) -> str:
            text = self._harmless(treatment.document(doc, cut=self.passage_tokens is None))
            return self._first(text, cut.length) if cut and cut.unit == "tokens" else text

        return lru_cache(maxsize=_CACHED)(make)

    def _query(self, query: str) -> str:
        cut, text = self.form.treatment.query_cut, self._harmless(self.form.treatment.asked(query))
        return self._first(text, cut.length) if cut and cut.unit == "tokens" else text

    def _first(self, text: str, tokens: int) -> str:
        """A text, or its first so many tokens."""
        ids = self._plain(text)
        return text if len(ids) <= tokens else self.tokenizer.decode(ids[:tokens])

    def _harmless(self, text: str) -> str:
        text = text.replace(SEAM, "")
        text = without_control_tokens(text) if self.host else text
        harmless = getattr(self.tokenizer, "harmless", None)
        return str(harmless(text)) if harmless else text


def _text(piece: Piece, given: dict[str, str], shown: Sequence[str]) -> str:
    if isinstance(piece, str):
        return piece
    return piece.lead + (shown[piece.index] if piece.kind == "doc" else given[piece.kind])


def common_cut(lengths: Sequence[int], room: int) -> int:
    """The largest c with Σ min(length, c) ≤ room."""
    remaining = room
    ordered = sorted(lengths)
    for position, length in enumerate(ordered):
        left = len(ordered) - position
        if length * left > remaining:
            return remaining // left
        remaining -= length
    return max(lengths, default=0)
