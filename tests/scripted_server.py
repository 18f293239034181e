"""A server of chat completions and embeddings on the loopback interface that answers, delays and lies by script.

```python
with ScriptedServer(lambda body, number: Answer("[2] > [1]")) as server:
    ...  # ask server.url
assert server.calls == 1
```

The script is called with each request's parsed body and its number, from 0, and returns what becomes of it.
"""

import asyncio
import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Self, TypeAlias
from urllib.parse import urlsplit

from scripted_batches import Batches

ROUTES = {
    "/v1/chat/completions", "/v1/completions", "/v1/embeddings", "/v1/rerank", "/v1/v2/rerank", "/v1/reranking",
    "/v1/ranking", "/v1/models/rerank", "/v1/messages", "/openai/v1/chat/completions",
    "/api/v1/chat/completions", "/v1beta/openai/chat/completions",
}  # fmt: skip
USAGE = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}


@dataclass(frozen=True)
class Answer:
    """A chat completion.

    `logprobs` has one (token, {alternative: logprob}) pair for each generated token; None for a server that
    knows none. `message` and `choice` are merged into those objects; `usage` None leaves it out.
    """

    text: str | None
    logprobs: Sequence[tuple[str, Mapping[str, float]]] | None = None
    finish_reason: str = "stop"
    usage: Mapping[str, Any] | None = field(default_factory=lambda: USAGE)
    message: Mapping[str, Any] = field(default_factory=dict)
    choice: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Status:
    """An error status; `body` is sent as JSON unless it is a string."""

    code: int
    body: Any = "scripted"
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Garbage:
    """Status 200 with a body that need be nothing of the kind."""

    body: str
    content_type: str = "application/json"


@dataclass(frozen=True)
class Delay:
    """`then`, after so many seconds."""

    seconds: float
    then: "Action"


@dataclass(frozen=True)
class Meet:
    """`then`, once so many requests are under way at the same time."""

    count: int
    then: "Action"


@dataclass(frozen=True)
class Hang:
    """No answer, ever."""


@dataclass(frozen=True)
class Trickle:
    """Headers, and then white space for ever, one byte every so many seconds; `told` of each."""

    seconds: float
    told: Callable[[], object] = lambda: None


@dataclass(frozen=True)
class Drop:
    """The connection ends in the middle of the body."""


Action: TypeAlias = Answer | Status | Garbage | Delay | Meet | Hang | Trickle | Drop
Script: TypeAlias = Callable[[dict[str, Any], int], Action]


