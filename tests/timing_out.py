"""Time-outs of `openai:` that nobody has to wait for, however slow the machine is."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from scripted_server import ScriptedServer
from waiting import GUARD, leap

from rerankllm.backends.openai.backend import OpenAI
from rerankllm.calls import CallFailed, Request, Response


@contextmanager
def times_out_at_once(server: ScriptedServer) -> Iterator[None]:
    """Lets `GUARD` seconds pass whenever all requests that are under way hang: those time out, and no other does.

    Args:
        server: Where all of them go.
    """
    send, loops = OpenAI.send, []
    waiting = begun = seen = 0

    def look() -> None:
        nonlocal seen
        if begun > seen and server.hanging == waiting:
            seen = begun
            leap(loops[-1], GUARD)

    def on_hang() -> None:
        nonlocal begun
        begun += 1
        loops[-1].call_soon_threadsafe(look)

    async def watched(self: OpenAI, request: Request) -> Response | CallFailed:
        nonlocal waiting
        loops.append(asyncio.get_running_loop())
        waiting += 1
        try:
            return await send(self, request)
        finally:
            waiting -= 1
            look()

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(OpenAI, "send", watched)
        patched.setattr(server, "on_hang", on_hang)
        yield
