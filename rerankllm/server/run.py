"""Runs the server with uvicorn, and shuts it down in order."""

import asyncio
import errno
import ipaddress
import os
import signal
import socket
from collections.abc import Callable
from types import FrameType

import uvicorn

from rerankllm.errors import InputError
from rerankllm.server.app import Server

IDLE_SECONDS = 30
LAST_SECONDS = 2
"""Seconds for responses that are still being written when the server has closed."""


class Running(uvicorn.Server):
    """uvicorn with a shutdown in two steps.

    The first signal lets requests under way finish and refuses others, the second ends all.

    Args:
        server: The server to run.
        opened: A socket that has its address, from `open_socket`.
        grace: Seconds that requests under way have to finish.
        ready: Called with the URL when the server listens.
    """

    def __init__(
        self, server: Server, opened: socket.socket, grace: float, ready: Callable[[str], None] | None = None
    ) -> None:
        config = uvicorn.Config(
            server.app,
            log_config=None,
            access_log=False,
            server_header=False,
            lifespan="off",
            timeout_keep_alive=IDLE_SECONDS,
            timeout_graceful_shutdown=LAST_SECONDS,
        )
        super().__init__(config)
        self._in_flight, self._grace, self._ready = server.in_flight, grace, ready
        self._opened = opened
        self._running: asyncio.AbstractEventLoop | None = None
        self._ending: asyncio.Task[None] | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Starts listening, and calls `ready`."""
        self._running = asyncio.get_running_loop()
        await super().startup([self._opened, *(sockets or [])])
        if self.started and self._ready is not None:
            host, port = self._opened.getsockname()[:2]
            self._ready(f"http://{f'[{host}]' if ':' in host else host}:{port}")

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stops listening, and closes the connections."""
        await super().shutdown([self._opened, *(sockets or [])])

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begins the shutdown; called on a signal."""
        if self._running is None or self._in_flight.closing:
            super().handle_exit(signal.SIGINT if self._in_flight.closing else sig, frame)
            return
        self._in_flight.closing = True
        self._running.call_soon_threadsafe(self._end)

    def _end(self) -> None:
        self._ending = asyncio.ensure_future(self._in_flight.close(self._grace))
        self._ending.add_done_callback(lambda _: setattr(self, "should_exit", True))


def open_socket(host: str, port: int) -> socket.socket:
    """A socket with this address, at which nothing is answered yet; port 0 is any that is free.

    Raises:
        InputError: The address is none of this machine, or is taken.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        opened = socket.socket(family, socket.SOCK_STREAM)
    except OSError as error:
        raise InputError(f"--host {host}: {error.strerror}") from None
    try:
        if os.name == "posix":
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.bind(address)
    except OSError as error:
        opened.close()
        what = "something listens there already: take another --port, or 0 for any" if _taken(error) else error.strerror
        raise InputError(f"cannot listen at {host}:{port}: {what}") from None
    return opened


def _taken(error: OSError) -> bool:
    return error.errno == errno.EADDRINUSE


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a server that listens at `host`."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
