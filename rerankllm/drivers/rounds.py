"""All live queries advance together, and each round is one call of the backend."""

import asyncio

from rerankllm.calls import Backend, Outcome
from rerankllm.drivers.base import Driver
from rerankllm.drivers.fair_queue import FairQueue
from rerankllm.drivers.gateway import Ticket
from rerankllm.drivers.task import Task

LINGER = 0.002
"""Seconds an idle driver waits after the first query, so that queries submitted together share their first round."""


class Rounds(Driver):
    """For engines that compute: the calls of every live query go to the backend as one batch.

    A query whose calls are all answered steps on at once; its next calls join the next round, with those of queries
    submitted meanwhile. A backend that asks for smaller batches (`Capabilities.batch`) gets a round in pieces, so
    that progress shows and finished queries can be written; every party has its share of each.
    """

    _serving: asyncio.Task[None] | None = None

    def _size(self, backend: Backend) -> int | None:
        return backend.capabilities.batch

    def _go(self) -> None:
        if self._lanes and (self._serving is None or self._serving.done()):
            self._serving = asyncio.get_running_loop().create_task(self._serve())
            self._serving.add_done_callback(self._ended)

    async def _serve(self) -> None:
        await asyncio.sleep(LINGER)
        while self._lanes:
            for key, lane in list(self._lanes.items()):
                lane.settled()
                tickets = self._piece(lane)
                if tickets:
                    await self._answer(lane, tickets)
                elif lane:  # others spend of the same budget
                    await asyncio.sleep(LINGER)
                if not lane:
                    del self._lanes[key]

    def _piece(self, lane: FairQueue) -> list[Ticket]:
        """What is to be sent together: as much as the backend takes, or the budgets let go at once."""
        size = lane.size or len(lane)
        tickets: list[Ticket] = []
        while len(tickets) < size and (ticket := lane.next()):
            tickets.append(ticket)
        places: dict[Task, int] = {}
        for ticket in tickets:
            places.setdefault(ticket.call.task, len(places))
        return sorted(tickets, key=lambda ticket: places[ticket.call.task])

    async def _answer(self, lane: FairQueue, tickets: list[Ticket]) -> None:
        try:
            if lane.backend.capabilities.remote:
                await self._send_each(lane.backend, tickets)
            else:
                outcomes = await lane.backend.complete_all([ticket.work for ticket in tickets])
                _hand_out(tickets, outcomes)
        except Exception as error:  # noqa: BLE001  # the backend's: it ends all who wait for it, and no one else
            for ticket in tickets:
                ticket.give_up()
                ticket.call.task.abort(error)
            lane.abort(error)

    async def _send_each(self, backend: Backend, tickets: list[Ticket]) -> None:
        """Calls that cost by themselves: each answer is kept as soon as it is there, whatever becomes of the others."""

        async def send(ticket: Ticket) -> None:
            ticket.back(await backend.complete(ticket.work))

        for error in await asyncio.gather(*map(send, tickets), return_exceptions=True):
            if error is not None:
                raise error


def _hand_out(tickets: list[Ticket], outcomes: list[Outcome]) -> None:
    for ticket, outcome in zip(tickets, outcomes, strict=True):
        ticket.back(outcome)
