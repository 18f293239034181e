"""Waiting for what another thread answers."""

import asyncio
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")


async def all_of(futures: Sequence[Future[T]]) -> list[T]:
    """The results of all, in order, for which the event loop is woken once and not for each.

    Raises:
        Exception: What the first of them to fail raises, as soon as it does.
    """
    loop, lock = asyncio.get_running_loop(), threading.Lock()
    ended: asyncio.Future[None] = loop.create_future()
    left = len(futures)

    def note(future: Future[T]) -> None:
        nonlocal left
        with lock:
            left -= 1
        if not left or future.cancelled() or future.exception() is not None:
            loop.call_soon_threadsafe(end)

    def end() -> None:
        if not ended.done():
            ended.set_result(None)

    for future in futures:
        future.add_done_callback(note)
    if futures:
        await ended
    for future in futures:
        if future.done():
            future.result()
    return [future.result() for future in futures]
