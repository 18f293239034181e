"""Long runs, read query by query."""

import re
import shutil
import tempfile
import weakref
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from io import BufferedReader
from pathlib import Path
from typing import IO, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from rerankllm.formats.lines import BOM, FilePath, decoded, opened
from rerankllm.formats.trec import RUN_COLUMNS, listed_again, run_line

_CHUNK = 4 << 20
_STRETCH = re.compile(rb"[^\S\n]*(\S+)[^\S\n].*\n(?:[^\S\n]*\1[^\S\n].*\n)*")
"""Lines of one query that follow one another."""


class Listed(NamedTuple):
    """One query's list in a run.

    Attributes:
        doc_ids: The documents, each once: score descending, ties in file order.
        scores: Their scores, shape (documents,); None where the run has an order only.
    """

    doc_ids: list[str]
    scores: NDArray[np.float64] | None


class _Span(NamedTuple):
    """Where some lines of a query are."""

    line: int
    start: int
    stop: int


class RunFile:
    """A TREC run of any length, of which no more than a query is held.

    The file is passed over once, to learn where each query's lines are, and read again as lists are asked for; the
    lines of a query may stand anywhere. A gzipped file, or one that cannot be read twice, is first unpacked into a
    temporary one.

    Args:
        path: The run; the rank column is not looked at.

    Raises:
        InputError: The file cannot be read, or a line has but one column.
    """

    def __init__(self, path: FilePath) -> None:
        self.path = path
        self._spans: dict[str, list[_Span]] = {}
        with opened(path) as file, ExitStack() as unfinished:
            plain = isinstance(file, BufferedReader) and file.seekable()
            self._file: IO[bytes] = Path(path).open("rb") if plain else tempfile.TemporaryFile()  # noqa: SIM115
            unfinished.enter_context(self._file)
            if not plain:
                shutil.copyfileobj(file, self._file)
            self._index()
            unfinished.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the file."""
        self._file.close()

    @property
    def query_ids(self) -> Sequence[str]:
        """The queries, in file order."""
        return list(self._spans)

    def __contains__(self, query_id: object) -> bool:
        return query_id in self._spans

    def read(self, query_id: str) -> Listed:
        """The list of one query.

        Raises:
            InputError: A line has not 6 columns, a score is no finite number, or a document is listed more than once.
        """
        spans = self._spans[query_id]
        pieces = [self._bytes(span) for span in spans]
        found = _columns(b"".join(pieces), query_id) or self._line_by_line(spans, pieces)
        doc_ids, scores = found
        if np.any(scores[1:] > scores[:-1]):
            order = np.argsort(-scores, kind="stable")
            doc_ids, scores = [doc_ids[i] for i in order], scores[order]
        return Listed(doc_ids, scores)

    def _bytes(self, span: _Span) -> bytes:
        self._file.seek(span.start)
        return self._file.read(span.stop - span.start) + b"\n"

    def _index(self) -> None:
        """Notes where each query's lines are."""
        self._file.seek(0)
        at = len(BOM) if self._file.read(len(BOM)) == BOM else 0
        self._file.seek(at)
        line, rest = 1, b""
        while chunk := self._file.read(_CHUNK):
            block, newline, rest = (rest + chunk).rpartition(b"\n")
            line, at = self._note(block + newline, line, at)
        if rest:
            self._note(rest + b"\n", line, at)

    def _note(self, block: bytes, line: int, at: int) -> tuple[int, int]:
        """Notes the queries of whole lines that start at byte `at`, and returns the line and byte that come next."""
        inside = 0
        while inside < len(block):
            match = _STRETCH.match(block, inside)
            stop = match.end() if match else block.index(b"\n", inside) + 1
            if match:
                query_id = decoded(self.path, line, match[1])
                if query_id.split() != [query_id]:  # white space that is none in bytes
                    query_id, _, _ = run_line(self.path, line, decoded(self.path, line, match[0].partition(b"\n")[0]))
                spans = self._spans.setdefault(query_id, [])
                if spans and spans[-1].stop == at + inside:
                    spans[-1] = spans[-1]._replace(stop=at + stop)
                else:
                    spans.append(_Span(line, at + inside, at + stop))
            elif block[inside:stop].strip():
                run_line(self.path, line, decoded(self.path, line, block[inside:stop]))
            line += block.count(b"\n", inside, stop)
            inside = stop
        return line, at + len(block)

    def _line_by_line(self, spans: Sequence[_Span], pieces: Sequence[bytes]) -> tuple[list[str], NDArray[np.float64]]:
        """The same as `_columns` for lines in any order and shape, with an error that says which one is wrong."""
        scores: dict[str, float] = {}
        repeated: list[str] = []
        for span, piece in zip(spans, pieces, strict=True):
            for number, raw in enumerate(piece.split(b"\n"), span.line):
                if not raw.strip():
                    continue
                query_id, doc_id, score = run_line(self.path, number, decoded(self.path, number, raw))
                if doc_id in scores:
                    repeated.append(f"{doc_id} of query {query_id} in line {number}")
                scores[doc_id] = score
        if repeated:
            raise listed_again(self.path, repeated)
        return list(scores), np.array(list(scores.values()))


class Lists(Mapping[str, list[tuple[str, float]]]):
    """A run as `rerankllm.formats.trec.read_run` returns it, of which no more than a query is held.

    Args:
        path: The run.

    Raises:
        InputError: As `RunFile`; a query's list may raise it too.
    """

    def __init__(self, path: FilePath) -> None:
        self._run = RunFile(path)
        weakref.finalize(self, self._run.close)

    def __getitem__(self, query_id: str) -> list[tuple[str, float]]:
        doc_ids, scores = self._run.read(query_id)
        return list(zip(doc_ids, [] if scores is None else scores.tolist(), strict=True))

    def __contains__(self, query_id: object) -> bool:
        return query_id in self._run

    def __iter__(self) -> Iterator[str]:
        return iter(self._run.query_ids)

    def __len__(self) -> int:
        return len(self._run.query_ids)


def _columns(lines: bytes, query_id: str) -> tuple[list[str], NDArray[np.float64]] | None:
    """Documents and scores of lines that are all as they should be; None where they may not be."""
    columns = lines.split()
    count = len(columns) // RUN_COLUMNS
    if len(columns) % RUN_COLUMNS or columns[::RUN_COLUMNS].count(query_id.encode()) != count:
        return None
    try:
        scores = np.fromiter(map(float, columns[4::RUN_COLUMNS]), np.float64, count)
        doc_ids = b" ".join(columns[2::RUN_COLUMNS]).decode().split()
    except ValueError:
        return None
    plain = len(set(doc_ids)) == len(doc_ids) == count and np.isfinite(scores).all()
    return (doc_ids, scores) if plain and lines.strip().count(b"\n") == count - 1 else None
