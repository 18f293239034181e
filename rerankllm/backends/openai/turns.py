"""Works on one HTTP request at a time on an event loop, so that many that start together do not delay each other."""

import asyncio
import heapq
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from enum import IntEnum
from typing import Any

WAITS = ("connect_tcp.started", "send_request_body.complete")
"""Events by which httpcore reports that a request now waits for its host."""
CONNECTED = ("connect_tcp.complete", "start_tls.complete")


class Rank(IntEnum):
    """The order in which waiting requests get the slot: first those that are soonest with their host."""

    CONNECTED = 0
    NEW = 1
    ANSWERED = 2


class Turn:
    """A request's hold on the single event-loop slot."""

    def __init__(self, turns: "Turns") -> None:
        self._turns = turns
        self._held = False

    async def take(self, rank: Rank) -> None:
        """Waits for the slot, unless this request holds it."""
        if not self._held:
            await self._turns.take(rank)
            self._held = True

    def leave(self) -> None:
        """Gives the slot up, if this request holds it.

        The next holder is chosen on the loop's next step: a request that the same query makes at once is then waiting.
        """
        if self._held:
            self._held = False
            asyncio.get_running_loop().call_soon(self._turns.pass_on)


class Turns:
    """One slot for all requests of an event loop; a request holds it except while it waits for its host.

    An event loop advances all requests that are ready, a step each. Of 64 requests made together none would be sent
    before all 64 were prepared; their answers would then come together, and so on. With one slot, the first request is
    with its host while the last is prepared, and they stay spread out.
    """

    def __init__(self) -> None:
        self._taken = False
        self._waiting: list[tuple[Rank, int, asyncio.Future[None]]] = []
        self._count = itertools.count()

    @asynccontextmanager
    async def one(self) -> AsyncIterator[Turn]:
        """Takes the slot for a request; it is given up whenever the request waits for its host, and at the end."""
        turn = Turn(self)
        await turn.take(Rank.NEW)
        token = _turn.set(turn)
        try:
            yield turn
        finally:
            _turn.reset(token)
            turn.leave()

    async def take(self, rank: Rank) -> None:
        """Waits until the slot is free and no request with a lower rank waits."""
        if not self._taken:
            self._taken = True
            return
        granted = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (rank, next(self._count), granted))
        try:
            await granted
        except asyncio.CancelledError:
            if not granted.cancelled():
                self.pass_on()
            raise

    def pass_on(self) -> None:
        """Gives the slot to the next request."""
        while self._waiting:
            _, _, granted = heapq.heappop(self._waiting)
            if not granted.done():
                granted.set_result(None)
                return
        self._taken = False


_turn: ContextVar[Turn | None] = ContextVar("turn", default=None)


async def traced(event: str, info: dict[str, Any]) -> None:
    """Called by httpcore at every event (its `trace` extension)."""
    del info
    turn = _turn.get()
    if turn is not None and event.endswith(WAITS):
        turn.leave()
    elif turn is not None and event.endswith(CONNECTED):
        await turn.take(Rank.CONNECTED)
