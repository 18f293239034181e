"""A run, the query texts and the documents, joined into what gets reranked."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from rerankllm.data import Candidate, Document, Query
from rerankllm.errors import InputError
from rerankllm.formats.lines import some


@dataclass(frozen=True, slots=True)
class Joined:
    """What is to be reranked.

    Attributes:
        queries: Each query of the run, in its order, with all its candidates in theirs.
        skipped_queries: Ids left out: no text, no candidates, or none of them in the corpus.
        skipped_documents: How many different documents, of queries that have a text, were left out because
            the corpus lacks them.
    """

    queries: list[tuple[Query, list[Candidate]]]
    skipped_queries: tuple[str, ...]
    skipped_documents: int


def join(
    run: Mapping[str, Sequence[tuple[str, float]]],
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
    wanted = {doc_id: None for query_id in asked for doc_id, _ in run[query_id]}
    missing = [doc_id for doc_id in wanted if doc_id not in corpus]
    if missing and not skip_missing:
        raise InputError(_refusal(missing, len(wanted), "documents", "in the corpus"))
    joined = {
        query_id: [Candidate(corpus[doc_id], score) for doc_id, score in run[query_id] if doc_id in corpus]
        for query_id in asked
    }
    return Joined(
        queries=[
            (Query(query_id, topics[query_id]), candidates) for query_id, candidates in joined.items() if candidates
        ],
        skipped_queries=tuple(query_id for query_id in run if not joined.get(query_id)),
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
