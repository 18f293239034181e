"""Documents out of records: the rows of a table, of a frame, or dicts."""

import math
from collections.abc import Iterable, Mapping, Sequence
from os import fspath
from typing import Any

from rerankllm.data import Candidate, Document
from rerankllm.errors import InputError
from rerankllm.formats.columns import Columns
from rerankllm.formats.lines import FilePath, some, storable
from rerankllm.formats.tables import read_rows


def read_documents(
    path: FilePath, columns: Mapping[str, str] | Columns | None = None, *, skip_missing: bool = False
) -> list[Candidate]:
    """Reads a list of documents: CSV, TSV, JSON, JSON lines, Parquet, or a text a line.

    Args:
        path: The file; all but Parquet may be gzipped, and `-` is stdin.
        columns: Column names by field (`text`, `id`, `title`, `score`); the others are found by their usual names.
        skip_missing: Leave out rows without a text instead of refusing the file.

    Returns:
        The documents in file order, with the first stage's score where there is one. Those without an id are called by
        their position, from "0"; columns of other names are their metadata.

    Raises:
        InputError: The file cannot be read, has no column of texts, or a row has no text; the message says which line.
        MissingExtra: It is Parquet, and pyarrow is not installed.
    """
    given = Columns.of(columns)
    candidates: list[Candidate] = []
    for number, record in read_rows(path, given, ("id", "text"), "lines"):
        where = f"{fspath(path)}:{number}"
        if _blank(record, given):
            if skip_missing:
                continue
            given.need("text", record, where)
            raise InputError(f"{where}: the text is empty; write one, or leave out such rows with --skip-missing")
        candidates.append(candidate_of(record, len(candidates), where, given))
    return distinct(candidates)


def _blank(record: Mapping[str, Any], columns: Columns) -> bool:
    names = (columns.find("text", record), columns.find("title", record))
    return all(name is None or record[name] is None or not str(record[name]).strip() for name in names)


def candidate_of(record: Mapping[str, Any], position: int, where: str, columns: Columns) -> Candidate:
    """The document of a record, with its first-stage score where there is one.

    Args:
        record: Its values by column.
        position: Its place in the list: its id, if it has none.
        where: Where it is from, for errors.
        columns: Which column is which.

    Raises:
        InputError: It has no text, or its score is no number.
    """
    fields = dict(record)
    text = fields.pop(columns.need("text", fields, where))
    title, score, given = (fields.pop(columns.find(name, fields) or "", None) for name in ("title", "score", "id"))
    if text is None and title:
        text = ""
    if not isinstance(text, str):
        raise InputError(f"{where}: expected a text, found {text!r}; leave it out, or make it a text")
    own = fields.pop("metadata", {})
    metadata = {**fields, **own} if isinstance(own, Mapping) else {**fields, "metadata": own}
    doc_id = str(position) if given is None or given == "" else _identifier(given)
    document = Document(doc_id, storable(text), storable("" if title is None else str(title)), metadata)
    return Candidate(document, _score(score, where))


def _identifier(value: Any) -> str:
    """An id as a text; whole numbers have no decimal point, which a column gets by a value that is missing."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else storable(str(value))


def _score(value: Any, where: str) -> float | None:
    if value is None or value == "":
        return None
    try:
        score = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        score = math.nan
    if not math.isfinite(score):
        raise InputError(f"{where}: the first stage's score should be a number, found {value!r}")
    return score


def distinct(candidates: Sequence[Candidate]) -> list[Candidate]:
    """The candidates; raises InputError where two have the same id."""
    seen, repeated = set[str](), dict[str, None]()
    for candidate in candidates:
        if candidate.doc_id in seen:
            repeated[candidate.doc_id] = None
        seen.add(candidate.doc_id)
    if repeated:
        raise InputError(f"{len(repeated)} document ids come more than once: {some(sorted(repeated))}")
    return list(candidates)


def from_records(records: Iterable[Mapping[str, Any]], columns: Columns) -> list[Candidate]:
    """The documents of a frame's rows."""
    found = [candidate_of(record, place, f"row {place}", columns) for place, record in enumerate(records)]
    return distinct(found)
