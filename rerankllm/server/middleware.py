"""Checks keys, limits and deadlines of every request, notices hang-ups, and counts. Plain ASGI, so it reads bodies."""

import asyncio
import json
import logging
import re
import time
import uuid
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rerankllm.server import logs
from rerankllm.server.context import RequestContext
from rerankllm.server.in_flight import RETRY, InFlight
from rerankllm.server.keys import Keys
from rerankllm.server.metrics import Metrics
from rerankllm.server.problems import Fault, Problem
from rerankllm.server.tracing import traced

if TYPE_CHECKING:
    from opentelemetry.trace import Tracer

log = logging.getLogger(__name__)

KEPT_READING = 4
"""A body that is too long is read, and dropped, up to this multiple of the limit before it is refused: most clients
send all of a body before they read the response."""
GONE = 499
ID = b"x-request-id"
GOOD_ID = re.compile(r"[!-~]{1,128}")
LOOKS = 4
"""Turns of the event loop in which a hang-up that is there already comes to be known: it is read, then told."""
CLIENT = 80
"""Characters of a client's name that are shown."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of the server.

    Attributes:
        documents: Most documents, or pairs, of a request.
        size: Most bytes of a body.
        seconds: Most seconds from a request's first byte to its answer.
        in_flight: Most requests under way at a time.
        page_calls: Most calls that a strategy written on the page may plan; 0 allows no such strategy.
    """

    documents: int = 1000
    size: int = 16_000_000
    seconds: float = 60.0
    in_flight: int = 256
    page_calls: int = 20_000


class Hangup(Exception):
    """The client has hung up."""


