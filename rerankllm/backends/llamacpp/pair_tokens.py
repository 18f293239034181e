"""The tokens that a GGUF file's head reads for a query and a document."""

from rerankllm.backends.llamacpp.model import told
from rerankllm.backends.llamacpp.pooled import PooledEngine
from rerankllm.backends.llamacpp.tokenizer import LlamaTokenizer
from rerankllm.backends.pairs import PairTexts
from rerankllm.calls import CallFailed
from rerankllm.data import Document
from rerankllm.errors import InputError

TEMPLATE = "tokenizer.chat_template.rerank"
Ids = tuple[int, ...]


class PairTokens:
    """Makes one row of tokens of a query and a document, no longer than the model takes.

    A card's own text comes first, then the file's template, then a pair as the tokenizer puts it together.

    Args:
        engine: The model.
        tokenizer: The model's.
        texts: What the model was trained to read.

    Raises:
        InputError: Nothing says how query and document are put together.
    """

    def __init__(self, engine: PooledEngine, tokenizer: LlamaTokenizer, texts: PairTexts) -> None:
        self._room = engine.room
        self._tokenizer = tokenizer
        self._texts = texts
        self._template = "" if texts.own else told(engine.lib, engine.model, TEMPLATE)
        one = bool(texts.card and texts.card.pair and texts.card.pair.one)
        if not (tokenizer.between or self._template or one):
            raise InputError(
                f"{tokenizer.name}: neither a template nor the tokenizer of this file says how query and passage are "
                "put together"
            )

    def of(self, query: str, doc: Document) -> Ids | CallFailed:
        """The tokens; the end of what is too long is cut off, in a pair that of the longer text first."""
        texts = self._shown(query, doc)
        return self._pair(*texts) if len(texts) > 1 else self._one(query, doc)

    def _shown(self, query: str, doc: Document) -> tuple[str, ...]:
        """The texts, or the one that the file's template makes of them."""
        texts = self._texts.of(query, doc)
        if not self._template:
            return texts
        query, document = map(self._tokenizer.harmless, texts)
        asked, place, rest = self._template.partition("{document}")
        return (asked.replace("{query}", query) + (document if place else "") + rest.replace("{query}", query),)

    def _pair(self, query: str, document: str) -> Ids:
        before, after = self._tokenizer.around
        between = self._tokenizer.between
        first, second = self._tokenizer.encode(query), self._tokenizer.encode(document)
        room = max(self._room - len(before) - len(between) - len(after), 0)
        second = second[: max(room - len(first), room // 2)]
        return (before + first[: room - len(second)] + between + second + after)[: self._room]

    def _one(self, query: str, doc: Document) -> Ids | CallFailed:
        before, after = ((), ()) if self._template else self._tokenizer.around
        passage = self._tokenizer.encode(doc.text)
        while True:
            (text,) = self._shown(query, doc)
            ids = before + self._tokenizer.whole(text) + after
            over = len(ids) - self._room
            if over <= 0:
                return ids
            if not passage:
                return CallFailed(f"the query and what is put around it take more than {self._room} tokens")
            passage = passage[: max(len(passage) - over, 0)]
            doc = Document(doc.doc_id, self._tokenizer.decode(passage).rstrip("\ufffd"), doc.title)
