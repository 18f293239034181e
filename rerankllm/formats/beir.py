"""BEIR's folder: corpus.jsonl, queries.jsonl and qrels/<split>.tsv."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from os import fspath
from pathlib import Path
from typing import Any

from rerankllm.data import Document
from rerankllm.errors import InputError
from rerankllm.formats.columns import Columns
from rerankllm.formats.lines import FilePath, excerpt_of, expected, identifier, storable
from rerankllm.formats.tables import read_rows

_JSONL = (".jsonl", ".jsonl.gz")
_TSV = (".tsv", ".tsv.gz")


@dataclass(frozen=True, slots=True)
class BeirFolder:
    """Where the parts of a BEIR folder lie.

    Attributes:
        corpus: For `read_corpus`.
        queries: For `read_queries`.
        qrels: For `rerankllm.formats.trec.read_qrels`, by split; empty where the folder has none.
    """

    corpus: Path
    queries: Path
    qrels: Mapping[str, Path]

    def split(self, name: str) -> Path:
        """The qrels of one split.

        Raises:
            InputError: There is no such split; the message says which there are.
        """
        if name not in self.qrels:
            there = f"it has {', '.join(self.qrels)}" if self.qrels else "it has none"
            raise InputError(f"{self.corpus.parent}: no qrels/{name}.tsv; {there}")
        return self.qrels[name]


def read_folder(path: FilePath) -> BeirFolder:
    """Finds the files of a BEIR folder, each plain or gzipped; nothing is read yet.

    Raises:
        InputError: It is no folder, or has no corpus or no queries.
    """
    folder = Path(path)
    if not folder.is_dir():
        state = "is a file" if folder.is_file() else "no such folder"
        raise InputError(f"{fspath(path)}: {state}; expected a folder with corpus.jsonl and queries.jsonl")
    qrels = {
        file.name.removesuffix(suffix): file
        for suffix in reversed(_TSV)
        for file in sorted(folder.glob(f"qrels/*{suffix}"))
    }
    return BeirFolder(_part(folder, "corpus"), _part(folder, "queries"), dict(sorted(qrels.items())))


def _part(folder: Path, name: str) -> Path:
    names = [name + suffix for suffix in _JSONL]
    for candidate in names:
        if (folder / candidate).is_file():
            return folder / candidate
    there = sorted(file.name for file in folder.iterdir())
    raise InputError(
        f"{folder}: looked for {' or '.join(names)}, which a BEIR folder has beside qrels/<split>.tsv; "
        f"found {', '.join(there[:5]) + (', …' if there[5:] else '') or 'nothing'}"
    )


def read_corpus(
    path: FilePath, wanted: Collection[str] | None = None, columns: Columns | None = None
) -> dict[str, Document]:
    """Documents: BEIR's `{"_id", "title", "text", "metadata"}` a line, or another table of them.

    Args:
        path: corpus.jsonl, or CSV, TSV, JSON or Parquet, as `rerankllm.formats.tables.read_rows` reads them. It is
            streamed, so its size does not matter. Titles and metadata may be absent.
        wanted: Ids to keep; None for all of them.
        columns: Which column is which; those of usual names when None.

    Returns:
        The documents by id, in file order. Fields of other names join the metadata.

    Raises:
        InputError: The file cannot be read, a row has no id, or, of a document that is kept, no text; or one id has two
            different documents.
        MissingExtra: It is Parquet, and pyarrow is not installed.
    """
    keep = None if wanted is None else frozenset(wanted)
    columns = columns or Columns()
    corpus: dict[str, Document] = {}
    for number, record in read_rows(path, columns, ("id", "text"), "jsonl"):
        doc_id = id_of(path, number, record, columns)
        if keep is not None and doc_id not in keep:
            continue
        document = document_of(path, number, record, columns)
        if corpus.setdefault(doc_id, document) != document:
            raise expected(path, number, "the same document again under an id seen before", excerpt_of(record))
    return corpus


def id_of(path: FilePath, number: int, record: Mapping[str, Any], columns: Columns, field: str = "id") -> str:
    """The id of a row.

    Args:
        path: The file.
        number: The line.
        record: The values by column.
        columns: Which column is which.
        field: `id` or `query_id`.

    Raises:
        InputError: There is no such column, or it is empty here.
    """
    return identifier(path, number, columns.need(field, record, f"{fspath(path)}:{number}"), record)


def document_of(path: FilePath, number: int, record: Mapping[str, Any], columns: Columns) -> Document:
    """The document of a row.

    Raises:
        InputError: Its id or its text is missing, or text or title are no strings.
    """
    doc_id = id_of(path, number, record, columns)
    text_name, title_name = columns.need("text", record, f"{fspath(path)}:{number}"), columns.find("title", record)
    text, title = record[text_name], record[title_name] if title_name is not None else None
    if not isinstance(text, str):
        raise expected(path, number, f'"{text_name}" to be a string', excerpt_of(record))
    if title is not None and not isinstance(title, str):
        raise expected(path, number, f'"{title_name}" to be a string', excerpt_of(record))
    own = {columns.find("id", record), text_name, title_name}
    return Document(doc_id, storable(text), storable(title or ""), _metadata(record, own))


def _metadata(record: Mapping[str, Any], own: Collection[str | None]) -> dict[str, Any]:
    """Everything but id, title and text; what "metadata" holds wins over a field of the same name."""
    extra = {name: value for name, value in record.items() if name not in own}
    held = extra.get("metadata")
    if held is None or isinstance(held, dict):
        extra.pop("metadata", None)
    return extra | held if isinstance(held, dict) else extra


def read_queries(path: FilePath, columns: Columns | None = None) -> dict[str, str]:
    """Query texts: `{"_id", "text"}` a line, `qid<TAB>text` a line, or another table of them.

    Args:
        path: JSON lines, TSV with or without a header, CSV, JSON or Parquet.
        columns: Which column is which (`query_id`, `query`); those of usual names when None.

    Returns:
        The text of each query id, in file order; it may be empty.

    Raises:
        InputError: The file cannot be read, a row has no id or no text, or an id comes twice.
        MissingExtra: It is Parquet, and pyarrow is not installed.
    """
    columns = columns or Columns()
    queries: dict[str, str] = {}
    for number, record in read_rows(path, columns, ("query_id", "query"), "tsv"):
        query_id = id_of(path, number, record, columns, "query_id")
        name = columns.need("query", record, f"{fspath(path)}:{number}")
        if not isinstance(record[name], str):
            raise expected(path, number, f'"{name}" to be a string', excerpt_of(record))
        if query_id in queries:
            raise expected(path, number, "each query id once", excerpt_of(record))
        queries[query_id] = storable(record[name]).strip()
    return queries
