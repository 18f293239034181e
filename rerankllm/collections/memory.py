"""Documents of small collections, held in memory."""

from collections.abc import Collection as Ids
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from rerankllm.data import Document


@dataclass(frozen=True, slots=True)
class Held:
    """A corpus small enough to be held as a whole."""

    documents: Mapping[str, Document]

    def __len__(self) -> int:
        return len(self.documents)

    def __iter__(self) -> Iterator[Document]:
        yield from self.documents.values()

    def many(self, doc_ids: Ids[str]) -> dict[str, Document]:
        return {doc_id: self.documents[doc_id] for doc_id in doc_ids if doc_id in self.documents}
