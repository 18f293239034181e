"""64 clients at once for a minute against `rerankllm serve`'s app on the loopback interface, each answer checked.

```
python eval/server/run.py --seconds 60 --clients 64
```

The engine reads its answers off the texts (`tests/counting_backend.py`) and takes 2 ms a batch, so what is measured is
the server, its drivers and HTTP. Server and clients are two processes; clients write HTTP by hand, to take little of
the time. Then the same with some clients hanging up in the middle. Writes results.md beside this file; with `--json`
nobody hangs up, and one JSON object on stdout is all: what `python -m eval.bench server` reads.
"""

import argparse
import asyncio
import itertools
import json
import math
import os
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))
from counting_backend import Counting

from rerankllm.calls import CallFailed, Reply
from rerankllm.judgements import Judgement
from rerankllm.registry import BACKENDS
from rerankllm.reranker import Reranker
from rerankllm.server.app import make_server
from rerankllm.server.run import Running, keep_loaded, open_socket

sys.path.insert(0, str(Path(__file__).parents[1]))
from common import connected, milliseconds, processor_seconds, receive, request, resident
from made import made_by

RESULTS = Path(__file__).parent / "results.md"
MODEL = "bench:loopback?delay=0.002"
WINDOW, PASSED_ON = 10, 5
PATHS = ("/v2/rerank", "/v1/rerank", "/rerank", "/score")
EDGE = 60
"""Seconds at the start and at the end whose memory is compared; a sixth of the run where it is short."""
COLUMNS = (
    "| hang up | answers | a second | p50, ms | p99, ms | server's CPU, ms each | hung up | wrong | calls a batch | "
    "queries a batch | MiB at first | at last | most |"
)


class Bench(Counting):
    """The counting engine, which here keeps counts and no texts."""

    def __init__(self, *, name: str, delay: float = 0.0) -> None:
        super().__init__(name=name, delay=delay)
        self.counts: Counter[str] = Counter()

    def run(self, works: Sequence[Judgement]) -> list[Reply | CallFailed]:
        """Answers, and counts batches, calls and the queries that share a batch."""
        outcomes = super().run(works)
        self.counts.update(batches=1, calls=len(works), queries=len(set(self.batches.pop())))
        return outcomes


@dataclass
class Tally:
    """What the clients saw."""

    latencies: list[float] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    hung_up: int = 0


def serve() -> None:
    """The server, in a process of its own, until it is told to end; then its counts on stdout."""
    BACKENDS.register("bench", Bench)
    with Reranker("pointwise", MODEL, driver="concurrent") as points:
        aliases = {"points": points, "order": points.beside(f"sliding(window={WINDOW}, stride={WINDOW - PASSED_ON})")}
        keep_loaded()
        Running(make_server(aliases), open_socket("127.0.0.1", 0), 10, lambda url: print(url, flush=True)).run()
        assert isinstance(points.backend, Bench)  # noqa: S101
        print(json.dumps(points.backend.counts), flush=True)


