"""What the two drivers share: they take queries and give back outcomes."""

import asyncio
import logging
import threading
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from functools import partial
from itertools import groupby
from pathlib import Path

from rerankllm.calls import Backend
from rerankllm.data import Candidate, Query, Ranking
from rerankllm.drivers.budget import Budget
from rerankllm.drivers.events import Event, QueryOutcome
from rerankllm.drivers.fair_queue import FairQueue
from rerankllm.drivers.gateway import Gateway, Signature
from rerankllm.drivers.judges import Resolve
from rerankllm.drivers.loop import BackgroundLoop
from rerankllm.drivers.task import Call, Finish, Observer, Task
from rerankllm.drivers.unusable import Unusable
from rerankllm.errors import RerankError
from rerankllm.journal.store import Journal
from rerankllm.judgements import Steps

log = logging.getLogger(__name__)


class Driver(ABC):
    """Answers what strategies ask. The only place with I/O; queries are submitted and end at any time.

    Args:
        resolve: Finds the judge for a judgement.
        observer: Called with every event, on the driver's thread, so it should be quick; what it raises is logged.
        budget: What may be spent; None for no limit.
        counts_kept: Whether the calls that a journal holds of the queries count as spent; see `Gateway`.
    """

    def __init__(
        self,
        resolve: Resolve,
        observer: Observer | None = None,
        budget: Budget | None = None,
        *,
        counts_kept: bool = False,
    ) -> None:
        self._resolve = resolve
        self._gateway = Gateway(budget or Budget(), counts_kept=counts_kept)
        self._observer = observer
        self._loop = BackgroundLoop()
        self._lock = threading.Lock()
        self._live: set[Task] = set()
        self._queues: dict[int, FairQueue] = {}
        self._closed = False

    @property
    def budget(self) -> Budget:
        """What may be spent."""
        return self._gateway.budget

    @property
    def counts_kept(self) -> bool:
        """Whether the calls that the journal holds of a query count as spent."""
        return self._gateway.counts_kept

    @property
    def journal(self) -> Journal | None:
        """Keeps every completed call; None for none."""
        return self._gateway.journal

    @property
    def waiting(self) -> int:
        """Calls that wait to be sent."""
        return sum(len(queue) for queue in list(self._queues.values()))

    def keep(self, journal: str | Path | Journal) -> Journal:
        """Keeps every completed call of the queries that follow, and looks for it there first.

        Args:
            journal: A file, which `close` closes, or an open journal, which it does not.

        Raises:
            InputError: The file is no journal, or cannot be written.
        """
        return self._gateway.keep(journal)

    def enter(self, query: Query, candidates: Sequence[Candidate], signature: Signature) -> str:
        """The key by which the journal knows a query, which is noted there; empty without a journal.

        What the journal holds of the query counts as spent from then on, where that is counted.
        """
        return self._gateway.enter(query, candidates, signature)

    def submit(
        self,
        query: Query,
        candidates: Sequence[Candidate],
        steps: Steps[Ranking],
        signature: Signature | None = None,
        *,
        budget: Budget | None = None,
        resolve: Resolve | None = None,
        finish: Finish | None = None,
        observer: Observer | None = None,
        party: object = None,
        unusable: Unusable = "keep",
    ) -> "Future[QueryOutcome]":
        """Starts ranking one query; may be called from any thread while others run.

        Args:
            query: The query.
            candidates: What `steps` ranks.
            steps: The strategy's generator.
            signature: Tells the query from others in the journal; None if there is no journal.
            budget: What this query may spend; None for no limit of its own.
            resolve: Finds this query's judges; None for the driver's own.
            finish: Makes the outcome of the ranking; None for the ranking as it is.
            observer: Called with this query's events, besides the driver's observer.
            party: Whose query it is: parties take turns where a backend cannot take all calls at once. None for a party
                of its own.
            unusable: What follows an answer that cannot be used; see `rerankllm.drivers.unusable`.

        Returns:
            A future of the ranking or of `Failed`; cancelling it ends the query. It raises only what concerns more
            than this query, such as a wrong key.

        Raises:
            RerankError: The driver is closed, or the journal cannot be written.
        """
        observers = tuple(filter(None, (self._observer, observer)))
        task = Task(
            query,
            candidates,
            steps,
            resolve or self._resolve,
            partial(_tell, observers) if observers else None,
            ask=self._line_up,
            finish=finish,
            key="" if signature is None else self._gateway.enter(query, candidates, signature),
            budget=budget,
            party=party,
            unusable=unusable,
        )
        with self._lock:
            if self._closed:
                raise RerankError("closed: make another to rank more")
            self._live.add(task)
        task.future.add_done_callback(lambda _: self._live.discard(task))
        self._loop.call(self._begin, task)
        return task.future

    def close(self, backends: Sequence[Backend] = ()) -> None:
        """Stops: ends the queries under way, frees `backends` on their event loop and closes a journal opened here."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
        for task in list(self._live):
            task.abort(RerankError("closed before this query was ranked"))
        for backend in backends:
            self._loop.submit(backend.aclose()).result()
        self._loop.close()
        self._gateway.close()

    def _begin(self, task: Task) -> None:
        """Starts a task, on the loop's thread."""
        task.start()
        self._step()

    def _step(self) -> None:
        """Sends what can be sent. An error in doing so reaches everybody who waits, and the driver goes on."""
        try:
            self._go()
        except Exception as error:
            log.exception("the driver failed")
            self._give_up(error)

    def _give_up(self, error: BaseException) -> None:
        """Ends every query, and forgets the calls that wait."""
        self._queues.clear()
        for task in list(self._live):
            task.abort(error)

    def _line_up(self, calls: Sequence[Call]) -> None:
        for backend, group in groupby(calls, key=lambda call: call.judge.backend):
            if id(backend) not in self._queues:
                self._queues[id(backend)] = FairQueue(backend, self._gateway, self._size(backend))
            self._queues[id(backend)].add(deque(group))

    @abstractmethod
    def _size(self, backend: Backend) -> int | None:
        """How many calls a backend is given at a time; None for all there are."""

    @abstractmethod
    def _go(self) -> None:
        """Sends the calls that wait, as far as backends and budgets allow."""

    def _ended(self, work: "asyncio.Task[None]") -> None:
        """Ends every query with the error of a driver's coroutine that has died, so that nobody waits for ever."""
        if not work.cancelled() and (error := work.exception()) is not None:
            self._give_up(error)


def _tell(observers: Sequence[Observer], event: Event) -> None:
    for observer in observers:
        try:
            observer(event)
        except Exception:
            log.exception("an observer failed at %s", type(event).__name__)
