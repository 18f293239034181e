"""Counts the requests under way, limits them, and ends them when the server shuts down."""

import asyncio
import contextlib
from collections.abc import Iterator

from rerankllm.server.metrics import Metrics
from rerankllm.server.problems import Fault, Problem

RETRY = {"Retry-After": "1"}
LEAVING = 1.0
"""Grace period in seconds for cancelled requests to get their error response."""


class InFlight:
    """The requests under way.

    Args:
        room: Most requests under way at a time.
        metrics: Publishes how many there are.

    Attributes:
        ousted: Set when the requests under way are cancelled.
        closing: Whether the server is shutting down.
    """

    def __init__(self, room: int, metrics: Metrics) -> None:
        self.ousted = asyncio.Event()
        self.closing = False
        self._room, self._metrics = room, metrics
        self._inside = 0
        self._empty = asyncio.Event()
        self._empty.set()

    @contextlib.contextmanager
    def passing(self) -> Iterator[None]:
        """Counts a request for the time of the context.

        Raises:
            Problem: Too many requests are under way, or the server is shutting down.
        """
        if self.closing:
            raise Problem(Fault.CLOSING, "the server is shutting down", headers={**RETRY, "Connection": "close"})
        if self._inside >= self._room:
            raise Problem(Fault.BUSY, f"{self._room} requests are under way already: ask again later", headers=RETRY)
        self._count(1)
        try:
            yield
        finally:
            self._count(-1)

    async def close(self, grace: float) -> None:
        """Refuses new requests, gives those under way so many seconds, then cancels them."""
        self.closing = True
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._empty.wait(), grace)
        self.ousted.set()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._empty.wait(), LEAVING)

    def _count(self, change: int) -> None:
        self._inside += change
        self._metrics.in_flight(self._inside)
        if self._inside:
            self._empty.clear()
        else:
            self._empty.set()
