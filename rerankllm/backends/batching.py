"""What backends share that compute many pieces of work at a time, on a thread of their own.

Work is gathered while the engine is busy, or within one turn of an event loop, and computed together. Callers may
live on several event loops, one after another or at once: each is answered on its own.
"""

import asyncio
import contextlib
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import repeat
from typing import Any, Generic, TypeVar, cast

from rerankllm.calls import Capabilities, Outcome, Request, Tokenizer, Work
from rerankllm.data import Usage
from rerankllm.errors import BackendError, CapabilityError
from rerankllm.judgements import Judgement

HALVINGS = 32
"""How often a batch that raises is halved, to find the work that it is about: enough for one in any batch, or a few. An
engine that fails whatever it is given has failed so often then."""
W = TypeVar("W", Request, Judgement)
"""What an engine takes: prompts, or judgements as they are."""


@dataclass(frozen=True, slots=True, eq=False)
class _Waiter:
    """A piece of work, and who is to be told."""

    work: Any
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[Outcome]

    @property
    def waits(self) -> bool:
        """Whether anybody still wants the outcome."""
        return not self.future.done() and not self.loop.is_closed()

    def settle(self, outcome: Outcome | Exception) -> None:
        """Hands over the outcome, from any thread."""
        settle([self], [outcome])


def settle(waiters: Sequence[_Waiter], outcomes: Iterable[Outcome | Exception]) -> None:
    """Hands each its outcome, from any thread; every loop is woken once, whatever it gets."""
    loops: dict[asyncio.AbstractEventLoop, list[tuple[asyncio.Future[Outcome], Outcome | Exception]]] = {}
    for waiter, outcome in zip(waiters, outcomes, strict=False):
        loops.setdefault(waiter.loop, []).append((waiter.future, outcome))
    for loop, settled in loops.items():
        with contextlib.suppress(RuntimeError):  # the loop was closed: nobody is left to tell
            loop.call_soon_threadsafe(_set, settled)


def _set(settled: Iterable[tuple["asyncio.Future[Outcome]", Outcome | Exception]]) -> None:
    for future, outcome in settled:
        if future.done():
            continue
        if isinstance(outcome, Exception):
            future.set_exception(outcome)
        else:
            future.set_result(outcome)


