"""One task per query; nobody waits for anybody."""

import asyncio

from rerankllm.drivers.base import Driver
from rerankllm.drivers.task import Call, Task

PREPARED = 1024
"""Calls of all queries that may hold a finished prompt at a time; above what backends send at once."""


class Concurrent(Driver):
    """For hosts with latency: every call goes out as soon as its query asks; the backend limits how many at a time."""

    _running: set[asyncio.Task[None]] | None = None
    _prepared: asyncio.Semaphore | None = None

    def _begin(self, task: Task) -> None:
        loop = asyncio.get_running_loop()
        self._running = self._running or set()
        self._prepared = self._prepared or asyncio.Semaphore(PREPARED)
        running = loop.create_task(self._run(task, self._prepared))
        self._running.add(running)
        running.add_done_callback(self._running.discard)
        running.add_done_callback(self._ended)
        task.future.add_done_callback(lambda future: self._loop.call(running.cancel) if future.cancelled() else None)

    async def _run(self, task: Task, prepared: asyncio.Semaphore) -> None:
        task.start()
        while task.calls:
            errors = await asyncio.gather(*(_answer(call, prepared) for call in task.calls), return_exceptions=True)
            for error in filter(None, errors):
                task.abort(error)


async def _answer(call: Call, prepared: asyncio.Semaphore) -> None:
    async with prepared:
        work = None if call.task.future.done() else call.prepare()
        if work is not None:
            call.task.receive(call, await call.judge.backend.complete(work))
