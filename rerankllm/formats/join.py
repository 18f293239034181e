"""A run, the query texts and the documents, joined into what gets reranked."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias, overload

from rerankllm.data import Candidate, Document, Query
from rerankllm.errors import InputError
from rerankllm.formats.lines import some

Entries: TypeAlias = Sequence[tuple[str, float]]


@dataclass(frozen=True, slots=True)
class Candidates(Sequence[Candidate]):
    """A query's candidates, made when they are looked at: the corpus may be a file.

    Attributes:
        entries: Their (doc_id, score) pairs, all in the corpus.
        corpus: Documents by id.
    """

    entries: Entries
    corpus: Mapping[str, Document]

    def __len__(self) -> int:
        return len(self.entries)

    @overload
    def __getitem__(self, index: int) -> Candidate: ...

    @overload
    def __getitem__(self, index: slice) -> list[Candidate]: ...

    def __getitem__(self, index: int | slice) -> Candidate | list[Candidate]:
        if isinstance(index, slice):
            return [Candidate(self.corpus[doc_id], score) for doc_id, score in self.entries[index]]
        doc_id, score = self.entries[index]
        return Candidate(self.corpus[doc_id], score)


def ids_of(candidates: Sequence[Candidate]) -> list[str]:
    """Their documents' ids, no text being read for them."""
    if isinstance(candidates, Candidates):
        return [doc_id for doc_id, _ in candidates.entries]
    return [candidate.doc_id for candidate in candidates]


@dataclass(frozen=True, slots=True)
class Queries(Sequence[tuple[Query, Candidates]]):
    """Queries with their candidates, put together when they are looked at: run and corpus may be files.

    Attributes:
        query_ids: Those that have a text and candidates.
        run: The (doc_id, score) pairs of each, best first.
        topics: Their texts.
        corpus: Documents by id.
        complete: Whether it has every document of the run; the others are left out.
    """

    query_ids: Sequence[str]
    run: Mapping[str, Entries]
    topics: Mapping[str, str]
    corpus: Mapping[str, Document]
    complete: bool = True

    def __len__(self) -> int:
        return len(self.query_ids)

    @overload
    def __getitem__(self, index: int) -> tuple[Query, Candidates]: ...

    @overload
    def __getitem__(self, index: slice) -> list[tuple[Query, Candidates]]: ...

    def __getitem__(self, index: int | slice) -> tuple[Query, Candidates] | list[tuple[Query, Candidates]]:
        if isinstance(index, slice):
            return [self._one(query_id) for query_id in self.query_ids[index]]
        return self._one(self.query_ids[index])

    def _one(self, query_id: str) -> tuple[Query, Candidates]:
        entries = self.run[query_id]
        if not self.complete:
            entries = [entry for entry in entries if entry[0] in self.corpus]
        return Query(query_id, self.topics[query_id]), Candidates(entries, self.corpus)


@dataclass(frozen=True, slots=True)
class Joined:
    """What is to be reranked.

    Attributes:
        queries: Each query of the run, in its order, with all its candidates in theirs.
        skipped_queries: Ids left out: no text, no candidates, or none of them in the corpus.
        skipped_documents: How many different documents, of queries that have a text, were left out because
            the corpus lacks them.
    """

    queries: Queries
    skipped_queries: tuple[str, ...]
    skipped_documents: int


def join(
    run: Mapping[str, Entries],
    topics: Mapping[str, str],
    corpus: Mapping[str, Document],
    *,
    skip_missing: bool,
) -> Joined:
    """Gives every entry of a run its texts.

    Args:
        run: For each query id the (doc_id, score) pairs, best first.
        topics: Query texts by id; those the run does not name are not looked at.
        corpus: Documents by id.
        skip_missing: Leave out what has no text instead of refusing the input.

    Raises:
        InputError: A query's text is empty; or, unless `skip_missing`, a query has no text or a document is
            not in the corpus.
    """
    asked = _with_text(run, topics, skip_missing=skip_missing)
    missing, kept = dict[str, None](), list[str]()
    for query_id in asked:
        entries = run[query_id]
        absent = [doc_id for doc_id, _ in entries if doc_id not in corpus]
        missing |= dict.fromkeys(absent)
        if len(absent) < len(entries):
            kept.append(query_id)
    if missing and not skip_missing:
        wanted = {doc_id for query_id in asked for doc_id, _ in run[query_id]}
        raise InputError(_refusal(list(missing), len(wanted), "documents", "in the corpus"))
    left = frozenset(kept)
    return Joined(
        queries=Queries(kept, run, topics, corpus, complete=not missing),
        skipped_queries=tuple(query_id for query_id in run if query_id not in left),
        skipped_documents=len(missing),
    )


def _with_text(run: Iterable[str], topics: Mapping[str, str], *, skip_missing: bool) -> list[str]:
    query_ids = list(run)
    empty = [query_id for query_id in query_ids if query_id in topics and not topics[query_id].strip()]
    if empty:
        noun = "queries" if len(empty) > 1 else "query"
        raise InputError(
            f"{len(empty)} {noun} of the run with an empty text ({some(empty)}); write one, or remove the "
            f"{noun} from the run"
        )
    missing = [query_id for query_id in query_ids if query_id not in topics]
    if missing and not skip_missing:
        raise InputError(_refusal(missing, len(query_ids), "queries", "among the query texts"))
    return [query_id for query_id in query_ids if query_id in topics]


def _refusal(missing: Sequence[str], total: int, things: str, where: str) -> str:
    return (
        f"{len(missing)} of the run's {total} {things} not found {where} ({some(missing)}); "
        "check that the files belong together, or leave them out with --skip-missing"
    )
