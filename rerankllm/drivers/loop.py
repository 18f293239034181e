"""An event loop in a background thread."""

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar

T = TypeVar("T")


class BackgroundLoop:
    """Runs coroutines for callers on any thread, whether or not they have a running loop of their own.

    An HTTP client belongs to one event loop; those of a driver belong to this one.
    """

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._handed = deque[Callable[[], object]]()
        self._woken = False
        self._thread = threading.Thread(target=self._run, name="rerankllm", daemon=True)
        self._thread.start()

    def submit(self, coroutine: Coroutine[Any, Any, T]) -> "Future[T]":
        """Starts a coroutine and returns a future of its result."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop)

    def call(self, function: Callable[..., object], *arguments: object) -> None:
        """Calls a function soon on the loop's thread; does nothing once the loop is closed.

        To wake the thread takes longer than most of what is called: it is woken once for all that comes meanwhile.
        """
        self._handed.append(partial(function, *arguments))
        if not self._woken:
            self._woken = True
            with suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._call_all)

    def _call_all(self) -> None:
        self._woken = False  # first: whoever adds from now on wakes the loop again
        for _ in range(len(self._handed)):
            self._loop.call_soon(self._handed.popleft())

    def close(self) -> None:
        """Cancels the coroutines that still run and ends the thread."""
        if self._loop.is_closed():
            return
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _run(self) -> None:
        try:
            self._loop.run_forever()
        finally:
            self._loop.run_until_complete(_cancel_others())
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
            self._loop.close()


async def _cancel_others() -> None:
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
