"""A worker: one `Reranker` in a process of its own, which ranks the shards it is given."""

import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from rerankllm.data import Document, Ranking
from rerankllm.distributed.journals import inherit, own
from rerankllm.distributed.shards import Content, FlowError, RankedShard, Shard, Work, rows, table
from rerankllm.distributed.shared_budget import SharedBudget
from rerankllm.drivers.budget import Budget, Limits
from rerankllm.drivers.events import Failed, QueryOutcome
from rerankllm.drivers.ranker import StreamRanker
from rerankllm.drivers.session import LIVE_CALLS
from rerankllm.errors import BackendError, InputError, RerankError
from rerankllm.journal.merge import absorb
from rerankllm.journal.store import Journal
from rerankllm.version import __version__

if TYPE_CHECKING:
    import pyarrow as pa

STARTS = 3
"""How often an engine may take its process with it while it is loaded."""
TRIES = 3
"""How often a shard is begun with all its queries at once; then they go one by one, to find whose fault it is."""
ALONE = 2
"""How often a query may be begun that way."""
LISTENING = 0.5
"""Seconds between looks whether all is to stop."""


@dataclass(frozen=True, slots=True)
class Orders:
    """What a worker has to know.

    Attributes:
        make: Makes its `Reranker`, with a budget that counts its calls.
        limits: What all workers together may spend.
        workers: How many there are.
        coordinator: The actor that all of them share.
        version: The version of this package that the command runs.
        cwd: The folder that relative paths start from, if the worker's machine has it.
        journals: The folder for its journal; None for none.
        resuming: Whether the coordinator has calls of an earlier run.
        top_k: How many first places matter.
        texts: Whether documents' texts are sent back.
    """

    make: Callable[[Budget], StreamRanker]
    limits: Limits
    workers: int
    coordinator: Any
    version: str
    cwd: str
    journals: str | None = None
    resuming: bool = False
    top_k: int | None = None
    texts: bool = False


@dataclass(frozen=True, slots=True)
class Facts:
    """What the command tells its user about a worker's `Reranker`.

    Attributes:
        strategy: Its stage, complete.
        models: The models that judge.
        default_of: The model whose default strategy it is; None if a strategy was named.
    """

    strategy: str
    models: tuple[str, ...]
    default_of: str | None


class Room:
    """Makes shards wait while those under way may take too many calls together; one shard alone never waits."""

    def __init__(self, most: int) -> None:
        self._most, self._taken = most, 0
        self._changed = threading.Condition()

    @contextmanager
    def for_calls(self, calls: int) -> Iterator[None]:
        """Waits until there is room for so many calls, and takes it for the time of the context."""
        with self._changed:
            self._changed.wait_for(lambda: not self._taken or self._taken + calls <= self._most)
            self._taken += calls
        try:
            yield
        finally:
            with self._changed:
                self._taken -= calls
                self._changed.notify_all()


