"""Large corpora, read document by document."""

import shutil
import tempfile
import weakref
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from io import BufferedReader
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from rerankllm.data import Document
from rerankllm.formats.beir import document_of, id_of
from rerankllm.formats.columns import Columns
from rerankllm.formats.lines import BOM, FilePath, decoded, excerpt_of, expected, opened, parse_object

_MASK = 2**64 - 1


class CorpusFile(Mapping[str, Document]):
    """Documents of a BEIR corpus, of which none is held: 20 bytes for each that is wanted say where it is.

    The file is passed over once, which checks every line, and read again as documents are asked for. A gzipped file,
    or one that cannot be read twice, is first unpacked into a temporary one.

    Args:
        path: corpus.jsonl, as `rerankllm.formats.beir.read_corpus` takes it.
        wanted: Ids to keep.
        columns: Which field is which; those of usual names when None.

    Raises:
        InputError: As `read_corpus`.
    """

    def __init__(self, path: FilePath, wanted: Iterable[str], columns: Columns | None = None) -> None:
        self._path, self._columns = path, columns or Columns()
        self._keys = _distinct(np.fromiter(map(_key, wanted), np.uint64))
        self._sorted = self._keys.data
        self._starts = np.full(len(self._keys), -1, np.int64)
        self._sizes = np.zeros(len(self._keys), np.uint32)
        self._namesakes: dict[str, tuple[int, int]] = {}  # other ids of the same key
        with opened(path) as file, ExitStack() as unfinished:
            plain = isinstance(file, BufferedReader) and file.seekable()
            self._file: IO[bytes] = Path(path).open("rb") if plain else tempfile.TemporaryFile()  # noqa: SIM115
            unfinished.enter_context(self._file)
            if not plain:
                shutil.copyfileobj(file, self._file)
            self._index()
            unfinished.pop_all()
        weakref.finalize(self, self._file.close)

    def __getitem__(self, doc_id: str) -> Document:
        where = self._namesakes.get(doc_id) or self._where(doc_id)
        if where is None:
            raise KeyError(doc_id)
        document = self._read(where)
        if document.doc_id != doc_id:
            raise KeyError(doc_id)
        return document

    def __contains__(self, doc_id: object) -> bool:
        """Told by the 64 bits that an id is found by: the document itself is not read."""
        return isinstance(doc_id, str) and self._where(doc_id) is not None

    def __iter__(self) -> Iterator[str]:
        for place in np.argsort(self._starts, kind="stable"):
            if self._starts[place] >= 0:
                yield self._read((int(self._starts[place]), int(self._sizes[place]))).doc_id
        yield from self._namesakes

    def __len__(self) -> int:
        return int((self._starts >= 0).sum()) + len(self._namesakes)

    def _place(self, doc_id: str) -> int | None:
        """Where an id would stand among those wanted; None where it is none of them."""
        key = _key(doc_id)
        place = bisect_left(self._sorted, key)
        return place if place < len(self._sorted) and self._sorted[place] == key else None

    def _where(self, doc_id: str) -> tuple[int, int] | None:
        place = self._place(doc_id)
        found = place is not None and self._starts[place] >= 0
        return (int(self._starts[place]), int(self._sizes[place])) if found else None

    def _read(self, where: tuple[int, int]) -> Document:
        start, size = where
        self._file.seek(start)
        return self._parsed(0, self._file.read(size))

    def _parsed(self, number: int, line: bytes) -> Document:
        record = parse_object(self._path, number, decoded(self._path, number, line))
        return document_of(self._path, number, record, self._columns)

    def _index(self) -> None:
        """Notes where each document is that is wanted."""
        self._file.seek(0)
        at = len(BOM) if self._file.read(len(BOM)) == BOM else 0
        self._file.seek(at)
        for number, line in enumerate(self._file, 1):
            text = decoded(self._path, number, line)
            if text.strip():
                self._note(number, parse_object(self._path, number, text), (at, len(line)))
            at += len(line)

    def _note(self, number: int, record: dict[str, Any], where: tuple[int, int]) -> None:
        doc_id = id_of(self._path, number, record, self._columns)
        place = self._place(doc_id)
        if place is None:
            return
        document = document_of(self._path, number, record, self._columns)
        if self._starts[place] < 0:
            self._starts[place], self._sizes[place] = where
            return
        before = self.get(doc_id)
        self._file.seek(sum(where))
        if before is None:
            self._namesakes[doc_id] = where
        elif before != document:
            raise expected(self._path, number, "the same document again under an id seen before", excerpt_of(record))


def _key(doc_id: str) -> int:
    """64 bits of an id, the same as long as this process runs."""
    return hash(doc_id) & _MASK


def _distinct(keys: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The keys in order, each once: as `np.unique`, which copies them twice, and there may be millions."""
    keys.sort()
    again = keys[1:] == keys[:-1]
    return np.delete(keys, np.flatnonzero(again)) if again.any() else keys
