"""Runs the server with uvicorn, and shuts it down in order."""

import asyncio
import errno
import gc
import ipaddress
import os
import signal
import socket
from collections.abc import Callable, Collection
from types import FrameType

import uvicorn
from uvicorn.protocols.http.auto import AutoHTTPProtocol

from rerankllm.errors import InputError
from rerankllm.server.app import Server

IDLE_SECONDS = 30
HEAD_SECONDS = 10
"""Seconds in which the first line and the headers of a request should be there."""
LAST_SECONDS = 2
"""Seconds for responses that are still being written when the server has closed."""


class _Impatient(AutoHTTPProtocol):  # type: ignore[misc, valid-type]
    """uvicorn's HTTP protocol, which closes a connection that leaves a request's headers unfinished."""

    _waiting: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:
        super().connection_made(transport)
        self._wait()

    def data_received(self, data: bytes) -> None:
        before = self.cycle
        super().data_received(data)
        if self.cycle is not before:
            self._stop_waiting()
        elif (self.cycle is None or self.cycle.response_complete) and self._waiting is None:
            self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    def _wait(self) -> None:
        self._waiting = self.loop.call_later(HEAD_SECONDS, self.transport.close)

    def _stop_waiting(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None


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
            http=_Impatient,
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


def keep_loaded() -> None:
    """Tells Python's garbage collector that what is loaded by now stays: it need not look through it again and again.

    That was a quarter of the server's time. For a process that does nothing but serve, once all is loaded.
    """
    gc.collect()
    gc.freeze()


def names_of(host: str, allowed: Collection[str]) -> frozenset[str]:
    """The names that a server at `host` is called by, those allowed besides among them; none stands for any."""
    if not allowed and not is_loopback(host):
        return frozenset()
    own = f"[{host}]" if ":" in host else host
    return frozenset({"localhost", "127.0.0.1", "[::1]", own.lower(), *map(str.lower, allowed)})


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
