"""What every request passes: keys, limits, deadlines, hang-ups, counting. Plain ASGI, so that bodies are met here."""

import asyncio
import json
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rerankllm.server.context import RequestContext
from rerankllm.server.in_flight import RETRY, InFlight
from rerankllm.server.keys import Keys
from rerankllm.server.metrics import Metrics
from rerankllm.server.problems import Fault, Problem

log = logging.getLogger(__name__)

KEPT_READING = 4
"""How many times the bytes allowed are read, and forgotten, before a client hears that they are too many: most send
everything before they listen."""
GONE = 499


@dataclass(frozen=True, slots=True)
class Limits:
    """What the server takes.

    Attributes:
        documents: Documents, or pairs, a request.
        size: Bytes of a body.
        seconds: From a request's first byte to its answer.
        in_flight: Requests under way at a time.
        page_calls: Calls that a strategy may plan which is written on the page; 0 lets nobody write one.
    """

    documents: int = 1000
    size: int = 16_000_000
    seconds: float = 60.0
    in_flight: int = 256
    page_calls: int = 20_000


class Hangup(Exception):
    """The client is gone."""


class Gate:
    """Stands before the app.

    Args:
        app: What answers.
        door: Counts who is inside.
        visit: What a path is.
        limits: What is taken.
        keys: Who may ask.
        metrics: Told of every request.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        door: InFlight,
        visit: Callable[[str], RequestContext],
        limits: Limits,
        keys: Keys,
        metrics: Metrics,
    ) -> None:
        self._app, self._door, self._visit = app, door, visit
        self._limits, self._keys, self._metrics = limits, keys, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        visit = scope["visit"] = self._visit(scope["path"])
        started, status = time.perf_counter(), 0

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            try:
                self._check_key(scope, visit)
                if visit.ranks and scope["method"] == "POST":
                    with self._door.passing():
                        await self._limited(scope, receive, sending)
                else:
                    await self._app(scope, receive, sending)
            except Problem as problem:
                if not status:
                    await _refuse(visit, problem, sending)
                status, _ = visit.wording(problem)  # what is counted, too late though it be for a header
            except Hangup:
                status = GONE
            except Exception:
                log.exception("a request to %s failed", visit.route)
                bug = Problem(Fault.BUG, "this is a bug of the server; its log says more")
                if not status:
                    await _refuse(visit, bug, sending)
                status, _ = visit.wording(bug)
        finally:
            self._metrics.answered(visit.route, visit.alias, status or GONE, time.perf_counter() - started)

    def _check_key(self, scope: Scope, visit: RequestContext) -> None:
        given = [value for name, value in scope["headers"] if name == b"authorization"]
        if visit.open or self._keys.admit(given[0] if len(given) == 1 else b""):
            return
        raise Problem(
            Fault.UNAUTHORIZED, "give one of this server's keys, as in 'Authorization: Bearer KEY'",
            headers={"WWW-Authenticate": "Bearer"},
        )  # fmt: skip

    async def _limited(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers within the limits, as long as somebody waits for the answer."""
        deadline = asyncio.get_running_loop().time() + self._limits.seconds
        try:
            async with asyncio.timeout_at(deadline):
                body = await _read(scope, receive, self._limits.size)
        except TimeoutError:
            raise Problem(Fault.SLOW, f"the body was not here within {self._limits.seconds:g} s") from None
        answering = asyncio.ensure_future(self._app(scope, _replay(body), send))
        gone, ousted = asyncio.ensure_future(_hung_up(receive)), asyncio.ensure_future(self._door.ousted.wait())
        try:
            async with asyncio.timeout_at(deadline):
                await asyncio.wait({answering, gone, ousted}, return_when=asyncio.FIRST_COMPLETED)
        except TimeoutError:
            pass
        finally:
            visit: RequestContext = scope["visit"]
            if not answering.done():
                visit.ended = self._why(hung_up=gone.done())
                answering.cancel()
                await asyncio.wait({answering})
            for waiting in (gone, ousted):
                waiting.cancel()
        if not answering.cancelled():
            answering.result()
        else:
            raise visit.ended or Hangup

    def _why(self, *, hung_up: bool) -> Problem | None:
        """Why a request is ended before it is answered."""
        if self._door.ousted.is_set():
            return Problem(Fault.CLOSING, "the server is shutting down", headers=RETRY)
        return None if hung_up else Problem(Fault.LATE, f"there was no answer within {self._limits.seconds:g} s")


async def _read(scope: Scope, receive: Receive, limit: int) -> bytes:
    """The body, of which no more than `limit` bytes are ever held.

    Raises:
        Problem: It is longer, or says that it is not JSON.
        Hangup: The client is gone.
    """
    headers = dict(scope["headers"])
    kind = headers.get(b"content-type", b"").split(b";")[0].strip().lower()
    if kind != b"application/json" and not kind.endswith(b"+json"):
        raise Problem(Fault.MEDIA_TYPE, "send JSON, and the header 'Content-Type: application/json'")
    too_large = Problem(Fault.TOO_LARGE, f"the body is longer than the {limit} bytes that this server takes")
    parts: list[bytes] = []
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Hangup
        part, more = message.get("body", b""), message.get("more_body", False)
        size += len(part)
        if size <= limit:
            parts.append(part)
        else:
            parts.clear()
        if size > KEPT_READING * limit:
            raise too_large
    if size > limit:
        raise too_large
    return b"".join(parts)


def _replay(body: bytes) -> Receive:
    """What receives a body that was read already."""
    left = [body]

    async def receive() -> Message:
        if left:
            return {"type": "http.request", "body": left.pop(), "more_body": False}
        await asyncio.Event().wait()  # the gate itself watches for hang-ups
        return {"type": "http.disconnect"}

    return receive


async def _hung_up(receive: Receive) -> None:
    """Returns when the client is gone."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def _refuse(visit: RequestContext, problem: Problem, send: Send) -> None:
    """Says the problem as the route's dialect does."""
    status, content = visit.wording(problem)
    body = json.dumps(content).encode()
    headers = {"Content-Type": "application/json", "Content-Length": str(len(body)), **problem.headers}
    encoded = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": encoded})
    await send({"type": "http.response.body", "body": body})
