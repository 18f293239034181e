"""Every call by itself; nobody waits for anybody."""

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
"""Calls that a slot answers before others on the event loop get their turn, where no call has to wait for anything."""
PATIENCE = 0.01
"""Seconds until a budget that others spend of too is asked again, where nothing of one's own is under way."""


class Concurrent(Driver):
    """For hosts with latency: every call goes out as soon as its query asks and the backend has a slot for it.

    A slot answers one call after another, whoever's turn it is. Where a query's next call is what comes next, it is
    made in the same breath in which the last one's answer was read.
    """

    def __init__(self, resolve: Resolve, observer: Observer | None = None, budget: Budget | None = None) -> None:
        super().__init__(resolve, observer, budget)
        self._slots: dict[asyncio.Task[None], Ticket] = {}

    def _begin(self, task: Task) -> None:
        super()._begin(task)
        task.future.add_done_callback(lambda future: self._loop.call(self._stop, task) if future.cancelled() else None)

    def _size(self, backend: Backend) -> int:
        """What limits the calls under way at a backend: where it takes batches, to the next one and the one after."""
        return backend.capabilities.slots or 2 * (backend.capabilities.batch or PREPARED // 2)

    def _go(self) -> None:
        for key, lane in list(self._lanes.items()):
            lane.settled()
            while lane.under_way < self._size(lane.backend) and (ticket := lane.next()):
                lane.under_way += 1
                slot = asyncio.get_running_loop().create_task(self._use(lane, ticket))
                self._slots[slot] = ticket
                slot.add_done_callback(partial(self._free, lane))
            if not lane and not lane.under_way:
                del self._lanes[key]
        if self._lanes and not self._slots:
            asyncio.get_running_loop().call_later(PATIENCE, self._go)

    async def _use(self, lane: FairQueue, ticket: Ticket | None) -> None:
        """A slot: answers this call, and then whichever is next."""
        slot, answered = asyncio.current_task(), 0
        assert slot is not None  # noqa: S101
        while ticket is not None:
            self._slots[slot] = ticket
            try:
                ticket.back(await lane.backend.complete(ticket.work))
            except Exception as error:  # noqa: BLE001  # the backend's: it ends who asked
                ticket.call.task.abort(error)
            finally:
                ticket.give_up()
            answered += 1
            if answered % BREATH == 0:
                await asyncio.sleep(0)
            lane.settled()
            ticket = lane.next()
            self._go()

    def _free(self, lane: FairQueue, slot: "asyncio.Task[None]") -> None:
        """Takes a slot back, its query having been cancelled if a call was under way."""
        self._slots.pop(slot).give_up()
        lane.under_way -= 1
        self._ended(slot)
        self._go()

    def _stop(self, task: Task) -> None:
        """Ends the calls under way for a query."""
        for slot, ticket in self._slots.items():
            if ticket.call.task is task:
                slot.cancel()
