"""Queries on their way to workers and back, in numbered shards that are put in order again."""

import os
import pickle
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeAlias

from rerankllm.data import Candidate, Query
from rerankllm.drivers.events import QueryOutcome
from rerankllm.errors import BackendError, QueryFailed, RerankError

if TYPE_CHECKING:
    import pyarrow as pa
    from ray.data import Datasource

LARGEST = 64
"""Queries in a shard, once there are many."""
SHARE = 64
"""A shard holds at most this fraction of what a worker's share of the queries read so far is. A worker holds several
shards at a time, and these together should be a small part too: otherwise the last shards are spread unevenly."""

Work: TypeAlias = tuple[Query, Sequence[Candidate]]
Read: TypeAlias = tuple[Any, Iterable[Work]]
"""What is known before the first query, and the queries."""


@dataclass(frozen=True, slots=True)
class Head:
    """What is known before the first query."""

    said: Any


@dataclass(frozen=True, slots=True)
class Shard:
    """Queries to be ranked."""

    works: Sequence[Work]


@dataclass(frozen=True, slots=True)
class RankedShard:
    """The outcomes of a shard's queries, each with the query's doc ids in the order they came in."""

    outcomes: Sequence[tuple[QueryOutcome, Sequence[str]]]
    facts: Any


@dataclass(frozen=True, slots=True)
class FlowError:
    """An error that ends the run, as the name of its class and its message, so that it can be sent."""

    kind: str
    message: str

    @classmethod
    def of(cls, error: RerankError) -> Self:
        """The error as data."""
        return cls(type(error).__name__, str(error))

    def error(self) -> RerankError:
        """The error again; a `BackendError` for a class that is not known or that takes more than a message."""
        known = {each.__name__: each for each in _all_below(RerankError) if each is not QueryFailed}
        return known.get(self.kind, BackendError)(self.message)


@dataclass(frozen=True, slots=True)
class End:
    """After the last query."""


Content: TypeAlias = Head | Shard | RankedShard | FlowError | End


def _all_below(error: type[RerankError]) -> Iterator[type[RerankError]]:
    yield error
    for below in error.__subclasses__():
        yield from _all_below(below)


def table(number: int, content: Content) -> "pa.Table":
    """A row of the data set: the number of the shard and its content, pickled."""
    import pyarrow as pa  # noqa: PLC0415

    payload = pa.array([pickle.dumps(content, protocol=pickle.HIGHEST_PROTOCOL)], pa.large_binary())
    return pa.table({"number": pa.array([number], pa.int64()), "content": payload})


def rows(found: "pa.Table") -> list[tuple[int, Content]]:
    """The rows of a table that `table` made, or of several."""
    return [
        (number, pickle.loads(content))  # noqa: S301  # of our own workers
        for number, content in zip(found["number"].to_pylist(), found["content"].to_pylist(), strict=True)
    ]


def cut(read: Callable[[], Read], workers: int) -> Iterator[Content]:
    """Cuts the queries into shards that grow with the number read; an error in the input ends them as a `FlowError`."""
    works: list[Work] = []
    seen = 0
    try:
        said, queries = read()
        yield Head(said)
        for query, candidates in queries:
            works.append((query, list(candidates)))  # read now: they may be read from a file as they are looked at
            seen += 1
            if len(works) >= min(LARGEST, max(1, seen // (SHARE * workers))):
                yield Shard(works)
                works = []
    except RerankError as error:
        yield FlowError.of(error)
        return
    if works:
        yield Shard(works)
    yield End()


def source(read: Callable[[], Read], workers: int, folder: str) -> "Datasource":
    """A data source for Ray Data: one task, on the command's node and in its folder, that reads the queries."""
    import pyarrow as pa  # noqa: PLC0415
    from ray.data import Datasource, ReadTask  # noqa: PLC0415
    from ray.data.block import BlockMetadata  # noqa: PLC0415

    def tables() -> Iterator[pa.Table]:
        os.chdir(folder)
        for number, content in enumerate(cut(read, workers)):
            yield table(number, content)

    class ShardSource(Datasource):  # type: ignore[misc]
        supports_distributed_reads = False  # on the command's own node

        def estimate_inmemory_data_size(self) -> None:
            return None

        def get_read_tasks(self, *_: Any, **__: Any) -> list[ReadTask]:
            unknown = BlockMetadata(num_rows=None, size_bytes=None, exec_stats=None, input_files=None)
            return [ReadTask(tables, unknown)]

    return ShardSource()


class Spool:
    """Puts shards back into the order in which they were read; a shard that comes early waits on disk.

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
        """How many shards wait for one that has not come."""
        return len(self._waiting)

    def put(self, number: int, content: Content) -> Iterator[Content]:
        """Takes a shard, and yields those whose turn it is."""
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
