"""The calls that wait for one backend, and which of them is sent next."""

from collections import OrderedDict, deque
from typing import TypeAlias

from rerankllm.calls import Backend
from rerankllm.drivers.budget import Admission
from rerankllm.drivers.gateway import Gateway, Ticket
from rerankllm.drivers.task import Call

Batch: TypeAlias = deque[Call | Ticket]
"""What is left of the calls that a query asked for together; a call that is prepared is a ticket."""


class FairQueue:
    """Parties take turns at a backend, so that one with a thousand calls does not hold up one with five.

    In its turn a party sends its share of what the backend takes at a time. Within a party, queries are served in the
    order in which they ask, and all calls of a query before those of the next. The prompts of one query begin alike,
    and an engine reads the common beginning once. Queries are also finished one after the other this way.

    Args:
        backend: The backend.
        gateway: Prepares and admits the calls.
        size: Calls that the backend takes at a time; None for any number.

    Attributes:
        under_way: Calls from this queue that are under way; the driver counts them.
    """

    def __init__(self, backend: Backend, gateway: Gateway, size: int | None) -> None:
        self.backend = backend
        self.size = size
        self.under_way = 0
        self._gateway = gateway
        self._parties: OrderedDict[object, deque[Batch]] = OrderedDict()
        self._held: list[tuple[object, Batch]] = []
        self._stuck = False
        self._left = 0

    def __bool__(self) -> bool:
        return bool(self._parties or self._held)

    def __len__(self) -> int:
        batches = (*(b for queue in self._parties.values() for b in queue), *(b for _, b in self._held))
        return sum(map(len, batches))

    def add(self, calls: Batch) -> None:
        """Appends the calls that a query asks for together to the queue of its party."""
        self._parties.setdefault(calls[0].task.party, deque()).append(calls)

    def next(self) -> Ticket | None:
        """The next call that may be sent, prepared; None if there is none at the moment.

        A call that the remaining budget might not cover waits until running calls report their cost, which the driver
        says by `settled`: for a query's budget that query's calls wait, for the run's budget all.
        """
        while self._parties and not self._stuck:
            party = next(iter(self._parties))
            queue = self._parties[party]
            batch = queue[0]
            first = batch.popleft()
            ticket = self._ticket(first)
            admission = None if ticket is None else ticket.admit()
            if ticket is not None and admission is Admission.WAIT:
                batch.appendleft(ticket)
                self._stuck = True
            elif ticket is not None and admission is Admission.HOLD:
                batch.appendleft(ticket)
                self._held.append((party, queue.popleft()))
                self._pass_on(party, queue, 0)
            else:
                if not batch:
                    queue.popleft()
                self._pass_on(party, queue, 1)
                if admission is Admission.SEND:
                    return ticket
        return None

    def _ticket(self, call: Call | Ticket) -> Ticket | None:
        """A call, prepared; None if there is nothing to send, or if it cannot be, which its query is told."""
        if not isinstance(call, Call):
            return call
        try:
            return self._gateway.out(call)
        except Exception as error:  # noqa: BLE001  # belongs to whoever waits for this query
            call.task.abort(error)
            return None

    def settled(self) -> None:
        """Lets the calls that waited for a budget be tried again, before all others."""
        self._stuck = False
        while self._held:
            self._left = 0
            party, batch = self._held.pop()
            self._parties.setdefault(party, deque()).appendleft(batch)
            self._parties.move_to_end(party, last=False)

    def abort(self, error: Exception) -> None:
        """Ends every query that waits here."""
        self.settled()
        for queue in self._parties.values():
            for batch in queue:
                batch[0].task.abort(error)
        self._parties.clear()

    def _pass_on(self, party: object, queue: deque[Batch], sent: int) -> None:
        """Ends the turn of a party that has sent its share or has nothing left to send."""
        if not queue:
            del self._parties[party]
            self._left = 0
        elif self.size is not None:
            self._left = (self._left or max(1, self.size // len(self._parties))) - sent
            if not self._left:
                self._parties.move_to_end(party)