class Client:
    """One client: a request, its answer, the next."""

    def __init__(self, port: int, number: int, docs: int, hangups: float, tally: Tally) -> None:
        self._port, self._docs, self._hangups, self._tally = port, docs, hangups, tally
        self._random = random.Random(number)
        self._count = itertools.count()
        self._number = number

    async def work(self, until: float) -> None:
        """Asks until then."""
        while time.perf_counter() < until:
            async with connected(self._port) as (reader, writer):
                while time.perf_counter() < until and await self._ask(reader, writer):
                    pass

    async def _ask(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """One request; False for a client that hung up."""
        path = self._random.choice(PATHS)
        worths = [round(self._random.uniform(-5, 5), 5) for _ in range(self._docs)]
        body = self._body(path, [f"A passage that is worth {worth:.5f}" for worth in worths])
        started = time.perf_counter()
        writer.write(request(path, body))
        if self._random.random() < self._hangups:
            await asyncio.sleep(self._random.random() * 0.1)
            self._tally.hung_up += 1
            return False
        status, answer = await receive(reader)
        self._tally.latencies.append(time.perf_counter() - started)
        self._tally.statuses[status] += 1
        if status != 200 or not _right(body, answer, worths):  # noqa: PLR2004
            self._tally.wrong.append(f"{path}: {status} {json.dumps(answer)[:200]}")
        return True

    def _body(self, path: str, texts: list[str]) -> dict[str, Any]:
        query = f"client {self._number}, request {next(self._count)}"
        model = self._random.choice(("points", "order"))
        if path == "/score":
            return {"text_1": query, "text_2": texts}
        if path == "/rerank":
            return {"query": query, "texts": texts}
        return {"model": model, "query": query, "documents": texts}


def _right(body: dict[str, Any], answer: Any, worths: list[float]) -> bool:
    """Whether every document is there once, the best first, with falling scores, which `pointwise` took from worths.

    Sliding windows put the best in place that a window passes on, and only those.
    """
    scored = [1 / (1 + math.exp(-worth)) for worth in worths]
    if "text_1" in body:
        return all(math.isclose(d["score"], s, rel_tol=1e-6) for d, s in zip(answer["data"], scored, strict=True))
    results = answer if isinstance(answer, list) else answer["results"]
    scores = [result.get("relevance_score", result.get("score")) for result in results]
    order = [result["index"] for result in results]
    falling = all(a > b for a, b in itertools.pairwise(scores))
    every = sorted(order) == list(range(len(worths)))
    windows = body.get("model") == "order"
    placed = PASSED_ON if windows else len(order)
    best = [worths[i] for i in order[:placed]] == sorted(worths, reverse=True)[:placed]
    return (
        every
        and falling
        and best
        and (windows or all(math.isclose(s, scored[i], rel_tol=1e-6) for s, i in zip(scores, order, strict=True)))
    )


async def load(port: int, pid: int, options: argparse.Namespace, hangups: float) -> tuple[Tally, list[float], float]:
    """All clients, for so long; with the server's memory in MiB, once a second."""
    tally, memory = Tally(), []
    started = time.perf_counter()

    async def watch() -> None:
        while True:
            memory.append(resident(pid))
            await asyncio.sleep(1)

    watching = asyncio.ensure_future(watch())
    clients = (Client(port, n, options.docs, hangups, tally) for n in range(options.clients))
    await asyncio.gather(*(client.work(started + options.seconds) for client in clients))
    watching.cancel()
    return tally, memory, time.perf_counter() - started


def measure(options: argparse.Namespace, hangups: float) -> tuple[dict[str, float], str, bool]:
    """The figures, one row of results, and whether every answer was right."""
    command = [sys.executable, __file__, "--serve"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None  # noqa: S101
        port = int(server.stdout.readline().rpartition(":")[2])
        asyncio.run(load(port, server.pid, argparse.Namespace(**{**vars(options), "seconds": 2.0}), 0.0))
        before = processor_seconds(server.pid)
        tally, memory, seconds = asyncio.run(load(port, server.pid, options, hangups))
        taken = processor_seconds(server.pid) - before
        server.terminate()
        counts = json.loads(server.stdout.readline())
        ended = server.wait(30)
    p50, p99 = milliseconds(tally.latencies, 0.5, 0.99)
    answers = len(tally.latencies)
    edge = edge_of(options)
    first, last = memory[:edge], memory[-edge:]
    print(hangups, tally.statuses, tally.wrong[:3], counts, ended, file=sys.stderr)
    found = {"a_second": answers / seconds, "p50": p50, "p99": p99, "cpu_ms": 1000 * taken / answers}
    row = (
        f"| {hangups:.0%} | {answers:,} | {answers / seconds:.0f} | {p50:.0f} | {p99:.0f} | {found['cpu_ms']:.2f} | "
        f"{tally.hung_up:,} | {len(tally.wrong)} | {counts['calls'] / counts['batches']:.0f} | "
        f"{counts['queries'] / counts['batches']:.1f} | {sum(first) / len(first):.1f} | {sum(last) / len(last):.1f} | "
        f"{max(memory):.1f} |"
    )
    return found, row, not tally.wrong and ended == 0


def edge_of(options: argparse.Namespace) -> int:
    """Seconds whose memory is compared."""
    return max(1, min(EDGE, int(options.seconds / 6)))


def main() -> None:
    """Runs, checks and writes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--docs", type=int, default=20)
    parser.add_argument("--json", action="store_true", help="print the figures without hang-ups, and write nothing")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--output", type=Path, default=RESULTS)
    options = parser.parse_args()
    if options.serve:
        serve()
        return
    before = os.getloadavg()[0]
    measured = [measure(options, hangups) for hangups in ([0.0] if options.json else [0.0, 0.1])]
    if options.json:
        print(json.dumps(measured[0][0]))
    else:
        text = report(options, [row for _, row, _ in measured], before)
        options.output.write_text(text, encoding="utf-8")
        print(text)
    if not all(right for _, _, right in measured):
        raise SystemExit("there were wrong answers")


def report(options: argparse.Namespace, rows: Sequence[str], before: float) -> str:
    """The results in Markdown."""
    made = made_by("server/run.py", "fastapi", "starlette", "uvicorn", "h11", seeds=range(options.clients))
    table = "\n".join(rows)
    return f"""# The server under load

{made}
Server and clients share the cores, and the load average was {before:.1f} when it began: on a machine of its own it is
faster.

{options.clients} clients for {options.seconds:.0f} s over the loopback interface, each with a request of
{options.docs} documents at a time to one of four routes and two aliases (`pointwise`, `sliding(window=10, stride=5)`)
on one engine that reads its answers off the texts and takes 2 ms a batch. Every answer is checked: every document once,
in the right order (of sliding windows, those that they settle), with falling scores, and those of `pointwise` exactly.
Memory is the server's, the mean of the first and of the last {edge_of(options)} s.

{COLUMNS}
|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|
{table}
"""


if __name__ == "__main__":
    main()
