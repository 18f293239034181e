"""A worker: one engine and one driver in a process of its own, which ranks the shards it is handed."""

import os
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from rerankllm.data import Document, Ranking
from rerankllm.distributed.journals import inherit, own
from rerankllm.distributed.shards import Content, Problem, Queries, Ranked, Work, rows, table
from rerankllm.distributed.shared_budget import SharedBudget
from rerankllm.drivers.events import Failed, QueryOutcome
from rerankllm.drivers.recipe import Recipe
from rerankllm.errors import BackendError, InputError, RerankError
from rerankllm.journal.merge import absorb
from rerankllm.journal.store import Journal
from rerankllm.reranker import LIVE_CALLS, Reranker
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
        recipe: How its reranker is made.
        workers: How many there are.
        coordinator: The actor that all of them share.
        version: The version of this package that gives the orders.
        cwd: The folder that relative paths start from, where it is there.
        journals: The folder for its journal; None for none.
        resuming: Whether the coordinator knows calls of a run before.
        top_k: How many first places matter.
        texts: Whether documents' texts are wanted back.
    """

    recipe: Recipe
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
    """What a reranker says of itself.

    Attributes:
        strategy: Its stage, complete.
        models: The models that judge.
        default_of: The model whose default strategy it is; None where one was named.
    """

    strategy: str
    models: tuple[str, ...]
    default_of: str | None


class Room:
    """Keeps shards waiting while those under way may take so many calls together; one alone may take any number."""

    def __init__(self, most: int) -> None:
        self._most, self._taken = most, 0
        self._changed = threading.Condition()

    @contextmanager
    def for_calls(self, calls: int) -> Iterator[None]:
        """Waits for room, and takes it meanwhile."""
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
    """Ranks shards, several at a time, so that the engine has enough to do. Nothing in it raises.

    What concerns more than one query, such as an engine that does not start, goes back as a `Problem`, at once and for
    every shard. The engine is loaded for the first shard: workers that are there at once get shards at once, so that
    the one which has loaded first does not get all there are.
    """

    def __init__(self, orders: Orders) -> None:
        import ray  # noqa: PLC0415

        self._orders = orders
        self._name: str = ray.get_runtime_context().get_actor_id() or "worker"
        self._alone = threading.Lock()
        self._room = Room(LIVE_CALLS)
        self._journal: Journal | None = None
        self._starting = threading.Lock()
        self._engine: Reranker | Problem | None = None

    def __call__(self, batch: "pa.Table") -> Iterator["pa.Table"]:
        """The same rows, with shards ranked."""
        for number, content in rows(batch):
            yield table(number, self._answer(number, content) if isinstance(content, Queries) else content)

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

    def _answer(self, number: int, shard: Queries) -> Content:
        try:
            reranker = self._reranker()
            tries = self._ask("begin", number)
            outcomes = self.rank(shard.works) if tries <= TRIES else list(self._one_by_one(shard.works))
        except RerankError as error:
            self._engine = problem = Problem.of(error)  # for the shards to come, too
            return problem
        except Exception as error:  # noqa: BLE001
            return Problem("BackendError", f"{type(error).__name__}: {error}")
        ids = [[candidate.doc_id for candidate in candidates] for _, candidates in shard.works]
        kept = outcomes if self._orders.texts else map(_without_texts, outcomes)
        return Ranked(list(zip(kept, ids, strict=True)), _facts(reranker))

    def _one_by_one(self, works: Sequence[Work]) -> Iterator[QueryOutcome]:
        """Ranks the queries of a shard that workers died of; a query that they die of alone has failed."""
        for query, candidates in works:
            with self._alone:
                if self._ask("begin", f"query {query.query_id}") > ALONE:
                    yield Failed(query, f"the worker's process died each of the {TRIES + ALONE} times it was ranked")
                else:
                    yield from self.rank([(query, candidates)])

    def _reranker(self) -> Reranker:
        with self._starting:
            if self._engine is None:
                self._engine = self._load()
            engine = self._engine
        if isinstance(engine, Problem):
            raise engine.error()
        return engine

    def _load(self) -> Reranker | Problem:
        try:
            reranker = self._start()
        except RerankError as error:
            return Problem.of(error)
        except Exception as error:  # noqa: BLE001  # the engine's own: one line for whoever gave the orders
            return Problem("BackendError", f"the engine does not start: {type(error).__name__}: {error}")
        threading.Thread(target=self._listen, args=[reranker], name="rerankllm-stop", daemon=True).start()
        return reranker

    def _start(self) -> Reranker:
        orders = self._orders
        with suppress(OSError):
            os.chdir(orders.cwd)
        if __version__ != orders.version:
            raise InputError(f"a worker has rerankllm {__version__}, and the command {orders.version}: install one")
        seat = self._ask("join", self._name)
        if seat.starts > STARTS:
            raise BackendError(f"the engine does not start: its process died {STARTS} times while it was loaded")
        reranker = orders.recipe.make(SharedBudget(orders.recipe.limits, orders.coordinator, self._name))
        reranker.share(seat.number % orders.workers, orders.workers)
        if orders.journals is not None:
            self._journal, new = own(orders.journals, self._name)
            if new and seat.again:
                inherit(self._journal, orders.journals, self._name)
            reranker.keep(self._journal)
        self._ask("ready", self._name)
        return reranker

    def _recall(self, reranker: Reranker, works: Sequence[Work]) -> None:
        """Puts what an earlier run knows of these queries into the journal."""
        if self._journal is not None and self._orders.resuming:
            keys = [reranker.key(query, candidates, top_k=self._orders.top_k) for query, candidates in works]
            for parcel in self._ask("known", keys):
                absorb(self._journal, parcel)

    def _listen(self, reranker: Reranker) -> None:
        while not (reason := self._ask("stopped")):
            time.sleep(LISTENING)
        reranker.stop(reason)

    def _ask(self, method: str, *arguments: Any) -> Any:
        import ray  # noqa: PLC0415

        return ray.get(getattr(self._orders.coordinator, method).remote(*arguments))


def _facts(reranker: Reranker) -> Facts:
    return Facts(str(reranker.stage), reranker.models, reranker.backend.model if reranker.defaulted else None)


def _without_texts(outcome: QueryOutcome) -> QueryOutcome:
    if not isinstance(outcome, Ranking):
        return outcome
    return replace(
        outcome, results=tuple(replace(result, document=Document(result.doc_id, "")) for result in outcome.results)
    )
