"""CQADupStack as BEIR reports it: twelve forums, each searched by itself, and the mean of their twelve means.

Ids of forums overlap, so here every id has its forum in front: `android/51829`. That every forum weighs the same
is BEIR's own rule (github.com/beir-cellar/beir, issue 9).
"""

from collections.abc import Collection as Ids
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from rerankllm.collections import irds
from rerankllm.collections.base import CacheLocation, Collection
from rerankllm.collections.documents import Documents
from rerankllm.data import Document

NAMES = ("beir/cqadupstack",)


def place(name: str) -> CacheLocation:
    """The first forum that is missing, or the folder of all."""
    forums = [irds.place(f"{name}/{forum}") for forum in irds.FORUMS]
    return next((forum for forum in forums if not forum.cached), forums[0])


@dataclass(frozen=True, slots=True)
class _Documents:
    members: Mapping[str, Documents]

    def __len__(self) -> int:
        return sum(map(len, self.members.values()))

    def __iter__(self) -> Iterator[Document]:
        for forum, documents in self.members.items():
            yield from (replace(one, doc_id=f"{forum}/{one.doc_id}") for one in documents)

    def many(self, doc_ids: Ids[str]) -> dict[str, Document]:
        wanted: dict[str, list[str]] = {}
        for doc_id in doc_ids:
            forum, _, own = doc_id.partition("/")
            wanted.setdefault(forum, []).append(own)
        found = {forum: self.members[forum].many(own) for forum, own in wanted.items() if forum in self.members}
        return {
            f"{forum}/{own}": replace(one, doc_id=f"{forum}/{own}")
            for forum, documents in found.items()
            for own, one in documents.items()
        }


def load(name: str) -> Collection:
    """Opens all twelve forums."""
    members = {forum: irds.load(f"{name}/{forum}") for forum in irds.FORUMS}
    first = members[irds.FORUMS[0]]
    return Collection(
        name=name,
        origin=first.origin.removesuffix(f"/{irds.FORUMS[0]}"),
        queries={f"{forum}/{key}": text for forum, one in members.items() for key, text in one.queries.items()},
        qrels={
            f"{forum}/{key}": {f"{forum}/{doc_id}": grade for doc_id, grade in grades.items()}
            for forum, one in members.items()
            for key, grades in one.qrels.items()
        },
        documents=_Documents({forum: one.documents for forum, one in members.items()}),
        measures=first.measures,
        excluded={
            f"{forum}/{key}": frozenset(f"{forum}/{doc_id}" for doc_id in doc_ids)
            for forum, one in members.items()
            for key, doc_ids in one.excluded.items()
        },
        excluded_because=first.excluded_because,
        members=members,
        notes=("values are means over the 12 sub-forums of the means within each",),
    )