class BatchBackend(ABC, Generic[W]):
    """A backend whose engine answers a list of work, blocking. Subclasses write `run` and, to free memory, `free`.

    The work is prompts, or judgements where the capabilities name any that it answers. The engine is only ever used
    from one worker thread, which starts with the first work; what comes in during a `run` is the next one's batch. A
    waiter that is cancelled leaves the others' batch as it is.

    Attributes:
        model: Printed spec.
        capabilities: What it can do.
        default_strategy: Stage used when the user names none.
        on_batch: Called with the size of every batch, on the worker thread.
    """

    on_batch: Callable[[float], None] | None = None
    model: str
    capabilities: Capabilities
    default_strategy: str

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pending: list[_Waiter] = []
        self._running: list[_Waiter] = []
        self._worker: ThreadPoolExecutor | None = None
        self._sent = False  # whether the worker has been sent for what is pending, and has not taken it yet
        self._closed = False

    @property
    @abstractmethod
    def revision(self) -> str | None:
        """What its answers depend on besides its printed spec, such as a hash of the weights; None where unknown."""

    @property
    @abstractmethod
    def tokenizer(self) -> Tokenizer:
        """How it counts."""

    @abstractmethod
    def run(self, works: Sequence[W]) -> Sequence[Outcome]:
        """Computes these; called on the worker thread, never twice at a time.

        Returns:
            One outcome a piece of work, in order.

        Raises:
            BackendError: Fails all these.
            Exception: Whatever else it raises may be about one of these: they are computed in halves, to find which.
        """

    def check(self, work: W) -> None:
        """Raises `CapabilityError` for work this engine cannot take; by default it takes all."""

    def free(self) -> None:
        """Frees the engine, once nothing runs any more; may be called more than once."""

    @property
    def abandoned(self) -> bool:
        """Whether nobody waits for the batch under way any more; a long `run` looks now and then, and stops."""
        return self._closed or (bool(self._running) and not any(waiter.waits for waiter in self._running))

    async def complete(self, work: Work) -> Outcome:
        """Answers one piece of work, computed together with whatever else is waiting.

        Raises:
            BackendError: The engine failed, or was closed.
            CapabilityError: The work is none that this engine takes.
        """
        (waiter,) = self._join([work])
        return await waiter.future

    async def complete_all(self, works: Sequence[Work]) -> list[Outcome]:
        """Answers many at once, in order. Raises as `complete` does, then for all of them."""
        return list(await asyncio.gather(*(waiter.future for waiter in self._join(works))))

    def cost(self, usage: Usage) -> float | None:
        """Nothing: it computes here."""
        del usage
        return 0.0

    async def aclose(self) -> None:
        """Fails what still waits, lets `run` see that it is abandoned, joins the thread and frees the engine."""
        with self._lock:
            self._closed = True
            left, self._pending = self._pending, []
        settle(left, repeat(BackendError(f"{self.model} was closed")))
        if self._worker is not None:
            await asyncio.to_thread(self._worker.shutdown)
        self.free()

    def _join(self, works: Sequence[Work]) -> list[_Waiter]:
        """Adds work to what is pending, and sends the worker for it."""
        checked = [self._checked(work) for work in works]
        loop = asyncio.get_running_loop()
        waiters = [_Waiter(work, loop, loop.create_future()) for work in checked]
        with self._lock:
            if self._closed:
                raise BackendError(f"{self.model} was closed")
            self._pending += waiters
        loop.call_soon(self._start)  # after everything else that is ready in this turn has joined
        return waiters

    def _checked(self, work: Work) -> W:
        answers = self.capabilities.answers
        if isinstance(work, Request) and answers:
            raise CapabilityError(f"{self.model} answers judgements, not prompts: leave the '/ elicitation' out")
        if not isinstance(work, Request) and type(work) not in answers:
            takes = ", ".join(sorted(kind.__name__ for kind in answers)) or "prompts (Request)"
            raise CapabilityError(
                f"{self.model} takes {takes}, not {type(work).__name__} judgements; "
                f"its own way is '{self.default_strategy}'"
            )
        self.check(cast("W", work))
        return cast("W", work)

    def _start(self) -> None:
        """Sends the worker for what is pending, unless it is on its way; if it finds nothing left it sleeps again."""
        with self._lock:
            if self._closed or self._sent:
                return
            if self._worker is None:
                self._worker = ThreadPoolExecutor(1, thread_name_prefix=type(self).__name__)
            try:
                self._worker.submit(self._work)
                self._sent = True
            except RuntimeError as error:  # the interpreter is going down
                left, self._pending = self._pending, []
                settle(left, repeat(BackendError(f"{self.model}: {error}")))

    def _work(self) -> None:
        with self._lock:
            self._running = [waiter for waiter in self._pending if waiter.waits]
            self._pending, self._sent = [], False
        if not self._running:
            return
        if self.on_batch is not None:
            self.on_batch(len(self._running))
        parts, halvings = [self._running], HALVINGS
        try:
            while parts:
                part = parts.pop()
                error = self._compute(part)
                if error is None:
                    continue
                if len(part) > 1 and halvings and isinstance(error, Exception) and not isinstance(error, BackendError):
                    halvings -= 1
                    parts += [part[len(part) // 2 :], part[: len(part) // 2]]
                else:
                    self._fail(part, error)
        finally:
            self._running = []

    def _compute(self, waiters: Sequence[_Waiter]) -> BaseException | None:
        """Computes and hands over the outcomes of these; what the engine raised, if it did."""
        try:
            outcomes = self.run([waiter.work for waiter in waiters])
            settle(waiters, outcomes)
            if len(outcomes) != len(waiters):
                return BackendError(f"{self.model}: {len(outcomes)} outcomes for {len(waiters)} pieces of work")
        except BaseException as error:  # noqa: BLE001 - on a worker thread nobody else would hear of it
            return error
        return None

    def _fail(self, waiters: Sequence[_Waiter], error: BaseException) -> None:
        failure = error if isinstance(error, BackendError) else BackendError(f"{self.model}: {error!r}")
        failure.__cause__ = error if failure is not error else error.__cause__
        settle(waiters, repeat(failure))