class Worker:
    """Ranks shards, several at a time, so that the engine has enough to do. It does not raise.

    An error that concerns more than one query, such as an engine that does not start, is sent back as a `FlowError`, at
    once and for every shard. The engine is loaded with the first shard, not before: a worker is ready for shards at
    once, and the one that loads fastest does not get them all.
    """

    def __init__(self, orders: Orders) -> None:
        import ray  # noqa: PLC0415

        self._orders = orders
        self._name: str = ray.get_runtime_context().get_actor_id() or "worker"
        self._alone = threading.Lock()
        self._room = Room(LIVE_CALLS)
        self._journal: Journal | None = None
        self._starting = threading.Lock()
        self._engine: StreamRanker | FlowError | None = None

    def __call__(self, batch: "pa.Table") -> Iterator["pa.Table"]:
        """The same rows, with shards ranked."""
        for number, content in rows(batch):
            yield table(number, self._answer(number, content) if isinstance(content, Shard) else content)

    def rank(self, works: Sequence[Work]) -> list[QueryOutcome]:
        """Ranks queries.

        Raises:
            RerankError: It concerns more than these queries.
        """
        reranker, top_k = self._reranker(), self._orders.top_k
        self._recall(reranker, works)
        calls = sum(reranker.plan(len(candidates), top_k=top_k).calls.high for _, candidates in works)
        with self._room.for_calls(calls):
            return list(reranker.stream(iter(works), top_k=top_k))

    def _answer(self, number: int, shard: Shard) -> Content:
        try:
            reranker = self._reranker()
            tries = self._ask("begin", number)
            outcomes = self.rank(shard.works) if tries <= TRIES else list(self._one_by_one(shard.works))
        except RerankError as error:
            self._engine = problem = FlowError.of(error)  # for the shards to come, too
            return problem
        except Exception as error:  # noqa: BLE001
            return FlowError("BackendError", f"{type(error).__name__}: {error}")
        ids = [[candidate.doc_id for candidate in candidates] for _, candidates in shard.works]
        kept = outcomes if self._orders.texts else map(_without_texts, outcomes)
        return RankedShard(list(zip(kept, ids, strict=True)), _facts(reranker))

    def _one_by_one(self, works: Sequence[Work]) -> Iterator[QueryOutcome]:
        """Ranks the queries of a shard that killed workers one by one; a query that kills a worker alone has failed."""
        for query, candidates in works:
            with self._alone:
                if self._ask("begin", f"query {query.query_id}") > ALONE:
                    yield Failed(query, f"the worker's process died each of the {TRIES + ALONE} times it was ranked")
                else:
                    yield from self.rank([(query, candidates)])

    def _reranker(self) -> StreamRanker:
        with self._starting:
            if self._engine is None:
                self._engine = self._load()
            engine = self._engine
        if isinstance(engine, FlowError):
            raise engine.error()
        return engine

    def _load(self) -> StreamRanker | FlowError:
        try:
            reranker = self._start()
        except RerankError as error:
            return FlowError.of(error)
        except Exception as error:  # noqa: BLE001  # the engine's own: one line for whoever gave the orders
            return FlowError("BackendError", f"the engine does not start: {type(error).__name__}: {error}")
        threading.Thread(target=self._listen, args=[reranker], name="rerankllm-stop", daemon=True).start()
        return reranker

    def _start(self) -> StreamRanker:
        orders = self._orders
        with suppress(OSError):
            os.chdir(orders.cwd)
        if __version__ != orders.version:
            raise InputError(f"a worker has rerankllm {__version__}, and the command {orders.version}: install one")
        seat = self._ask("join", self._name)
        if seat.starts > STARTS:
            raise BackendError(f"the engine does not start: its process died {STARTS} times while it was loaded")
        reranker = orders.make(SharedBudget(orders.limits, orders.coordinator, self._name))
        reranker.share(seat.number % orders.workers, orders.workers)
        if orders.journals is not None:
            self._journal, new = own(orders.journals, self._name)
            if new and seat.again:
                inherit(self._journal, orders.journals, self._name)
            reranker.keep(self._journal)
        self._ask("ready", self._name)
        return reranker

    def _recall(self, reranker: StreamRanker, works: Sequence[Work]) -> None:
        """Copies what an earlier run's journal holds of these queries into the worker's own."""
        if self._journal is not None and self._orders.resuming:
            keys = [reranker.key(query, candidates, top_k=self._orders.top_k) for query, candidates in works]
            for parcel in self._ask("known", keys):
                absorb(self._journal, parcel)

    def _listen(self, reranker: StreamRanker) -> None:
        while not (reason := self._ask("stopped")):
            time.sleep(LISTENING)
        reranker.stop(reason)

    def _ask(self, method: str, *arguments: Any) -> Any:
        import ray  # noqa: PLC0415

        return ray.get(getattr(self._orders.coordinator, method).remote(*arguments))


def _facts(reranker: StreamRanker) -> Facts:
    return Facts(str(reranker.stage), reranker.models, reranker.default_of)


def _without_texts(outcome: QueryOutcome) -> QueryOutcome:
    if not isinstance(outcome, Ranking):
        return outcome
    return replace(
        outcome, results=tuple(replace(result, document=Document(result.doc_id, "")) for result in outcome.results)
    )