class Gate:
    """The middleware before the app.

    Args:
        app: Answers requests.
        in_flight: Counts the requests under way.
        context: Makes the context of a request from its path.
        limits: The limits.
        keys: The keys that clients need.
        metrics: Counts every request.
        hosts: Names by which clients call the server; any if there are none.
        tracer: Makes a span of every request that ranks; None for no traces.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        in_flight: InFlight,
        context: Callable[[str], RequestContext],
        limits: Limits,
        keys: Keys,
        metrics: Metrics,
        hosts: Collection[str] = (),
        tracer: "Tracer | None" = None,
    ) -> None:
        self._hosts, self._tracer = hosts, tracer
        self._app, self._in_flight, self._context = app, in_flight, context
        self._limits, self._keys, self._metrics = limits, keys, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        context = scope["context"] = self._context(scope["path"])
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        _introduce(context, scope, headers)
        started = time.perf_counter()
        with traced(self._tracer, context, scope["method"], headers):
            try:
                await self._answered(scope, receive, send)
            finally:
                context.status = context.status or GONE
        seconds = time.perf_counter() - started
        self._metrics.answered(context.route, context.alias, context.status, seconds)
        logs.told(context, context.status, seconds)

    async def _answered(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a request, with an error response if need be, and notes the status."""
        context: RequestContext = scope["context"]

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                context.status = message["status"]
                message = {**message, "headers": [*message.get("headers", []), (ID, context.id.encode())]}
            await send(message)

        try:
            self._check_host(scope)
            self._check_key(scope, context)
            if context.plans or (context.ranks and scope["method"] == "POST"):
                with self._in_flight.passing():
                    await self._limited(scope, receive, sending)
            else:
                await self._app(scope, receive, sending)
        except Problem as problem:
            if not context.status:
                await _refuse(context, problem, sending)
            context.status, _ = context.wording(problem)  # for the metrics, even if another status has been sent
        except Hangup:
            context.status = GONE
        except Exception:
            log.exception("request %s to %s failed", context.id, context.route)
            bug = Problem(Fault.BUG, "this is a bug of the server; its log says more")
            if not context.status:
                await _refuse(context, bug, sending)
            context.status, _ = context.wording(bug)

    def _check_host(self, scope: Scope) -> None:
        """Refuses names that are not the server's: a page elsewhere may have its own name lead here (DNS rebinding)."""
        given = [value.decode("latin-1") for name, value in scope["headers"] if name == b"host"]
        if self._hosts and (len(given) != 1 or _name_of(given[0]) not in self._hosts):
            known = ", ".join(sorted(self._hosts))
            raise Problem(Fault.WRONG_HOST, f"call this server {known}; `serve --allow-host NAME` allows other names")

    def _check_key(self, scope: Scope, context: RequestContext) -> None:
        given = [value for name, value in scope["headers"] if name == b"authorization"]
        if context.open or self._keys.admit(given[0] if len(given) == 1 else b""):
            return
        raise Problem(
            Fault.UNAUTHORIZED, "give one of this server's keys, as in 'Authorization: Bearer KEY'",
            headers={"WWW-Authenticate": "Bearer"},
        )  # fmt: skip

    async def _limited(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers within the limits, unless the client hangs up before."""
        deadline = asyncio.get_running_loop().time() + self._limits.seconds
        try:
            async with asyncio.timeout_at(deadline):
                body = await _read(scope, receive, self._limits.size) if scope["method"] == "POST" else b""
        except TimeoutError:
            raise Problem(Fault.SLOW, f"the body was not here within {self._limits.seconds:g} s") from None
        gone, ousted = asyncio.ensure_future(_hung_up(receive)), asyncio.ensure_future(self._in_flight.ousted.wait())
        for _ in range(LOOKS):
            await asyncio.sleep(0)
        if gone.done():  # while the server was busy: nothing is begun for it
            ousted.cancel()
            raise Hangup
        answering = asyncio.ensure_future(self._app(scope, _replay(body), send))
        try:
            async with asyncio.timeout_at(deadline):
                await asyncio.wait({answering, gone, ousted}, return_when=asyncio.FIRST_COMPLETED)
        except TimeoutError:
            pass
        finally:
            context: RequestContext = scope["context"]
            if not answering.done():
                context.ended = self._why(hung_up=gone.done())
                answering.cancel()
                await asyncio.wait({answering})
            for waiting in (gone, ousted):
                waiting.cancel()
        if not answering.cancelled():
            answering.result()
        else:
            raise context.ended or Hangup

    def _why(self, *, hung_up: bool) -> Problem | None:
        """Why a request is ended before it is answered; None if its client hung up."""
        if self._in_flight.ousted.is_set():
            return Problem(Fault.CLOSING, "the server is shutting down", headers=RETRY)
        return None if hung_up else Problem(Fault.LATE, f"there was no answer within {self._limits.seconds:g} s")


def _name_of(host: str) -> str:
    """The name in a Host header, without its port."""
    name, _, port = host.lower().rpartition(":")
    return name if port.isdecimal() else host.lower()


def _introduce(context: RequestContext, scope: Scope, headers: Mapping[str, str]) -> None:
    """Notes who asks, and under which id."""
    given = headers.get("x-request-id", "")
    context.id = given if GOOD_ID.fullmatch(given) else uuid.uuid4().hex
    context.named = scope.get("named")
    name = "".join(letter for letter in headers.get("user-agent", "") if " " <= letter <= "~")
    context.client = name[:CLIENT] or context.client


async def _read(scope: Scope, receive: Receive, limit: int) -> bytes:
    """Reads the body, of which at most `limit` bytes are held in memory.

    Raises:
        Problem: It is longer, or its media type is not JSON.
        Hangup: The client has hung up.
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
    """A receive function that gives a body which was read already."""
    left = [body]

    async def receive() -> Message:
        if left:
            return {"type": "http.request", "body": left.pop(), "more_body": False}
        await asyncio.Event().wait()  # the middleware itself notices hang-ups
        return {"type": "http.disconnect"}

    return receive


async def _hung_up(receive: Receive) -> None:
    """Returns when the client has hung up."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def _refuse(context: RequestContext, problem: Problem, send: Send) -> None:
    """Sends the problem in the route's dialect."""
    status, content = context.wording(problem)
    body = json.dumps(content).encode()
    headers = {"Content-Type": "application/json", "Content-Length": str(len(body)), **problem.headers}
    encoded = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": encoded})
    await send({"type": "http.response.body", "body": body})
