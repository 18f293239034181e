"""The tokens that a model of late interaction is shown for a text, and which of them are compared."""

from typing import Any, NamedTuple

import numpy as np

from rerankllm.backends.hub_tokenizer import HubTokenizer
from rerankllm.backends.late_interaction.late_format import LateFormat

Vectors = np.ndarray[tuple[int, int], np.dtype[np.float32]]
"""A vector of length 1 for each token that is compared."""


class Row(NamedTuple):
    """A text's tokens.

    Attributes:
        ids: All of them.
        seen: How many of them, from the first on, the others see.
        compared: The places of those that are compared.
    """

    ids: tuple[int, ...]
    seen: int
    compared: tuple[int, ...]


class LateTokens:
    """Makes rows of tokens of queries and passages.

    Args:
        form: How the model reads texts.
        tokenizer: The model's.
        name: What it is called, for messages.
        context: Tokens that it takes.
    """

    def __init__(self, form: LateFormat, tokenizer: Any, name: str, context: int) -> None:
        self._form, self._tokenizer = form, tokenizer
        self._texts = HubTokenizer(tokenizer, name)
        self._context = context
        self._added, self._words = tokenizer.get_added_vocab(), tokenizer.get_vocab()
        self._query, self._document = self._split(form.query), self._split(form.document)
        ids = (self._words.get(word) for word in form.skipped)
        self._skipped = {found for found in ids if found is not None and found != tokenizer.unk_token_id}

    @property
    def harmless(self) -> Any:
        """What makes of control tokens in a text plain text."""
        return self._texts.harmless

    def query(self, text: str) -> Row:
        """A query, filled up where the model was trained so."""
        form = self._form
        ids = self._ids(text, self._query, form.query_length)
        wanted = min(form.filled, self._context)
        filling = (self._filling(),) * max(wanted - len(ids), 0) if wanted else ()
        kept = self._kept(ids) if form.queries_too else range(len(ids))
        places = (*kept, *range(len(ids), len(ids) + len(filling)))
        return Row((*ids, *filling), len(ids) + (len(filling) if form.attended else 0), places)

    def document(self, text: str) -> Row:
        """A passage."""
        ids = self._ids(text, self._document, self._form.document_length)
        return Row(ids, len(ids), tuple(self._kept(ids)))

    def room(self, *, query: bool) -> int:
        """Tokens that a text may have besides what is put around it."""
        marker, before = self._query if query else self._document
        most = self._most(self._form.query_length if query else self._form.document_length)
        around = len(self._texts.bos) + len(self._texts.eos) + len(self._texts.encode(before))
        return most - around - (marker is not None)

    def ends(self, text: str) -> list[int]:
        """Where each token of a text ends, in characters."""
        read = self._tokenizer(text, add_special_tokens=False, return_offsets_mapping=True, verbose=False)
        return [end for _, end in read["offset_mapping"]]

    def _kept(self, ids: tuple[int, ...]) -> list[int]:
        return [place for place, token in enumerate(ids) if token not in self._skipped]

    def _most(self, length: int | None) -> int:
        return min(length or self._context, self._context)

    def _filling(self) -> int:
        tokenizer, token = self._tokenizer, self._form.filling
        if token is not None:
            return int(tokenizer.convert_tokens_to_ids(token))
        return int(tokenizer.eos_token_id if tokenizer.mask_token_id is None else tokenizer.mask_token_id)

    def _ids(self, text: str, before: tuple[int | None, str], length: int | None) -> tuple[int, ...]:
        """The tokens of a text, cut at its end, with a marker behind what the tokenizer starts texts with."""
        marker, words = before
        text = self._texts.harmless(text.encode("utf-8", "replace").decode())
        most = self._most(length) - (marker is not None)
        shown = words + (text.lower() if self._form.lower else text)
        ids: list[int] = self._tokenizer(shown, truncation=True, max_length=most, verbose=False)["input_ids"]
        start = len(self._texts.bos)
        return (*ids[:start], *(() if marker is None else (marker,)), *ids[start:])

    def _split(self, before: str) -> tuple[int | None, str]:
        """What stands before a text: a token of its own, if it begins with one, and the words behind that."""
        whole = [token for token in self._added if token.strip() and before.startswith(token)]
        first = next(iter(before.split()), "")
        known = max(whole, key=len, default=first if first in self._words else "")
        return (self._words[known], before.removeprefix(known).lstrip()) if known else (None, before)


class LateTexts:
    """What every engine for such a model tells of texts, by the tokens it makes of them."""

    _tokens: LateTokens

    def room(self, role: str) -> int:
        """Tokens that a text may have, besides what is put around it."""
        return self._tokens.room(query=role == "query")

    def ends(self, text: str) -> list[int]:
        """Where each token of a text ends, in characters."""
        return self._tokens.ends(text)

    def harmless(self, text: str) -> str:
        """A text in which control tokens are spelled with a space, and so are none."""
        return str(self._tokens.harmless(text))

    def _row(self, role: str, text: str) -> Row:
        return self._tokens.query(text) if role == "query" else self._tokens.document(text)


def similarity(query: Vectors, document: Vectors, *, mean: bool = False) -> float:
    """MaxSim: the similarity of each of a query's tokens to the passage's token that is most like it, summed.

    Khattab and Zaharia 2020, "ColBERT: efficient and effective passage search via contextualized late interaction over
    BERT", section 3.3.

    Args:
        query: Of shape (tokens, dimensions).
        document: The same. A passage without tokens is like no token at all.
        mean: Whether to take the mean instead of the sum.
    """
    if not len(query) or not len(document):
        return 0.0
    best = (query @ document.T).max(axis=1)
    return float(best.mean() if mean else best.sum())
