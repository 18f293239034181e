"""One task per query; nobody waits for anybody."""

import asyncio

from rerankllm.drivers.base import Driver
from rerankllm.drivers.task import Call, Task


class Concurrent(Driver):
    """For hosts with latency: every call goes out as soon as its query asks; the backend limits how many at a time."""

    _running: set[asyncio.Task[None]] | None = None

    def _begin(self, task: Task) -> None:
        self._running = self._running or set()
        running = asyncio.get_running_loop().create_task(self._run(task))
        self._running.add(running)
        running.add_done_callback(self._running.discard)

    async def _run(self, task: Task) -> None:
        task.start()
        while task.calls:
            errors = await asyncio.gather(*map(_answer, task.calls), return_exceptions=True)
            for error in errors:
                if error is not None:
                    task.abort(error)


async def _answer(call: Call) -> None:
    call.task.receive(call, await call.judge.backend.complete(call.work))
