"""`recorded:FILE`: answers that some model once gave, read again."""

import functools
import json
from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TypeAlias

from rerankllm.backends.direct import DirectBackend
from rerankllm.calls import CallFailed, Capabilities, Reply, Response
from rerankllm.data import Document, Query
from rerankllm.elicitation.labels import numbers
from rerankllm.elicitation.text import read_order
from rerankllm.errors import InputError
from rerankllm.files import digest
from rerankllm.formats import recordings
from rerankllm.formats.lines import expected, read_lines, some
from rerankllm.formats.recordings import Header, Key, Record, hash_of
from rerankllm.judgements import Judgement, Permute

Heard: TypeAlias = tuple[Judgement, Reply]


class Recorded(DirectBackend):
    """Answers recorded earlier (docs/recordings.md), or raw answers to windows as others publish them.

    Raw answers are JSONL of `query_id`, `doc_ids` (the window, in order) and `response`. They are answers to `Permute`
    and go through the same parser as a live model's, with numbers from 1 as labels.

    A judgement that was not recorded is a failed call that says what is missing, never a guess: so a strategy that
    asks anything else shows at once. What was heard more than once with different answers is heard again in that order.

    Args:
        name: Path of the file, which may be gzipped.
    """

    def __init__(self, *, name: str) -> None:
        self.model = f"recorded:{name}"
        self._name = name
        found = recordings.read(name)
        self._records: _Records | _Windows = _Windows(name) if found is None else _Records(*found)
        self.default_strategy = self._records.strategy
        self.capabilities = Capabilities(answers=self._records.kinds, fixed=True)
        if not self.capabilities.answers:
            raise InputError(f"{name} holds no recorded answers")

    @functools.cached_property
    def revision(self) -> str:
        """SHA-256 of the file."""
        return digest(Path(self._name))

    @property
    def strategies(self) -> tuple[str, ...]:
        """Specs of what asked."""
        return self._records.strategies

    def heard(self, kinds: Container[type], query: Query, docs: Iterable[Document]) -> Iterator[Heard]:
        """What it holds of some kinds about a query and no other documents than these, as often as it was answered."""
        return self._records.heard(kinds, query, {doc.doc_id: doc for doc in docs})

    def answer(self, judgement: Judgement) -> Reply | CallFailed:
        """The recorded answer to exactly this judgement."""
        found = self._records.answer(judgement)
        return CallFailed(f"{self.model} {found}") if isinstance(found, str) else found


class _Records:
    """A recording of any judgements."""

    def __init__(self, header: Header, records: dict[Key, list[Record]]) -> None:
        self._header = header
        self._records = records
        self._asked: Counter[Key] = Counter()
        self.kinds = frozenset(recordings.KINDS[kind] for kind, *_ in records)
        self.strategies = header.strategies
        self.strategy = header.strategies[0] if len(header.strategies) == 1 else "sliding"

    def heard(self, kinds: Container[type], query: Query, docs: Mapping[str, Document]) -> Iterator[Heard]:
        """All of some kinds; texts have to be the same."""
        asked = query.query_id, hash_of(query.text)
        texts = {doc_id: hash_of(doc.content) for doc_id, doc in docs.items()}
        for (kind, *known, shown, _), records in self._records.items():
            told = tuple(known) == asked and all(texts.get(doc_id) == text for doc_id, text in shown)
            for record in records if told and recordings.KINDS[kind] in kinds else ():
                judgement = recordings.judgement_of(record, query, [docs[doc_id] for doc_id, _ in shown])
                yield judgement, Reply(*recordings.from_record(record, judgement))

    def answer(self, judgement: Judgement) -> Reply | str:
        """The answer, or why there is none."""
        key = recordings.key_of(judgement)
        heard = self._records.get(key)
        if heard is None:
            return self._why_not(key)
        self._asked[key] += len(heard) > 1
        return Reply(*recordings.from_record(heard[(self._asked[key] - 1) % len(heard)], judgement))

    def _why_not(self, key: Key) -> str:
        kind, query_id, query, docs, rest = key
        ids = [doc_id for doc_id, _ in docs]
        own = [other for other in self._records if other[1] == query_id]
        if not own:
            return f"holds nothing about query {query_id}: it was recorded for other queries"
        if all(other[2] != query for other in own):
            return f"holds query {query_id} with another text: it was recorded for other queries"
        known = {doc_id: text for other in own for doc_id, text in other[3]}
        changed = [doc_id for doc_id, text in docs if known.get(doc_id, text) != text]
        if changed:
            return f"holds document {some(changed)} with another text: it was recorded with another corpus"
        asked = f"{kind} of query {query_id} for {len(ids)} documents ({some(ids)})"
        if any((other[0], other[3]) == (kind, docs) for other in own):
            return f"holds {asked}, but not with {rest}"
        turned = any(other[0] == kind and sorted(other[3]) == sorted(docs) for other in own)
        found = f"holds {asked} in another order only" if turned else f"holds no {asked}"
        return f"{found}: it was recorded with {' or '.join(self._header.strategies) or 'another strategy'}"


class _Windows:
    """Raw answers to windows."""

    kinds: frozenset[type]
    strategy = "sliding"
    strategies = (strategy,)

    def __init__(self, name: str) -> None:
        self._responses: dict[tuple[str, tuple[str, ...]], str] = {}
        for number, line in read_lines(name):
            try:
                record = json.loads(line)
                window = (str(record["query_id"]), tuple(map(str, record["doc_ids"])))
                self._responses[window] = str(record["response"])
            except (ValueError, KeyError, TypeError):
                raise expected(name, number, "JSON with query_id, doc_ids and response", line) from None
        self.kinds = frozenset({Permute} if self._responses else ())

    def heard(self, kinds: Container[type], query: Query, docs: Mapping[str, Document]) -> Iterator[Heard]:
        """All windows of these documents."""
        for (query_id, ids), response in self._responses.items():
            if Permute in kinds and query_id == query.query_id and all(doc_id in docs for doc_id in ids):
                judgement = Permute(query, tuple(docs[doc_id] for doc_id in ids))
                yield judgement, Reply(*read_order(Response(response), judgement, numbers(len(ids))))

    def answer(self, judgement: Judgement) -> Reply | str:
        """The answer, or why there is none."""
        if not isinstance(judgement, Permute):
            return f"answers Permute only, not {type(judgement).__name__}"
        ids = tuple(doc.doc_id for doc in judgement.docs)
        response = self._responses.get((judgement.query.query_id, ids))
        if response is None:
            return (
                f"holds no answer of query {judgement.query.query_id} for the window of {len(ids)} documents that "
                f"starts with {ids[0]}: it was recorded with another strategy, window or depth"
            )
        return Reply(*read_order(Response(response), judgement, numbers(len(ids))))
