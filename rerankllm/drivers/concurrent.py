"""Sends every call by itself, so that no query waits for another."""

import asyncio
from functools import partial

from rerankllm.calls import Backend
from rerankllm.drivers.base import Driver
from rerankllm.drivers.budget import Budget
from rerankllm.drivers.fair_queue import FairQueue
from rerankllm.drivers.gateway import Ticket
from rerankllm.drivers.judges import Resolve
from rerankllm.drivers.task import Observer, Task

PREPARED = 1024
"""Calls that may hold a finished prompt at a time, for backends that take any number."""
BREATH = 16
"""Calls that a slot answers before it yields to the event loop; it matters where answers come without waiting."""
PATIENCE = 0.01
"""Seconds until a budget that others share is asked again, when no call of this driver is under way."""


class Concurrent(Driver):
    """For hosts with latency: every call goes out as soon as its query asks and the backend has a slot for it.

    A slot takes one call after another from the queue. If the answer to one call makes its query ask the next, and that
    call is first in the queue, the same slot sends it at once.
    """

    def __init__(
        self,
        resolve: Resolve,
        observer: Observer | None = None,
        budget: Budget | None = None,
        *,
        counts_kept: bool = False,
    ) -> None:
        super().__init__(resolve, observer, budget, counts_kept=counts_kept)
        self._slots: dict[asyncio.Task[None], Ticket] = {}

    def _begin(self, task: Task) -> None:
        super()._begin(task)
        task.future.add_done_callback(lambda future: self._loop.call(self._stop, task) if future.cancelled() else None)

    def _size(self, backend: Backend) -> int:
        """The most calls under way at a backend; for one that takes batches, two batches."""
        return backend.capabilities.slots or 2 * (backend.capabilities.batch or PREPARED // 2)

    def _go(self) -> None:
        for key, queue in list(self._queues.items()):
            queue.settled()
            while queue.under_way < self._size(queue.backend) and (ticket := queue.next()):
                queue.under_way += 1
                slot = asyncio.get_running_loop().create_task(self._use(queue, ticket))
                self._slots[slot] = ticket
                slot.add_done_callback(partial(self._free, queue))
            if not queue and not queue.under_way:
                del self._queues[key]
        if self._queues and not self._slots:
            asyncio.get_running_loop().call_later(PATIENCE, self._step)

    async def _use(self, queue: FairQueue, ticket: Ticket | None) -> None:
        """A slot: sends this call, and then one after another from the queue."""
        slot, answered = asyncio.current_task(), 0
        assert slot is not None  # noqa: S101
        while ticket is not None:
            self._slots[slot] = ticket
            try:
                ticket.back(await queue.backend.complete(ticket.work))
            except Exception as error:  # noqa: BLE001  # the backend's: it ends who asked
                ticket.call.task.abort(error)
            finally:
                ticket.give_up()
            answered += 1
            if answered % BREATH == 0:
                await asyncio.sleep(0)
            queue.settled()
            ticket = queue.next()
            self._step()

    def _free(self, queue: FairQueue, slot: "asyncio.Task[None]") -> None:
        """Frees a slot that has ended; if a call was under way, its query was cancelled."""
        self._slots.pop(slot).give_up()
        queue.under_way -= 1
        self._ended(slot)
        self._step()

    def _stop(self, task: Task) -> None:
        """Ends the calls under way for a query."""
        for slot, ticket in self._slots.items():
            if ticket.call.task is task:
                slot.cancel()
