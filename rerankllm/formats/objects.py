"""What callers may hand in as query and documents, made into ours."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from rerankllm.data import Candidate, Document, Query
from rerankllm.errors import InputError

AnyDocument: TypeAlias = str | Mapping[str, Any] | Document
"""A text; a dict with `text`; or a `Document`."""


def to_query(query: str | Query) -> Query:
    """The query; raises InputError when it is empty or no text."""
    found = query if isinstance(query, Query) else Query("query", query)
    if not isinstance(found.text, str) or not found.text.strip():
        raise InputError("the query is empty" if isinstance(found.text, str) else "the query should be a text")
    return found


def to_candidates(documents: Sequence[AnyDocument]) -> list[Candidate]:
    """The candidates, in the order given; raises InputError for what cannot be one, and for ids that repeat."""
    if isinstance(documents, (str, Mapping)):
        raise InputError("documents should be a list of documents, not a single one")
    candidates = [_candidate(document, position) for position, document in enumerate(documents)]
    ids = [candidate.doc_id for candidate in candidates]
    if len(set(ids)) < len(ids):
        repeated = sorted({doc_id for doc_id in ids if ids.count(doc_id) > 1})
        raise InputError(f"{len(repeated)} document ids come more than once: {', '.join(repeated[:3])}")
    return candidates


def _candidate(document: AnyDocument, position: int) -> Candidate:
    if isinstance(document, Document):
        if not isinstance(document.doc_id, str) or not isinstance(document.text, str):
            raise InputError(f"document {position}: doc_id and text should be strings")
        return Candidate(document)
    if isinstance(document, str):
        return Candidate(Document(str(position), document))
    if not isinstance(document, Mapping) or not isinstance(document.get("text"), str):
        raise InputError(f"document {position} should be a text, a dict with 'text', or a Document")
    fields = dict(document)
    text, title, score = fields.pop("text"), fields.pop("title", None) or "", fields.pop("score", None)
    names = [name for name in ("doc_id", "id", "_id") if name in fields]
    given = fields.pop(names[0]) if names else None
    doc_id = str(position) if given is None else str(given)
    own = fields.pop("metadata", {})
    metadata = {**fields, **own} if isinstance(own, Mapping) else {**fields, "metadata": own}
    if score is not None and (isinstance(score, (str, bool)) or not math.isfinite(score)):
        raise InputError(f"document {position}: the first stage's score should be a number, found {score!r}")
    return Candidate(Document(doc_id, text, str(title), metadata), None if score is None else float(score))
