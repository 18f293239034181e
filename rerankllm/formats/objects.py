"""What callers may hand in as query and documents, made into ours."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol, TypeAlias

from rerankllm.data import Candidate, Document, Query
from rerankllm.errors import InputError
from rerankllm.formats.columns import Columns
from rerankllm.formats.documents import candidate_of, distinct, from_records, read_documents
from rerankllm.formats.frames import rows_of
from rerankllm.formats.lines import storable


class Frame(Protocol):
    """A pandas or polars DataFrame, a pyarrow Table, or a Dataset of `datasets`."""

    def __len__(self) -> int: ...


AnyDocument: TypeAlias = str | Mapping[str, Any] | Document | Candidate
"""A text; a dict with `text`; a `Document`; or a `Candidate`, which has a first-stage score."""
AnyDocuments: TypeAlias = Sequence[AnyDocument] | Iterable[AnyDocument] | Frame | Path
"""A list of documents; a table (pandas, polars, pyarrow, `datasets`); or the path of a file with a table."""


def to_query(query: str | Query) -> Query:
    """The query, with `?` for lone surrogates; raises InputError when it is empty or no text."""
    found = query if isinstance(query, Query) else Query("query", query)
    if not isinstance(found.text, str) or not found.text.strip():
        raise InputError("the query is empty" if isinstance(found.text, str) else "the query should be a text")
    text = storable(found.text)
    return found if text == found.text else replace(found, text=text)


def to_candidates(documents: AnyDocuments, columns: Mapping[str, str] | Columns | None = None) -> list[Candidate]:
    """The candidates, in the order given, with `?` for lone surrogates in their texts.

    Args:
        documents: A list of texts, dicts, `Document`s or `Candidate`s; a table; or the path of a file.
        columns: Names of columns, or keys, by field (`text`, `id`, `title`, `score`); the others are found by their
            usual names.

    Raises:
        InputError: One of them cannot be a document, two have the same id, or there is no text.
    """
    given = Columns.of(columns)
    if isinstance(documents, Path):
        return read_documents(documents, given)
    rows = rows_of(documents)
    if rows is not None:
        return from_records(rows, given)
    if isinstance(documents, (str, Mapping)):
        what = " (for a file, give a pathlib.Path)" if isinstance(documents, str) else ""
        raise InputError(f"documents should be a list of documents, not a single one{what}")
    if not isinstance(documents, Iterable):
        raise InputError(f"documents should be a list or a table, found a {type(documents).__name__}")
    return distinct([_candidate(document, position, given) for position, document in enumerate(documents)])


def _candidate(document: AnyDocument, position: int, columns: Columns) -> Candidate:
    if isinstance(document, Candidate):
        return replace(document, document=_repaired(document.document, position))
    if isinstance(document, Document):
        return Candidate(_repaired(document, position))
    if isinstance(document, str):
        return Candidate(Document(str(position), storable(document)))
    if not isinstance(document, Mapping):
        raise InputError(f"document {position} should be a text, a dict with 'text', or a Document")
    return candidate_of(document, position, f"document {position}", columns)


def _repaired(document: Document, position: int) -> Document:
    if not isinstance(document.doc_id, str) or not isinstance(document.text, str):
        raise InputError(f"document {position}: doc_id and text should be strings")
    text, title = storable(document.text), storable(document.title)
    return document if (text, title) == (document.text, document.title) else replace(document, text=text, title=title)
