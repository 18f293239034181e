"""The recordings of a real judge, as judgements with their answers."""

import gzip
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from rerankllm.backends.direct import DirectBackend
from rerankllm.calls import Reply
from rerankllm.data import Document, Query
from rerankllm.formats import recordings
from rerankllm.formats.recordings import from_record
from rerankllm.judgements import Answer, Judgement, Permute, Unanswered
from rerankllm.spec.model import ModelSpec

Answered: TypeAlias = tuple[Judgement, Answer]
ByQuery: TypeAlias = Mapping[str, list[Answered]]
Records: TypeAlias = list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Recorded:
    """The recordings of one judge on one collection.

    Attributes:
        folder: Where they lie.
        collection: The collection's name.
    """

    folder: Path
    collection: str

    @property
    def name(self) -> str:
        """What the judge is called."""
        return self.folder.name

    def path(self, name: str) -> Path:
        """The file of one set of questions."""
        return self.folder / f"{self.collection}-{name}.jsonl.gz"

    def cost(self, name: str) -> Mapping[str, Any]:
        """What recording a set took."""
        found: Mapping[str, Any] = json.loads((self.folder / "costs.json").read_text())[self.path(name).name]
        return found

    def records(self, name: str) -> Records:
        """The judgements of one set, with their answers; none where it was not recorded."""
        return self._lines(name)[1:] if self.path(name).is_file() else []

    def cut(self, name: str) -> int:
        """The tokens that passages were cut to."""
        return int(next(iter(self._lines(name)[0]["judges"].values()))["passage_tokens"])

    def answered(self, name: str) -> ByQuery:
        """What was answered to what, by query; without what could not be read."""
        found: dict[str, list[Answered]] = defaultdict(list)
        for record in self.records(name):
            judgement = judgement_of(record)
            answer, *_ = from_record(record, judgement)
            if not isinstance(answer, Unanswered):
                found[record["query_id"]].append((judgement, answer))
        return found

    def _lines(self, name: str) -> Records:
        return [json.loads(line) for line in gzip.decompress(self.path(name).read_bytes()).decode().splitlines()]


def judgement_of(record: Mapping[str, Any]) -> Judgement:
    """The judgement of a record, with its ids for texts."""
    query = Query(record["query_id"], record["query_id"])
    return recordings.judgement_of(record, query, [Document(doc_id, doc_id) for doc_id, _ in record["docs"]])


def windows(path: Path) -> ByQuery:
    """Raw answers to windows as they are published (`../shared/data/rankvicuna-…`), read as `recorded:` reads them."""
    judge: DirectBackend = ModelSpec.parse(f"recorded:{path}").load()
    found: dict[str, list[Answered]] = defaultdict(list)
    for judgement in _shown(path):
        reply = judge.answer(judgement)
        if isinstance(reply, Reply) and not isinstance(reply.answer, Unanswered):
            found[judgement.query.query_id].append((judgement, reply.answer))
    return found


def _shown(path: Path) -> Iterator[Judgement]:
    for line in path.read_text(encoding="utf-8").splitlines():
        record = json.loads(line)
        docs = tuple(Document(str(doc_id), str(doc_id)) for doc_id in record["doc_ids"])
        yield Permute(Query(str(record["query_id"]), str(record["query_id"])), docs)
