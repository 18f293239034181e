"""Waiting for what happens, however long it takes on a slow or busy machine, and clocks that tests move themselves."""

import asyncio
import time
from collections.abc import Callable

GUARD = 900.0
"""Seconds after which a test gives up. Only what hangs takes so long; no test measures anything by it."""


def until(condition: Callable[[], object]) -> None:
    """Waits until something is so."""
    end = time.monotonic() + GUARD
    while not condition():
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.005)


async def happens(condition: Callable[[], object]) -> None:
    """The same on an event loop, which goes on meanwhile."""
    await asyncio.to_thread(until, condition)


def leap(loop: asyncio.AbstractEventLoop, seconds: float) -> None:
    """Moves an event loop's clock ahead; may be called on any thread.

    A test gives a time-out a length that nothing reaches by itself, and leaps that far once what is to be interrupted
    has begun: then the time-out expires at once.
    """

    def jump() -> None:
        before = loop.time
        loop.time = lambda: before() + seconds  # type: ignore[method-assign]

    loop.call_soon_threadsafe(jump)


class ImpatientLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock jumps to the next timer instead of waiting for it, and stands still otherwise.

    For code that waits for timers alone: whoever waits for a socket or a thread sees his time-outs expire at once.
    """

    _now = 0.0

    def time(self) -> float:
        return self._now

    def _run_once(self) -> None:
        if not self._ready and self._scheduled:
            self._now = max(self._now, self._scheduled[0].when())
        super()._run_once()
