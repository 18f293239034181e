"""A ranking whose judgements are told as they are made."""

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
from rerankllm.server import sse as telling
from rerankllm.server.context import RequestContext
from rerankllm.server.custom_strategy import Mixed, names_of
from rerankllm.server.problems import Fault, Problem
from rerankllm.server.service import Service, ranked, worded

WAITING = 1000
"""Judgements that are kept for a reader who is slower than the model; those beyond are counted and not told."""
BUG = "this is a bug of the server; its log says more"
LAST = 1.0
"""Seconds for a last event to be sent when there is no more time."""
HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no", "X-Content-Type-Options": "nosniff"}


class Feed:
    """Judgements on their way from the thread that makes them to one reader.

    Attributes:
        left_out: Judgements that were not kept, as too many waited.
        comparisons: p(the one shown first wins) by the ids of pairs, whether kept or not.
        spent: What a query cost that failed; None where nobody says.
    """

    def __init__(self) -> None:
        self.left_out = 0
        self.comparisons: dict[tuple[str, str], float] = {}
        self.spent: Ledger | None = None
        self._loop = asyncio.get_running_loop()
        self._begun = time.perf_counter()
        self._waiting: deque[tuple[int, float, Judged]] = deque()
        self._made = 0
        self._news = asyncio.Event()

    @property
    def seconds(self) -> float:
        """Since the query was submitted."""
        return time.perf_counter() - self._begun

    def observe(self, event: Event) -> None:
        """Takes an event, on any thread, and returns at once."""
        if isinstance(event, Judged):
            with suppress(RuntimeError):  # the server has ended, and nobody reads
                self._loop.call_soon_threadsafe(self._add, event, self.seconds)

    def wake(self, _: object = None) -> None:
        """Lets the reader look."""
        self._news.set()

    async def news(self) -> None:
        """Waits until something came, or `wake`."""
        await self._news.wait()
        self._news.clear()

    def take(self) -> bytes:
        """What came since, as events."""
        parts = [telling.event("judged", telling.judged(*each)) for each in self._waiting]
        self._waiting.clear()
        return b"".join(parts)

    def _add(self, one: Judged, at: float) -> None:
        self._made += 1
        if isinstance(one.judgement, Compare) and isinstance(one.answer, float):
            first, second = one.judgement.docs
            self.comparisons[first.doc_id, second.doc_id] = one.answer
        if len(self._waiting) < WAITING:
            self._waiting.append((self._made, at, one))
        else:
            self.left_out += 1
        self.wake()


class Live(StreamingResponse):
    """Ranks, and tells `started`, a `judged` for every call, and at last `finished` or `failed`, whatever happens.

    What is known to be wrong before anything was sent is raised, for the gate to answer.

    Args:
        service: Who ranks.
        visit: The request.
        mixed: Ranks.
        query: The query.
        documents: The documents.
    """

    def __init__(
        self, service: Service, visit: RequestContext, mixed: Mixed, query: Query, documents: Sequence[Document]
    ) -> None:
        super().__init__((), media_type="text/event-stream", headers=HEADERS)
        self._service, self._visit, self._mixed = service, visit, mixed
        self._query, self._documents = query, documents

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers."""
        del scope, receive  # the gate watches for hang-ups
        feed = Feed()
        mixed = self._mixed
        submitted = self._service.submit(
            self._visit, mixed.reranker, self._query, self._documents, top_n=mixed.top_n, observer=feed.observe
        )
        future = asyncio.wrap_future(submitted)
        future.add_done_callback(feed.wake)
        try:
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            await _send(send, telling.event("started", self._started()))
            while not future.done():
                await feed.news()
                await _send(send, feed.take())
            await _send(send, feed.take())
            await _send(send, self._last(future, feed), more=False)
        except asyncio.CancelledError:
            if self._visit.ended is not None:  # else nobody is there to be told
                await _hurry(send, _failed(self._visit.ended, feed))
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
        reranker = self._mixed.reranker
        return {
            "model": self._visit.alias,
            "models": names_of(reranker),
            "strategy": str(reranker.stage),
            "plan": telling.plan(self._mixed.plan),
        }

    def _last(self, future: "asyncio.Future[QueryOutcome]", feed: Feed) -> bytes:
        with worded(self._visit.alias or ""):
            outcome = future.result()
        if isinstance(outcome, Failed):
            feed.spent = outcome.ledger
        ranking = ranked(outcome)
        found = telling.finished(ranking, inconsistency(feed.comparisons))
        return telling.event("finished", {**found, "seconds": feed.seconds, "left_out": feed.left_out})


def _failed(problem: Problem, feed: Feed) -> bytes:
    spent = None if feed.spent is None else telling.ledger(feed.spent)
    said = {"fault": problem.fault, "message": problem.message, "ledger": spent}
    return telling.event("failed", {**said, "seconds": feed.seconds, "left_out": feed.left_out})


async def _send(send: Send, content: bytes, *, more: bool = True) -> None:
    if content or not more:
        await send({"type": "http.response.body", "body": content, "more_body": more})


async def _hurry(send: Send, content: bytes) -> None:
    """Sends a last event to whoever still reads."""
    with suppress(TimeoutError):
        async with asyncio.timeout(LAST):
            await _send(send, content, more=False)
