"""The queries that questions about a judge are asked on."""

from collections.abc import Sequence
from typing import TypeAlias

from rerankllm.data import Candidate, Query
from rerankllm.errors import InputError
from rerankllm.formats.objects import AnyDocument, to_candidates, to_query
from rerankllm.runs.source import Source

Queries: TypeAlias = Source | Sequence[tuple[str | Query, Sequence[AnyDocument | Candidate]]]
"""What `read_source` read; or queries with their documents, best first, as `Reranker.rerank` takes them."""


def as_source(queries: Queries) -> Source:
    """The queries as a source; a query that is a plain text has its place as its id, from `"0"`.

    Raises:
        InputError: There is no query, two share an id, or a query or document cannot be one.
    """
    if isinstance(queries, Source):
        return queries
    found = [
        (to_query(Query(str(place), query) if isinstance(query, str) else query), _candidates(documents))
        for place, (query, documents) in enumerate(queries)
    ]
    ids = [query.query_id for query, _ in found]
    if not found or len(set(ids)) < len(ids):
        raise InputError("two queries share an id" if found else "there is no query")
    return Source(found, None)


def _candidates(documents: Sequence[AnyDocument | Candidate]) -> Sequence[Candidate]:
    """The documents as candidates, as they are where they are candidates already."""
    candidates = [each for each in documents if isinstance(each, Candidate)]
    if candidates and len(candidates) == len(documents):
        return candidates
    return to_candidates([each.document if isinstance(each, Candidate) else each for each in documents])
