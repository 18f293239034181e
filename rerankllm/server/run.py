"""Running the server: where it listens, and how it ends."""

import asyncio
import ipaddress
import signal
import socket
from collections.abc import Callable
from types import FrameType

import uvicorn

from rerankllm.server.app import Server

IDLE_SECONDS = 30
LAST_SECONDS = 2
"""For answers that are written to their last byte when the door is closed already."""


class Running(uvicorn.Server):
    """uvicorn, but for its end: a first signal lets requests under way finish and refuses others, a second ends all.

    Args:
        server: What to run.
        host: Where to listen.
        port: Where to listen; 0 for any that is free.
        grace: Seconds that requests under way are given to finish.
        ready: Told the address when it listens.
    """

    def __init__(
        self, server: Server, host: str, port: int, grace: float, ready: Callable[[str], None] | None = None
    ) -> None:
        config = uvicorn.Config(
            server.app,
            host,
            port,
            log_config=None,
            access_log=False,
            server_header=False,
            lifespan="off",
            timeout_keep_alive=IDLE_SECONDS,
            timeout_graceful_shutdown=LAST_SECONDS,
        )
        super().__init__(config)
        self._door, self._grace, self._ready = server.door, grace, ready
        self._running: asyncio.AbstractEventLoop | None = None
        self._ending: asyncio.Task[None] | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listens, and says where."""
        self._running = asyncio.get_running_loop()
        await super().startup(sockets)
        if self.started and self._ready is not None:
            host, port = self.servers[0].sockets[0].getsockname()[:2]
            self._ready(f"http://{f'[{host}]' if ':' in host else host}:{port}")

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """The end begins; called by signals."""
        if self._running is None or self._door.closing:
            super().handle_exit(signal.SIGINT if self._door.closing else sig, frame)
            return
        self._door.closing = True
        self._running.call_soon_threadsafe(self._end)

    def _end(self) -> None:
        self._ending = asyncio.ensure_future(self._door.close(self._grace))
        self._ending.add_done_callback(lambda _: setattr(self, "should_exit", True))


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach what listens there."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
