"""Vectors that were computed before, so that every text is embedded once."""

import sys
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np

ENTRY = 320
"""Bytes that an entry takes besides its text and its numbers."""
Vector: TypeAlias = np.ndarray[Any, np.dtype[np.float32]]
"""Of a text; for models of late interaction one a token."""


Role: TypeAlias = Literal["query", "document", "prompt"]
"""Models may read queries and documents differently; a prompt is read as it is."""


class Text(NamedTuple):
    """What is embedded."""

    role: Role
    text: str


class Embedded(NamedTuple):
    """A text's vector or vectors, of length 1, and the tokens it took."""

    vector: Vector
    tokens: int


class Memory:
    """Vectors by text; those not used for longest are forgotten first.

    Args:
        limit: Bytes that all texts and their vectors may take.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._bytes = 0
        self._vectors: OrderedDict[Text, Embedded] = OrderedDict()

    def __len__(self) -> int:
        return len(self._vectors)

    def get(self, text: Text) -> Embedded | None:
        """A text that was put in and is not forgotten."""
        if text in self._vectors:
            self._vectors.move_to_end(text)
        return self._vectors.get(text)

    def put(self, text: Text, embedded: Embedded) -> None:
        """Remembers a text's vector and its tokens."""
        if text not in self._vectors:
            self._vectors[text] = embedded
            self._bytes += _size(text, embedded)
        while self._bytes > self._limit:
            self._bytes -= _size(*self._vectors.popitem(last=False))


def _size(text: Text, embedded: Embedded) -> int:
    """Bytes of an entry; a text may be much longer than what of it is read."""
    return sys.getsizeof(text.text) + embedded.vector.nbytes + ENTRY


def unit(rows: Sequence[Sequence[float]]) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    """The rows, scaled to length 1, in float32; a row of zeros stays one."""
    array = np.asarray(rows, dtype=np.float64)
    lengths = np.linalg.norm(array, axis=1, keepdims=True)
    return (array / np.where(lengths == 0, 1, lengths)).astype(np.float32)
