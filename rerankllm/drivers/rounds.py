"""All live queries advance together, and each round is one call of the backend."""

import asyncio
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import groupby

from rerankllm.backends.base import Outcome
from rerankllm.budget import Admission
from rerankllm.drivers.base import Driver
from rerankllm.drivers.desk import Ticket
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
        waiting = deque(calls)
        while waiting:
            tickets = self._piece(waiting, size)
            try:
                if backend.capabilities.remote:
                    await self._send_each(tickets)
                else:
                    outcomes = await backend.complete_all([ticket.work for ticket in tickets])
                    self._hand_out(tickets, outcomes)
            except Exception as error:  # noqa: BLE001  # the backend's: it ends all who wait for it, and no one else
                for ticket in tickets:
                    ticket.give_up()
                for call in (*(ticket.call for ticket in tickets), *waiting):
                    call.task.abort(error)
                return

    async def _send_each(self, tickets: list[Ticket]) -> None:
        """Calls that cost by themselves: each answer is kept as soon as it is there, whatever becomes of the others."""

        async def send(ticket: Ticket) -> None:
            outcome = await ticket.call.judge.backend.complete(ticket.work)
            self._hand_out([ticket], [outcome])

        for error in await asyncio.gather(*map(send, tickets), return_exceptions=True):
            if error is not None:
                raise error

    def _hand_out(self, tickets: list[Ticket], outcomes: list[Outcome]) -> None:
        for ticket, outcome in zip(tickets, outcomes, strict=True):
            with self._moving_on(ticket.call.task):
                ticket.back(outcome)

    def _piece(self, waiting: deque[Call], size: int) -> list[Ticket]:
        """Takes from the front what is to be sent together: `size` calls, or as many as the budgets let go at once.

        A query that has to wait for its own calls keeps its order and holds up no other.
        """
        tickets: list[Ticket] = []
        held: deque[Call] = deque()
        holding: set[Task] = set()
        while waiting and len(tickets) < size:
            call = waiting[0]
            admission: Admission | None = Admission.HOLD
            if call.task not in holding:
                with self._moving_on(call.task):
                    ticket = self._desk.out(call)
                    admission = None if ticket is None else ticket.admit()
                if ticket is not None and admission is Admission.SEND:
                    tickets.append(ticket)
            if admission is Admission.WAIT:
                break
            waiting.popleft()
            if admission is Admission.HOLD:
                holding.add(call.task)
                held.append(call)
        waiting.extendleft(reversed(held))
        return tickets

    @contextmanager
    def _moving_on(self, task: Task) -> Iterator[None]:
        """Puts the task in the next round if it asks for something new meanwhile."""
        waited_for = task.calls
        yield
        if task.calls is not waited_for and task.calls:
            self._waiting.append(task)
