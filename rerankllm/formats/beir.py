"""BEIR's folder: corpus.jsonl, queries.jsonl and qrels/<split>.tsv."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from os import fspath
from pathlib import Path
from typing import Any

from rerankllm.data import Document
from rerankllm.errors import InputError
from rerankllm.formats.lines import (
    FilePath,
    excerpt_of,
    expected,
    identifier,
    parse_object,
    read_lines,
    read_objects,
    storable,
)
from rerankllm.formats.trec import add_topic

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


def read_corpus(path: FilePath, wanted: Collection[str] | None = None) -> dict[str, Document]:
    """Documents: `{"_id", "title", "text", "metadata"}` a line; title and metadata may be absent.

    Args:
        path: corpus.jsonl, plain or gzipped. It is streamed, so its size does not matter.
        wanted: Ids to keep; None for all of them.

    Returns:
        The documents by id, in file order. Fields of other names join the metadata.

    Raises:
        InputError: The file cannot be read, a line is no JSON object, has no `_id`, or, of a document that is
            kept, no `text`; or one id has two different documents.
    """
    keep = None if wanted is None else frozenset(wanted)
    corpus: dict[str, Document] = {}
    for number, record in read_objects(path):
        doc_id = identifier(path, number, "_id", record)
        if keep is not None and doc_id not in keep:
            continue
        document = document_of(path, number, doc_id, record)
        if corpus.setdefault(doc_id, document) != document:
            raise expected(path, number, "the same document again under an id seen before", excerpt_of(record))
    return corpus


def document_of(path: FilePath, number: int, doc_id: str, record: dict[str, Any]) -> Document:
    """The document of a line of corpus.jsonl.

    Raises:
        InputError: Its text is missing, or text or title are no strings.
    """
    text = record.get("text")
    title = "" if record.get("title") is None else record["title"]
    if not isinstance(text, str):
        raise expected(path, number, '"text" to be a string', excerpt_of(record))
    if not isinstance(title, str):
        raise expected(path, number, '"title" to be a string', excerpt_of(record))
    return Document(doc_id, storable(text), storable(title), _metadata(record))


def _metadata(record: dict[str, Any]) -> dict[str, Any]:
    """Everything but id, title and text; what "metadata" holds wins over a field of the same name."""
    extra = {name: value for name, value in record.items() if name not in {"_id", "title", "text"}}
    own = extra.get("metadata")
    if own is None or isinstance(own, dict):
        extra.pop("metadata", None)
    return extra | own if isinstance(own, dict) else extra


def read_queries(path: FilePath) -> dict[str, str]:
    """Query texts: `{"_id", "text"}` a line, or topics as `rerankllm.formats.trec.read_topics` reads them.

    A name ending in .jsonl or .jsonl.gz, or a first line that opens with `{`, says JSON.

    Returns:
        The text of each query id, in file order; it may be empty.

    Raises:
        InputError: The file cannot be read, a line is not of the form the first one has, or an id comes
            twice.
    """
    queries: dict[str, str] = {}
    as_json = fspath(path).endswith(_JSONL)
    for number, line in read_lines(path):
        as_json = as_json or (not queries and line.lstrip().startswith("{"))
        if as_json:
            _add_query(queries, path, number, line)
        else:
            add_topic(queries, path, number, line)
    return queries


def _add_query(queries: dict[str, str], path: FilePath, number: int, line: str) -> None:
    record = parse_object(path, number, line)
    query_id = identifier(path, number, "_id", record)
    if not isinstance(record.get("text"), str):
        raise expected(path, number, '"text" to be a string', line)
    if query_id in queries:
        raise expected(path, number, "each query id once", line)
    queries[query_id] = storable(record["text"]).strip()
