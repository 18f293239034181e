"""All live queries advance together, and each round is one call of the backend."""

import asyncio
from itertools import groupby

from rerankllm.backends.base import Outcome
from rerankllm.drivers.base import Driver
from rerankllm.drivers.task import Call, Task

LINGER = 0.002
"""Seconds an idle driver waits after the first query, so that queries submitted together share their first round."""


class Rounds(Driver):
    """For engines that compute: the calls of every live query go to the backend as one batch.

    A query whose calls are all answered steps on at once; its next calls join the next round, with those of queries
    submitted meanwhile. A backend that asks for smaller batches (`Capabilities.batch`) gets a round in pieces, so
    that progress shows and finished queries can be written.
    """

    _waiting: list[Task]
    _serving: asyncio.Task[None] | None = None

    def _begin(self, task: Task) -> None:
        if self._serving is None:
            self._waiting = []
        task.start()
        if task.calls:
            self._waiting.append(task)
        if self._serving is None or self._serving.done():
            self._serving = asyncio.get_running_loop().create_task(self._serve())
            self._serving.add_done_callback(self._ended)

    async def _serve(self) -> None:
        await asyncio.sleep(LINGER)
        while self._waiting:
            tasks, self._waiting = self._waiting, []
            calls = [call for task in tasks for call in task.calls]
            by_backend = sorted(calls, key=lambda call: id(call.judge.backend))
            for _, group in groupby(by_backend, key=lambda call: id(call.judge.backend)):
                await self._answer(list(group))

    async def _answer(self, calls: list[Call]) -> None:
        backend = calls[0].judge.backend
        size = backend.capabilities.batch or len(calls)
        for start in range(0, len(calls), size):
            prepared = [
                (call, work)
                for call in calls[start : start + size]
                if not call.task.future.done() and (work := call.prepare()) is not None
            ]
            try:
                outcomes = await backend.complete_all([work for _, work in prepared])
                self._hand_out([call for call, _ in prepared], outcomes)
            except Exception as error:  # noqa: BLE001  # the backend's: it ends all who wait for it, and no one else
                for call in calls[start:]:
                    call.task.abort(error)
                return

    def _hand_out(self, batch: list[Call], outcomes: list[Outcome]) -> None:
        for call, outcome in zip(batch, outcomes, strict=True):
            waited_for = call.task.calls
            call.task.receive(call, outcome)
            if call.task.calls is not waited_for and call.task.calls:
                self._waiting.append(call.task)
