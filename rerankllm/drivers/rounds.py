"""Sends the calls of all live queries together: each round is one call of the backend."""

import asyncio
from itertools import chain

from rerankllm.calls import Backend, Outcome
from rerankllm.drivers.base import Driver
from rerankllm.drivers.fair_queue import FairQueue
from rerankllm.drivers.gateway import Ticket
from rerankllm.drivers.task import Task

LINGER = 0.002
"""Seconds an idle driver waits after the first query, so that queries submitted together share their first round."""


class Rounds(Driver):
    """For engines that compute: the calls of every live query go to the backend as one batch.

    A query goes on as soon as its calls are answered, and its next calls join the next round, together with those of
    queries submitted meanwhile. A backend that asks for smaller batches (`Capabilities.batch`) gets a round in pieces,
    so that progress shows and finished queries can be written. Every party has its share of each piece.
    """

    _serving: asyncio.Task[None] | None = None

    def _size(self, backend: Backend) -> int | None:
        return backend.capabilities.batch

    def _go(self) -> None:
        if self._queues and (self._serving is None or self._serving.done()):
            self._serving = asyncio.get_running_loop().create_task(self._serve())
            self._serving.add_done_callback(self._ended)

    async def _serve(self) -> None:
        await asyncio.sleep(LINGER)
        while self._queues:
            for key, queue in list(self._queues.items()):
                queue.settled()
                tickets = self._piece(queue)
                if tickets:
                    await self._answer(queue, tickets)
                elif queue:  # a budget that others share is used up for now
                    await asyncio.sleep(LINGER)
                if not queue:
                    self._queues.pop(key, None)

    def _piece(self, queue: FairQueue) -> list[Ticket]:
        """The calls to send together: as many as the backend takes and the budgets admit."""
        size = queue.size or len(queue)
        tickets: list[Ticket] = []
        while len(tickets) < size and (ticket := queue.next()):
            tickets.append(ticket)
        together: dict[Task, list[Ticket]] = {}
        for ticket in tickets:
            together.setdefault(ticket.call.task, []).append(ticket)
        return list(chain.from_iterable(together.values()))

    async def _answer(self, queue: FairQueue, tickets: list[Ticket]) -> None:
        try:
            if queue.backend.capabilities.remote:
                await self._send_each(queue.backend, tickets)
            else:
                outcomes = await queue.backend.complete_all([ticket.work for ticket in tickets])
                _hand_out(tickets, outcomes)
        except Exception as error:  # noqa: BLE001  # the backend's: it ends the queries that wait for it, and no others
            for ticket in tickets:
                ticket.give_up()
                ticket.call.task.abort(error)
            queue.abort(error)

    async def _send_each(self, backend: Backend, tickets: list[Ticket]) -> None:
        """Sends calls that each cost something one by one: an answer is kept as soon as it is there."""

        async def send(ticket: Ticket) -> None:
            ticket.back(await backend.complete(ticket.work))

        for error in await asyncio.gather(*map(send, tickets), return_exceptions=True):
            if error is not None:
                raise error


def _hand_out(tickets: list[Ticket], outcomes: list[Outcome]) -> None:
    for ticket, outcome in zip(tickets, outcomes, strict=True):
        ticket.back(outcome)
