"""Who is worked on next, where many requests are made and many answers come at the same time."""

import asyncio
import heapq
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from enum import IntEnum
from typing import Any

WAITS = ("connect_tcp.started", "send_request_body.complete")
"""What httpcore reports where a request has come as far as this process can bring it: it waits for its host."""
CONNECTED = ("connect_tcp.complete", "start_tls.complete")


class Rank(IntEnum):
    """Whose turn comes first: who is nearest to where only the host can go on."""

    CONNECTED = 0
    NEW = 1
    ANSWERED = 2


class Turn:
    """One request's hold on what one has at a time."""

    def __init__(self, turns: "Turns") -> None:
        self._turns = turns
        self._held = False

    async def take(self, rank: Rank) -> None:
        """Waits for it, unless it is held."""
        if not self._held:
            await self._turns.take(rank)
            self._held = True

    def leave(self) -> None:
        """Gives it up, if it is held; what its owner asks next without having to wait is among those who want it."""
        if self._held:
            self._held = False
            asyncio.get_running_loop().call_soon(self._turns.pass_on)


class Turns:
    """Works on one request at a time, except while it waits for its host. For one event loop.

    A loop lets all who are ready go on together, a step each: of 64 requests made at once none would leave before all
    64 were ready, and their answers would come at once again, for as long as there are any. In turns, the first is
    with its host while the last is made ready, and so they stay.
    """

    def __init__(self) -> None:
        self._taken = False
        self._waiting: list[tuple[Rank, int, asyncio.Future[None]]] = []
        self._count = itertools.count()

    @asynccontextmanager
    async def one(self) -> AsyncIterator[Turn]:
        """A turn, taken; it is left wherever the request waits for its host, and at the end."""
        turn = Turn(self)
        await turn.take(Rank.NEW)
        token = _turn.set(turn)
        try:
            yield turn
        finally:
            _turn.reset(token)
            turn.leave()

    async def take(self, rank: Rank) -> None:
        """Waits until nobody has it and nobody who comes first wants it."""
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
        """Lets the next one have it."""
        while self._waiting:
            _, _, granted = heapq.heappop(self._waiting)
            if not granted.done():
                granted.set_result(None)
                return
        self._taken = False


_turn: ContextVar[Turn | None] = ContextVar("turn", default=None)


async def traced(event: str, info: dict[str, Any]) -> None:
    """What httpcore calls at every event: its `trace` extension."""
    del info
    turn = _turn.get()
    if turn is not None and event.endswith(WAITS):
        turn.leave()
    elif turn is not None and event.endswith(CONNECTED):
        await turn.take(Rank.CONNECTED)
