"""Servers to test: in this process, and listening on the loopback interface."""

import asyncio
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import counting_backend  # noqa: F401 - registers `counting:`
import httpx
import pytest
from starlette.testclient import TestClient
from waiting import GUARD, leap, until

from rerankllm import Reranker
from rerankllm.server import in_flight, run
from rerankllm.server.app import make_server
from rerankllm.server.middleware import Limits
from rerankllm.server.run import Running, open_socket

ADDRESS = re.compile(r"listening at (http://\S+);")
JSON = {"Content-Type": "application/json"}
PATHS = ("/v2/rerank", "/v1/rerank", "/rerank", "/score", "/v1/score")
GENEROUS = Limits(seconds=GUARD)


def ask(path, documents, query="what is worth most", **more):
    """A request of a route, by its own names. Of /rerank, TEI's with `texts=True`."""
    texts = more.pop("texts", False)
    if path.endswith("/score"):
        return {"text_1": query, "text_2": documents, **more}
    if texts:
        return {"query": query, "texts": documents, **more}
    model = {"model": "points"} if path == "/v2/rerank" else {}
    return {"query": query, "documents": documents, **model, **more}


@contextmanager
def rerankers(model="counting:test") -> Iterator[dict[str, Reranker]]:
    """`points`, the default, gives scores; `order` gives none. Both on one engine."""
    with Reranker("pointwise", model, driver="concurrent") as points:
        yield {"points": points, "order": points.beside("sliding(window=4, stride=2)")}


@contextmanager
def inside(limits=GENEROUS, keys=None, **more) -> Iterator[TestClient]:
    """A client of a server without a network."""
    with rerankers() as aliases:
        server = make_server(aliases, limits, keys, **more)
        with TestClient(server.app, raise_server_exceptions=False) as client:
            client.engine, client.door, client.aliases = aliases["points"].backend, server.in_flight, aliases
            try:
                yield client
            finally:
                client.engine.gate.set()


@contextmanager
def listening(limits=GENEROUS, keys=None, grace=GUARD, model="counting:test") -> Iterator["Live"]:
    """A real server in a thread of its own, on an engine with a gate."""
    with rerankers(model) as aliases, offering(aliases, limits, keys, grace) as live:
        try:
            yield live
        finally:
            live.engine.gate.set()


@contextmanager
def offering(aliases, limits=GENEROUS, keys=None, grace=GUARD) -> Iterator["Live"]:
    """A real server of any rerankers, in a thread of its own. Clients are given all the time they need."""
    ready = threading.Event()
    found: list[str] = []
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(run, "IDLE_SECONDS", GUARD)
        patched.setattr(run, "LAST_SECONDS", GUARD)
        patched.setattr(in_flight, "LEAVING", GUARD)
        running = Running(
            make_server(aliases, limits, keys),
            open_socket("127.0.0.1", 0),
            grace,
            lambda url: (found.append(url), ready.set()),
        )
        thread = threading.Thread(target=lambda: asyncio.run(running.serve()), name="server")
        thread.start()
        try:
            assert ready.wait(GUARD)
            yield Live(found[0], running, next(iter(aliases.values())).backend, thread)
        finally:
            running.handle_exit(15, None)
            thread.join(GUARD)
            assert not thread.is_alive()


@contextmanager
def commanded(*arguments, environment=None):
    """`rerankllm serve`: its address, its first lines and its process; ended with SIGTERM, it exits with 0."""
    command = [sys.executable, "-m", "rerankllm", "serve", "--port", "0", *arguments]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env={**os.environ, **(environment or {})})
    lines = []
    try:
        for line in process.stderr:
            lines.append(line)
            if found := ADDRESS.search(line):
                break
        else:
            pytest.fail("".join(lines))
        yield found[1], lines, process
        process.send_signal(signal.SIGTERM)
        assert process.wait(GUARD) == 0
    finally:
        process.kill()
        process.stderr.close()
        process.wait()


class Live:
    """A server that listens at `url`, and its engine."""

    def __init__(self, url, running, engine, thread):
        self.url, self.running, self.engine, self.thread = url, running, engine, thread

    def leap(self, seconds):
        """Moves its clock ahead, unless it has ended."""
        with suppress(RuntimeError):
            leap(self.running._running, seconds)

    def end(self):
        """The first signal; returns when the grace of those inside has begun."""
        self.running.handle_exit(15, None)
        until(lambda: self.running._ending)


def metric(live, name):
    """What the server counts, 0 before it does."""
    lines = httpx.get(f"{live.url}/metrics", timeout=GUARD).text.splitlines()
    return next((float(line.rpartition(" ")[2]) for line in lines if line.startswith(name)), 0.0)
