"""What a corpus is: streamed, or asked for single documents."""

from collections.abc import Collection as Ids
from collections.abc import Iterator
from typing import Protocol

from rerankllm.data import Document


class Documents(Protocol):
    """A corpus that is never held as a whole: it is streamed, or asked for single documents."""

    def __len__(self) -> int:
        """How many there are."""

    def __iter__(self) -> Iterator[Document]:
        """All of them, in the source's order."""

    def many(self, doc_ids: Ids[str]) -> dict[str, Document]:
        """Those of these ids that exist."""
