"""One task per query; nobody waits for anybody."""

import asyncio
from dataclasses import dataclass, field

from rerankllm.backends.base import Backend
from rerankllm.budget import Admission
from rerankllm.drivers.base import Driver
from rerankllm.drivers.task import Call, Task

PREPARED = 1024
"""Calls that may hold a finished prompt at a time, for backends that take any number."""


@dataclass
class _OnLoop:
    """What belongs to the driver's event loop."""

    running: set[asyncio.Task[None]] = field(default_factory=set)
    slots: dict[int, asyncio.Semaphore] = field(default_factory=dict)
    settled: asyncio.Condition = field(default_factory=asyncio.Condition)

    def slot(self, backend: Backend) -> asyncio.Semaphore:
        """What limits the calls under way at a backend."""
        return self.slots.setdefault(id(backend), asyncio.Semaphore(backend.capabilities.slots or PREPARED))


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
        while task.calls:
            errors = await asyncio.gather(*(self._answer(call, state) for call in task.calls), return_exceptions=True)
            for error in filter(None, errors):
                task.abort(error)

    async def _answer(self, call: Call, state: _OnLoop) -> None:
        backend = call.judge.backend
        async with state.slot(backend):
            ticket = self._desk.out(call)
            if ticket is None:
                return
            async with state.settled:
                while (admission := ticket.admit()) is Admission.WAIT:
                    await state.settled.wait()
            if admission is None:
                return
            try:
                ticket.back(await backend.complete(ticket.work))
            finally:
                ticket.give_up()
                async with state.settled:
                    state.settled.notify_all()
