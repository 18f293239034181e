"""Queries on their way to workers and back: shards, numbered as they are read, and what waits until its turn."""

import os
import pickle
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeAlias

from rerankllm import errors
from rerankllm.data import Candidate, Query
from rerankllm.drivers.events import QueryOutcome
from rerankllm.errors import BackendError, RerankError

if TYPE_CHECKING:
    import pyarrow as pa
    from ray.data import Datasource

LARGEST = 64
"""Queries in a shard, once there are many."""
SHARE = 64
"""Of what was read so far, a shard holds at most so small a part of a worker's share. A worker holds several shards
at a time, and all together are to be a small part too: else the last of them are spread unevenly."""

Work: TypeAlias = tuple[Query, Sequence[Candidate]]
Read: TypeAlias = tuple[Any, Iterable[Work]]
"""What there is to say before the queries, and the queries."""


@dataclass(frozen=True, slots=True)
class Head:
    """What was said before the queries."""

    said: Any


@dataclass(frozen=True, slots=True)
class Queries:
    """A shard."""

    works: Sequence[Work]


@dataclass(frozen=True, slots=True)
class Ranked:
    """What became of a shard: outcomes, and each query's doc ids as they came in."""

    outcomes: Sequence[tuple[QueryOutcome, Sequence[str]]]
    facts: Any


@dataclass(frozen=True, slots=True)
class Problem:
    """Why nothing goes on, by the name of the error and in its words."""

    kind: str
    message: str

    @classmethod
    def of(cls, error: RerankError) -> Self:
        """That of an error."""
        return cls(type(error).__name__, str(error))

    def error(self) -> RerankError:
        """The error again, or the nearest that can be made of a message alone."""
        known = getattr(errors, self.kind, BackendError)
        return known(self.message) if known is not errors.QueryFailed else BackendError(self.message)


@dataclass(frozen=True, slots=True)
class End:
    """After the last query."""


Content: TypeAlias = Head | Queries | Ranked | Problem | End


def table(number: int, content: Content) -> "pa.Table":
    """A row of the flow: the number of the shard and what it is."""
    import pyarrow as pa  # noqa: PLC0415

    payload = pa.array([pickle.dumps(content, protocol=pickle.HIGHEST_PROTOCOL)], pa.large_binary())
    return pa.table({"number": pa.array([number], pa.int64()), "content": payload})


def rows(found: "pa.Table") -> list[tuple[int, Content]]:
    """The rows again."""
    return [
        (number, pickle.loads(content))  # noqa: S301  # of our own workers
        for number, content in zip(found["number"].to_pylist(), found["content"].to_pylist(), strict=True)
    ]


def cut(read: Callable[[], Read], workers: int) -> Iterator[Content]:
    """What is read, in shards that grow with what came before; a file that is no good ends it with a `Problem`."""
    works: list[Work] = []
    seen = 0
    try:
        said, queries = read()
        yield Head(said)
        for query, candidates in queries:
            works.append((query, list(candidates)))  # which may be read as they are looked at, from a file
            seen += 1
            if len(works) >= min(LARGEST, max(1, seen // (SHARE * workers))):
                yield Queries(works)
                works = []
    except RerankError as error:
        yield Problem.of(error)
        return
    if works:
        yield Queries(works)
    yield End()


def source(read: Callable[[], Read], workers: int, folder: str) -> "Datasource":
    """What Ray Data reads: one task beside the command, in whose folder it runs, that reads as others keep up."""
    import pyarrow as pa  # noqa: PLC0415
    from ray.data import Datasource, ReadTask  # noqa: PLC0415
    from ray.data.block import BlockMetadata  # noqa: PLC0415

    def tables() -> Iterator[pa.Table]:
        os.chdir(folder)
        for number, content in enumerate(cut(read, workers)):
            yield table(number, content)

    class Source(Datasource):  # type: ignore[misc]
        supports_distributed_reads = False  # on the command's own node

        def estimate_inmemory_data_size(self) -> None:
            return None

        def get_read_tasks(self, *_: Any, **__: Any) -> list[ReadTask]:
            unknown = BlockMetadata(num_rows=None, size_bytes=None, exec_stats=None, input_files=None)
            return [ReadTask(tables, unknown)]

    return Source()


class Spool:
    """Hands shards out in the order they were read; those that come back early wait on disk.

    A context manager.
    """

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="rerankllm-"))
        self._next = 0
        self._waiting: set[int] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def waiting(self) -> int:
        """How many wait for others that have not come."""
        return len(self._waiting)

    def put(self, number: int, content: Content) -> Iterator[Content]:
        """Takes one in, and yields what may go out now."""
        if number != self._next:
            (self._folder / str(number)).write_bytes(pickle.dumps(content, protocol=pickle.HIGHEST_PROTOCOL))
            self._waiting.add(number)
            return
        yield content
        self._next += 1
        while self._next in self._waiting:
            self._waiting.discard(self._next)
            file = self._folder / str(self._next)
            yield pickle.loads(file.read_bytes())  # noqa: S301  # written above
            file.unlink()
            self._next += 1