class ScriptedServer:
    """Serves POST of chat completions, completions and embeddings by script, and GET /v1/models; a context manager.

    Can be a proxy.

    Args:
        script: What becomes of each POST request.
        models: The entries of the list of models; None for a server without that route.
        batches: Serves the files and batches routes.
        list_key: The key without which the list of models is refused; None shows it to anybody.

    Attributes:
        url: Base URL.
        bodies: Parsed bodies of the completion requests, in the order received.
        headers: Their headers, names in lower case.
        paths: Their routes.
        looks: How often the list of models was asked for.
        in_flight: Completion requests being answered now.
        max_in_flight: The most there were at a time.
        hanging: Those of them that will never be answered.
        on_hang: Called when there is one more.
    """

    def __init__(
        self,
        script: Script,
        models: Action | Sequence[Mapping[str, Any]] | None = ({"id": "scripted"},),
        batches: Batches | None = None,
        list_key: str | None = None,
    ) -> None:
        self.script = script
        self.batches = batches
        self.models = models
        self.list_key = list_key
        self.looks = 0
        self.url = ""
        self.bodies: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.paths: list[str] = []
        self.in_flight = 0
        self.max_in_flight = 0
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="scripted-server")
        self._failed: BaseException | None = None
        self._meeting: list[tuple[int, asyncio.Event]] = []
        self.hanging = 0
        self.on_hang: Callable[[], object] = lambda: None

    @property
    def calls(self) -> int:
        """Completion requests received."""
        return len(self.bodies)

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.wait()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()
        if self._failed is not None:
            raise self._failed

    def _run(self) -> None:
        try:
            self._loop.run_until_complete(self._serve())
        except BaseException as error:  # noqa: BLE001 - raised where the test is
            self._failed = error
        finally:
            self._ready.set()
            self._loop.close()

    async def _serve(self) -> None:
        connections: set[asyncio.Task[None]] = set()

        def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            connections.add(asyncio.ensure_future(self._converse(reader, writer)))

        server = await asyncio.start_server(connected, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
        self._ready.set()
        await self._stop.wait()
        server.close()
        for task in connections:
            task.cancel()
        ended = await asyncio.gather(*connections, return_exceptions=True)
        await server.wait_closed()
        errors = [e for e in ended if isinstance(e, Exception)]
        if errors:
            raise errors[0]

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection: requests after one another until either side has enough."""
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                while (received := await _receive(reader)) is not None:
                    await self._answer(*received, reader, writer)
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    async def _answer(
        self,
        method: str,
        path: str,
        headers: dict[str, str],
        body: bytes,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        if path == "/v1/models" and self.models is not None:
            self.looks += 1
            if self.list_key is not None and headers.get("authorization") != f"Bearer {self.list_key}":
                await _send(writer, 401, json.dumps({"error": {"message": "wrong key"}}))
            elif isinstance(self.models, Sequence):
                await _send(writer, 200, json.dumps({"object": "list", "data": self.models}))
            else:
                await _act(self.models, {}, reader, writer)
        elif path in ROUTES:
            parsed = json.loads(body)
            number = self.calls
            self.paths.append(path)
            self.bodies.append(parsed)
            self.headers.append(headers)
            with self._counted():
                action = self.script(parsed, number)
                while isinstance(action, Meet):
                    await self._meet(action.count)
                    action = action.then
                if isinstance(action, Hang):
                    await self._hang(reader)
                else:
                    await _act(action, parsed, reader, writer)
        elif self.batches and (response := self.batches.respond(method, path, body, self._offline)):
            self.headers.append(headers)
            await _send(writer, *response)
        else:
            await _send(writer, 404, json.dumps({"error": {"message": f"no route {path}"}}))

    def _offline(self, request: dict[str, Any]) -> tuple[int, Any]:
        """Status and body of one request of a batch job."""
        number = self.calls
        self.bodies.append(request)
        action = self.script(request, number)
        if isinstance(action, Answer):
            return 200, completion(action, request)
        assert isinstance(action, Status)
        return action.code, action.body

    async def _hang(self, reader: asyncio.StreamReader) -> None:
        self.hanging += 1
        self.on_hang()
        try:
            await _gone(reader, None)
        finally:
            self.hanging -= 1

    async def _meet(self, count: int) -> None:
        met = asyncio.Event()
        self._meeting.append((count, met))
        self._introduce()
        await met.wait()

    def _introduce(self) -> None:
        """Lets those go on who wait for as many as there are."""
        for count, met in self._meeting:
            if count <= self.in_flight:
                met.set()

    @contextmanager
    def _counted(self) -> Iterator[None]:
        self.in_flight += 1
        self.max_in_flight = max(self.max_in_flight, self.in_flight)
        self._introduce()
        try:
            yield
        finally:
            self.in_flight -= 1


async def _receive(reader: asyncio.StreamReader) -> tuple[str, str, dict[str, str], bytes] | None:
    """Method, path, headers and body of the next request, None when there is none."""
    head = await reader.readline()
    if not head.strip():
        return None
    headers: dict[str, str] = {}
    while line := (await reader.readline()).decode("latin-1").strip():
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    method, target = head.decode("latin-1").split()[:2]
    return method, urlsplit(target).path, headers, body


async def _gone(reader: asyncio.StreamReader, seconds: float | None) -> bool:
    """Whether the client hangs up within so many seconds (None: whenever that is)."""
    with suppress(TimeoutError):
        await asyncio.wait_for(reader.read(1), seconds)
        return True
    return False


async def _act(
    action: Action, request: dict[str, Any], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    while isinstance(action, Delay):
        if await _gone(reader, action.seconds):
            return
        action = action.then
    match action:
        case Answer():
            await _send(writer, 200, json.dumps(completion(action, request)))
        case Status():
            body = action.body if isinstance(action.body, str) else json.dumps(action.body)
            await _send(writer, action.code, body, headers=action.headers)
        case Garbage():
            await _send(writer, 200, action.body, content_type=action.content_type)
        case Hang():
            await _gone(reader, None)
        case Drop():
            writer.write(_head(200, 1000) + b'{"id": "cut off')
            await writer.drain()
            writer.transport.abort()
        case Trickle():
            writer.write(_head(200, 1_000_000))
            while not writer.is_closing():
                writer.write(b" ")
                await writer.drain()
                action.told()
                await asyncio.sleep(action.seconds)


def completion(answer: Answer, request: Mapping[str, Any]) -> dict[str, Any]:
    """The JSON body of a completion, in the shape of the API that was asked."""
    told = answer.logprobs if request.get("logprobs") else None
    choice: dict[str, Any] = {"index": 0, "finish_reason": answer.finish_reason}
    if "prompt" in request:
        choice["text"] = answer.text
        if told is not None:
            values = [top.get(token, -1.0) for token, top in told]
            tokens, tops = [token for token, _ in told], [top for _, top in told]
            choice["logprobs"] = {"tokens": tokens, "token_logprobs": values, "top_logprobs": tops}
    else:
        choice["message"] = {"role": "assistant", "content": answer.text, **answer.message}
        if told is not None:
            choice["logprobs"] = {"content": [_position(token, top) for token, top in told]}
    body = {"id": "chatcmpl-1", "object": "chat.completion", "created": 0, "model": request.get("model")}
    body["choices"] = [{**choice, **answer.choice}]
    return body if answer.usage is None else {**body, "usage": answer.usage}


def _position(token: str, top: Mapping[str, float]) -> dict[str, Any]:
    alternatives = [{"token": text, "logprob": value, "bytes": None} for text, value in top.items()]
    return {"token": token, "logprob": top.get(token, -1.0), "bytes": None, "top_logprobs": alternatives}


def _head(code: int, length: int, content_type: str = "application/json", **headers: str) -> bytes:
    fields = {"Content-Type": content_type, "Content-Length": str(length), **headers}
    lines = [f"HTTP/1.1 {code} Scripted", *(f"{name}: {value}" for name, value in fields.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


async def _send(
    writer: asyncio.StreamWriter,
    code: int,
    body: str,
    *,
    content_type: str = "application/json",
    headers: Mapping[str, str] | None = None,
) -> None:
    data = body.encode()
    writer.write(_head(code, len(data), content_type, **(headers or {})) + data)
    await writer.drain()
