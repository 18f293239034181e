"""Streams a ranking: every judgement as it is made, then the result."""

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from rerankllm.calibration.diagnostics import inconsistency
from rerankllm.data import Document, Ledger, Query
from rerankllm.drivers.events import Event, Failed, Judged, QueryOutcome
from rerankllm.judgements import Compare
from rerankllm.server import sse
from rerankllm.server.context import RequestContext
from rerankllm.server.custom_strategy import Choice, names_of
from rerankllm.server.problems import Fault, Problem
from rerankllm.server.service import Service, as_problems, ranking_of
from rerankllm.web.prompts import Piece, pieces

WAITING = 1000
"""Most judgements kept for a reader that is slower than the model; more are counted but not sent."""
BUG = "this is a bug of the server; its log says more"
LAST = 1.0
"""Seconds for a last event to be sent after the deadline."""
HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no", "X-Content-Type-Options": "nosniff"}


class Feed:
    """Passes judgements from the driver's thread to one reader.

    Attributes:
        left_out: How many judgements were dropped because too many waited.
        comparisons: p(the document shown first wins) by the ids of pairs, including dropped judgements.
        spent: The cost of a query that failed; None if it is not known.
    """

    def __init__(self) -> None:
        self.left_out = 0
        self.comparisons: dict[tuple[str, str], float] = {}
        self.spent: Ledger | None = None
        self._loop = asyncio.get_running_loop()
        self._begun = time.perf_counter()
        self._waiting: deque[tuple[int, float, Judged, list[Piece]]] = deque()
        self._made = 0
        self._news = asyncio.Event()

    @property
    def seconds(self) -> float:
        """Seconds since the query was submitted."""
        return time.perf_counter() - self._begun

    def observe(self, event: Event) -> None:
        """Takes an event on any thread, and returns at once."""
        if isinstance(event, Judged):
            at = self.seconds
            prompt = pieces(event.prompt(), [doc.content for doc in event.judgement.docs])
            with suppress(RuntimeError):  # the server has ended
                self._loop.call_soon_threadsafe(self._add, event, at, prompt)

    def wake(self, _: object = None) -> None:
        """Wakes the reader."""
        self._news.set()

    async def news(self) -> None:
        """Waits for a judgement, or for `wake`."""
        await self._news.wait()
        self._news.clear()

    def take(self) -> bytes:
        """The judgements since the last call, as server-sent events."""
        parts = [sse.event("judged", sse.judged(*each)) for each in self._waiting]
        self._waiting.clear()
        return b"".join(parts)

    def _add(self, one: Judged, at: float, prompt: list[Piece]) -> None:
        self._made += 1
        if isinstance(one.judgement, Compare) and isinstance(one.answer, float):
            first, second = one.judgement.docs
            self.comparisons[first.doc_id, second.doc_id] = one.answer
        if len(self._waiting) < WAITING:
            self._waiting.append((self._made, at, one, prompt))
        else:
            self.left_out += 1
        self.wake()


class RankingStream(StreamingResponse):
    """Ranks and sends the events `started`, `judged` for every call, and always `finished` or `failed` at the end.

    A problem that is known before anything is sent is raised, and the middleware answers it.

    Args:
        service: Ranks.
        context: The request.
        choice: The `Reranker`, and what it will take.
        query: The query.
        documents: The documents.
    """

    def __init__(
        self, service: Service, context: RequestContext, choice: Choice, query: Query, documents: Sequence[Document]
    ) -> None:
        super().__init__((), media_type="text/event-stream", headers=HEADERS)
        self._service, self._context, self._choice = service, context, choice
        self._query, self._documents = query, documents

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers the request."""
        del scope, receive  # the middleware notices when the client hangs up
        feed = Feed()
        choice = self._choice
        submitted = self._service.submit(
            self._context, choice.reranker, self._query, self._documents, top_n=choice.top_n, observer=feed.observe
        )
        future = asyncio.wrap_future(submitted)
        future.add_done_callback(feed.wake)
        try:
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            await _send(send, sse.event("started", self._started()))
            while not future.done():
                await feed.news()
                await _send(send, feed.take())
            await _send(send, feed.take())
            await _send(send, self._last(future, feed), more=False)
        except asyncio.CancelledError:
            if self._context.ended is not None:  # else the client has hung up
                await _hurry(send, _failed(self._context.ended, feed))
            raise
        except Problem as problem:
            await _send(send, _failed(problem, feed), more=False)
            raise
        except Exception:
            await _send(send, _failed(Problem(Fault.BUG, BUG), feed), more=False)
            raise
        finally:
            future.cancel()

    def _started(self) -> dict[str, Any]:
        reranker = self._choice.reranker
        return {
            "model": self._context.alias,
            "models": names_of(reranker),
            "strategy": str(reranker.stage),
            "plan": sse.plan(self._choice.plan),
        }

    def _last(self, future: "asyncio.Future[QueryOutcome]", feed: Feed) -> bytes:
        with as_problems(self._context.alias or "", self._context.id):
            outcome = future.result()
        if isinstance(outcome, Failed):
            feed.spent = outcome.ledger
        ranking = ranking_of(outcome)
        found = sse.finished(ranking, inconsistency(feed.comparisons))
        return sse.event("finished", {**found, "seconds": feed.seconds, "left_out": feed.left_out})


def _failed(problem: Problem, feed: Feed) -> bytes:
    spent = None if feed.spent is None else sse.ledger(feed.spent)
    said = {"fault": problem.fault, "message": problem.message, "ledger": spent}
    return sse.event("failed", {**said, "seconds": feed.seconds, "left_out": feed.left_out})


async def _send(send: Send, content: bytes, *, more: bool = True) -> None:
    if content or not more:
        await send({"type": "http.response.body", "body": content, "more_body": more})


async def _hurry(send: Send, content: bytes) -> None:
    """Sends a last event, if the client still reads."""
    with suppress(TimeoutError):
        async with asyncio.timeout(LAST):
            await _send(send, content, more=False)
