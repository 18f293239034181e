"""One task per query; nobody waits for anybody."""

import asyncio
from contextlib import AbstractAsyncContextManager, AsyncExitStack, nullcontext
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from rerankllm.backends.base import Backend
from rerankllm.budget import Admission
from rerankllm.drivers.base import Driver
from rerankllm.drivers.desk import Ticket
from rerankllm.drivers.task import Call, Task

_Turn: TypeAlias = AbstractAsyncContextManager[Any]
PREPARED = 1024
"""Calls that may hold a finished prompt at a time, for backends that take any number."""


@dataclass
class _OnLoop:
    """What belongs to the driver's event loop."""

    running: set[asyncio.Task[None]] = field(default_factory=set)
    slots: dict[int, asyncio.Semaphore] = field(default_factory=dict)
    settled: asyncio.Condition = field(default_factory=asyncio.Condition)

    def slot(self, backend: Backend) -> asyncio.Semaphore:
        """What limits the calls under way at a backend: where it takes batches, to the next one and the one after."""
        limit = backend.capabilities.slots or 2 * (backend.capabilities.batch or PREPARED // 2)
        return self.slots.setdefault(id(backend), asyncio.Semaphore(limit))


class Concurrent(Driver):
    """For hosts with latency: every call goes out as soon as its query asks and the backend has a slot for it."""

    _state: _OnLoop | None = None

    def _begin(self, task: Task) -> None:
        state = self._state = self._state or _OnLoop()
        running = asyncio.get_running_loop().create_task(self._run(task, state))
        state.running.add(running)
        running.add_done_callback(state.running.discard)
        running.add_done_callback(self._ended)
        task.future.add_done_callback(lambda future: self._loop.call(running.cancel) if future.cancelled() else None)

    async def _run(self, task: Task, state: _OnLoop) -> None:
        task.start()
        turn: _Turn = asyncio.Lock() if task.budget.counts else nullcontext()
        while task.calls:
            answers = (self._answer(call, turn, state) for call in task.calls)
            for error in filter(None, await asyncio.gather(*answers, return_exceptions=True)):
                task.abort(error)

    async def _answer(self, call: Call, turn: _Turn, state: _OnLoop) -> None:
        """Answers a call.

        Those of a query with a budget of its own take turns until they are admitted, so that timing does not decide
        which it can afford, and those that wait behind the first keep no slots from other queries.
        """
        backend = call.judge.backend
        async with AsyncExitStack() as held:
            async with turn:
                await held.enter_async_context(state.slot(backend))
                ticket = await self._admitted(call, state)
            if ticket is None:
                return
            try:
                ticket.back(await backend.complete(ticket.work))
            finally:
                ticket.give_up()
                async with state.settled:
                    state.settled.notify_all()

    async def _admitted(self, call: Call, state: _OnLoop) -> Ticket | None:
        """The call, ready to be sent, when the budgets allow it; None where nothing is to be sent."""
        ticket = self._desk.out(call)
        if ticket is None:
            return None
        async with state.settled:
            while (admission := ticket.admit()) not in {None, Admission.SEND}:
                await state.settled.wait()
        return None if admission is None else ticket
