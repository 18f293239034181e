"""What the two drivers share: taking queries in, handing outcomes out."""

import asyncio
import logging
import threading
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from functools import partial
from itertools import groupby

from rerankllm.calls import Backend
from rerankllm.data import Candidate, Query, Ranking
from rerankllm.drivers.budget import Budget
from rerankllm.drivers.events import Event, QueryOutcome
from rerankllm.drivers.fair_queue import FairQueue
from rerankllm.drivers.gateway import Gateway
from rerankllm.drivers.judges import Resolve
from rerankllm.drivers.loop import BackgroundLoop
from rerankllm.drivers.task import Call, Observer, Task
from rerankllm.errors import RerankError
from rerankllm.journal.store import Journal
from rerankllm.judgements import Steps

log = logging.getLogger(__name__)


class Driver(ABC):
    """The only place with I/O: answers what strategies ask. Long-lived; queries join and leave at any time.

    Args:
        resolve: Finds the judge for a judgement.
        observer: Called with every event, on the driver's thread, so it should be quick; what it raises is logged.
        budget: What may be spent.
    """

    def __init__(
        self,
        resolve: Resolve,
        observer: Observer | None = None,
        budget: Budget | None = None,
    ) -> None:
        self._resolve = resolve
        self._desk = Gateway(budget or Budget())
        self._observer = observer
        self._loop = BackgroundLoop()
        self._lock = threading.Lock()
        self._live: set[Task] = set()
        self._lanes: dict[int, FairQueue] = {}
        self._closed = False

    def keep(self, journal: Journal) -> None:
        """Keeps every completed call of the queries that follow, and looks for it there first."""
        self._desk.journal = journal

    def submit(
        self,
        query: Query,
        candidates: Sequence[Candidate],
        steps: Steps[Ranking],
        key: str = "",
        budget: Budget | None = None,
        *,
        resolve: Resolve | None = None,
        observer: Observer | None = None,
        party: object = None,
    ) -> "Future[QueryOutcome]":
        """Starts ranking one query; may be called from any thread while others run.

        Args:
            query: The query.
            candidates: What `steps` ranks.
            steps: The strategy under way.
            key: What the journal knows the query by.
            budget: What this query may spend; None for no limit of its own.
            resolve: Finds this query's judges; None for the driver's own.
            observer: Told this query's events too, as the driver's is told all.
            party: Whose query it is: parties take turns where a backend cannot take all calls at once. None for one of
                its own.

        Returns:
            A future of the ranking or of `Failed`; cancelling it ends the query. It raises only what concerns more
            than this query, such as a wrong key.

        Raises:
            RerankError: The driver is closed.
        """
        tell = self._tell if observer is None else partial(self._tell, also=observer)
        task = Task(
            query,
            candidates,
            steps,
            resolve or self._resolve,
            tell,
            ask=self._line_up,
            key=key,
            budget=budget,
            party=party,
        )
        with self._lock:
            if self._closed:
                raise RerankError("closed: make another to rank more")
            self._live.add(task)
        task.future.add_done_callback(lambda _: self._live.discard(task))
        self._loop.call(self._begin, task)
        return task.future

    def close(self, backends: Sequence[Backend] = ()) -> None:
        """Stops; queries still under way are cancelled, then `backends` are freed on the loop they were used on."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
        for task in list(self._live):
            task.abort(RerankError("closed before this query was ranked"))
        for backend in backends:
            self._loop.submit(backend.aclose()).result()
        self._loop.close()

    def _begin(self, task: Task) -> None:
        """Takes a new task up, on the loop's thread."""
        task.start()
        self._go()

    def _line_up(self, calls: Sequence[Call]) -> None:
        for backend, group in groupby(calls, key=lambda call: call.judge.backend):
            if id(backend) not in self._lanes:
                self._lanes[id(backend)] = FairQueue(backend, self._desk, self._size(backend))
            self._lanes[id(backend)].add(deque(group))

    @abstractmethod
    def _size(self, backend: Backend) -> int | None:
        """How many calls a backend is given at a time; None for all there are."""

    @abstractmethod
    def _go(self) -> None:
        """Sees to it that what waits is sent, as far as it may be."""

    def _tell(self, event: Event, also: Observer | None = None) -> None:
        for observer in filter(None, (self._observer, also)):
            try:
                observer(event)
            except Exception:
                log.exception("an observer failed at %s", type(event).__name__)

    def _ended(self, work: "asyncio.Task[None]") -> None:
        """Takes leave of a coroutine of the driver: should it have died, nobody may wait for it."""
        if not work.cancelled() and (error := work.exception()) is not None:
            for task in list(self._live):
                task.abort(error)
