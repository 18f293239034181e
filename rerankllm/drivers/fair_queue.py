"""The calls that wait for one backend, and whose is next."""

from collections import OrderedDict, deque
from typing import TypeAlias

from rerankllm.calls import Backend
from rerankllm.drivers.budget import Admission
from rerankllm.drivers.gateway import Gateway, Ticket
from rerankllm.drivers.task import Call

Batch: TypeAlias = deque[Call | Ticket]
"""What is left of the calls that a query asked for together; those that are ready are tickets."""


class FairQueue:
    """Parties take turns at a backend, so that one with a thousand calls holds up none with five.

    In its turn a party sends its share of what the backend takes at a time. Its queries are served in the order in
    which they ask, all calls of one before the next one's: what they asked together has prompts that begin alike, of
    which engines read the beginning once, and queries are done one after the other.

    Args:
        backend: The backend.
        desk: Where every call passes.
        size: Calls that the backend takes at a time; None for any number.

    Attributes:
        under_way: Calls that the driver says it has sent from here.
    """

    def __init__(self, backend: Backend, desk: Gateway, size: int | None) -> None:
        self.backend = backend
        self.size = size
        self.under_way = 0
        self._desk = desk
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
        """Puts what a query asks together behind what its party asked before."""
        self._parties.setdefault(calls[0].task.party, deque()).append(calls)

    def next(self) -> Ticket | None:
        """The next call that may be sent, ready; None while there is none.

        What a budget lets go only after calls under way have told what they took waits until `settled`: the calls of
        one query for its own budget, all for that of the run.
        """
        while self._parties and not self._stuck:
            party = next(iter(self._parties))
            queue = self._parties[party]
            batch = queue[0]
            first = batch.popleft()
            ticket = self._desk.out(first) if isinstance(first, Call) else first
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

    def settled(self) -> None:
        """Lets those try again who waited for what calls under way would take, before all others."""
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
        """Ends the turn of a party that has sent its share, or has nothing more to send."""
        if not queue:
            del self._parties[party]
            self._left = 0
        elif self.size is not None:
            self._left = (self._left or max(1, self.size // len(self._parties))) - sent
            if not self._left:
                self._parties.move_to_end(party)
