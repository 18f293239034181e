"""Queries with candidates of any number, which wait on disk until they are looked at."""

import pickle
import tempfile
import weakref
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, overload

from rerankllm.data import Candidate, Document, Query
from rerankllm.errors import InputError


class Spilled(Sequence[tuple[Query, Sequence[Candidate]]]):
    """Queries of which only their texts are held, whatever they were read from; the candidates are in a temporary file.

    Args:
        queries: All are read at once, so what is wrong with any of them is met here.

    Raises:
        InputError: There is no room for the temporary file, or what reading them raises.
    """

    def __init__(self, queries: Iterable[tuple[Query, Sequence[Candidate]]]) -> None:
        self._queries: list[Query] = []
        self._places: list[tuple[int, int]] = []  # the byte that its candidates begin at, and how many there are
        self._file = tempfile.TemporaryFile()  # noqa: SIM115
        weakref.finalize(self, self._file.close)
        for query, candidates in queries:
            self._queries.append(query)
            self._places.append((self._file.tell(), len(candidates)))
            self._write(candidates)

    def __len__(self) -> int:
        return len(self._queries)

    @overload
    def __getitem__(self, index: int) -> tuple[Query, "Waiting"]: ...

    @overload
    def __getitem__(self, index: slice) -> list[tuple[Query, "Waiting"]]: ...

    def __getitem__(self, index: int | slice) -> tuple[Query, "Waiting"] | list[tuple[Query, "Waiting"]]:
        if isinstance(index, slice):
            return [self[place] for place in range(len(self))[index]]
        return self._queries[index], Waiting(self, *self._places[index])

    def read(self, start: int) -> list[Candidate]:
        """The candidates that begin at a byte of the file."""
        self._file.seek(start)
        found: list[tuple[Any, ...]] = pickle.load(self._file)  # noqa: S301  # written below
        return [Candidate(Document(*fields), score) for *fields, score in found]

    def _write(self, candidates: Sequence[Candidate]) -> None:
        documents = [(candidate.document, candidate.score) for candidate in candidates]
        fields = [(one.doc_id, one.text, one.title, one.metadata, score) for one, score in documents]
        try:
            pickle.dump(fields, self._file, protocol=pickle.HIGHEST_PROTOCOL)
        except OSError as error:
            raise InputError(
                f"{tempfile.gettempdir()}: candidates cannot be kept there until they are ranked "
                f"({error.strerror or error}); set TMPDIR to a folder with room"
            ) from None


@dataclass(frozen=True, slots=True)
class Waiting(Sequence[Candidate]):
    """A query's candidates, all read each time they are looked at.

    Attributes:
        store: Where they are.
        start: The byte they begin at.
        length: How many there are.
    """

    store: Spilled
    start: int
    length: int

    def __len__(self) -> int:
        return self.length

    @overload
    def __getitem__(self, index: int) -> Candidate: ...

    @overload
    def __getitem__(self, index: slice) -> list[Candidate]: ...

    def __getitem__(self, index: int | slice) -> Candidate | list[Candidate]:
        return self.store.read(self.start)[index]

    def __iter__(self) -> Iterator[Candidate]:
        return iter(self.store.read(self.start))
