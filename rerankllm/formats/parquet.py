"""Queries with their candidates as Parquet: a row each of `query_id`, `query` and `candidates`."""

import importlib.util
import math
from collections.abc import Iterator, Mapping
from os import fspath
from pathlib import Path
from typing import Any

from rerankllm.data import Candidate, Document, Query
from rerankllm.errors import InputError, MissingExtra
from rerankllm.formats.columns import Columns, shown
from rerankllm.formats.lines import FilePath, expected, storable

COLUMNS = ("query_id", "query", "candidates")
_NAMES = Columns()
TOGETHER = 64
"""Rows read at a time."""


def is_parquet(path: FilePath) -> bool:
    """Whether a path is a Parquet file, or a folder of such."""
    path = Path(path)
    return path.suffix == ".parquet" or (path.is_dir() and any(path.glob("*.parquet")))


def read_requests(path: FilePath) -> Iterator[tuple[Query, list[Candidate]]]:
    """Queries with their candidates, a row group at a time at most.

    Args:
        path: A file, or a folder whose `*.parquet` are read in the order of their names.

    Yields:
        Each query in file order, with its candidates by score descending, ties in the order given; where none of them
        has a score, in the order given. See `request_of` for the columns.

    Raises:
        InputError: A file cannot be read, lacks a column, has a row of another shape, or a query comes twice.
        MissingExtra: pyarrow is not installed.
    """
    if importlib.util.find_spec("pyarrow") is None:
        raise MissingExtra(f"{fspath(path)} is Parquet, which needs pyarrow: pip install 'rerankllm[tables]'")
    import pyarrow as pa  # noqa: PLC0415
    import pyarrow.parquet as pq  # noqa: PLC0415

    seen: set[str] = set()
    for file in sorted(Path(path).glob("*.parquet")) if Path(path).is_dir() else [Path(path)]:
        number = 0
        try:
            with pq.ParquetFile(file) as opened:
                there = opened.schema_arrow.names
                names = [_NAMES.need(field, there, str(file)) for field in ("query_id", "query")]
                if COLUMNS[2] not in there:
                    raise InputError(f"{file}: expected a column `{COLUMNS[2]}`, yours has {shown(there)}")
                for batch in opened.iter_batches(TOGETHER, columns=[*names, COLUMNS[2]]):
                    for row in batch.to_pylist():
                        number += 1
                        query, candidates = request_of(row, file, number)
                        if query.query_id in seen:
                            raise expected(file, number, "each query_id once", query.query_id)
                        seen.add(query.query_id)
                        yield query, candidates
        except (OSError, pa.ArrowException) as error:
            raise InputError(f"{file}: cannot be read as Parquet ({str(error).splitlines()[0]})") from None


def request_of(row: Mapping[str, Any], path: FilePath, number: int) -> tuple[Query, list[Candidate]]:
    """A query with its candidates.

    Args:
        row: `query_id`, a text or a whole number; `query`; and `candidates`, structs with `doc_id`, `text`, and, if
            wanted, `title` and `score`, or what else `rerankllm.formats.columns` knows these by. Their other fields
            become the document's metadata.
        path: Where it is from.
        number: Which row that is, from 1.

    Raises:
        InputError: It has another shape, a text is empty, only some candidates have a score, or a document comes twice.
    """
    query_id = _identifier(_field(row, "query_id"), "query_id", path, number)
    text, found = _field(row, "query"), row.get("candidates")
    if not isinstance(text, str) or not text.strip():
        raise expected(path, number, f"the text of query {query_id} not to be empty", repr(text))
    if not isinstance(found, list):
        raise expected(path, number, "candidates to be a list of structs", repr(found))
    candidates = [_candidate(each, path, number) for each in found]
    if len({candidate.doc_id for candidate in candidates}) < len(candidates):
        raise expected(path, number, f"each doc_id once among the candidates of query {query_id}", "some twice")
    unscored = sum(candidate.score is None for candidate in candidates)
    if 0 < unscored < len(candidates):
        what = f"a score for all candidates of query {query_id} or for none"
        raise expected(path, number, what, f"{unscored} of {len(candidates)} without")
    ordered = candidates if unscored else sorted(candidates, key=lambda candidate: -(candidate.score or 0.0))
    return Query(query_id, storable(text)), ordered


def _candidate(found: Any, path: FilePath, number: int) -> Candidate:
    if not isinstance(found, Mapping):
        raise expected(path, number, "a candidate to be a struct with doc_id and text", repr(found))
    fields = dict(found)
    given, text, title, score = (
        fields.pop(_NAMES.find(name, fields) or name, None) for name in ("id", "text", "title", "score")
    )
    doc_id, title = _identifier(given, "doc_id", path, number), title or ""
    if not isinstance(text, str) or not isinstance(title, str) or not (text.strip() or title.strip()):
        raise expected(path, number, f"a text of candidate {doc_id}", repr(text))
    if score is not None and (
        not isinstance(score, int | float) or isinstance(score, bool) or not math.isfinite(score)
    ):
        raise expected(path, number, f"a finite number as score of candidate {doc_id}", repr(score))
    document = Document(doc_id, storable(text), storable(title), fields)
    return Candidate(document, None if score is None else float(score))


def _field(row: Mapping[str, Any], name: str) -> Any:
    return row.get(_NAMES.find(name, row) or name)


def _identifier(value: Any, name: str, path: FilePath, number: int) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, str) and value and storable(value) == value:
        return value
    raise expected(fspath(path), number, f"{name} to be a text or a whole number", repr(value))
