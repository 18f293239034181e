"""What 64 clients see of `rerankllm serve` while one more sends plans, half headers and makes the model answer badly.

```
python eval/server/hostile.py --seconds 20 --clients 64
```

Three processes: the server as `rerankllm serve` starts it, an OpenAI-compatible host whose answers are simulated from
the texts and take 20 ms, and the clients. Every answer is checked. First the 64 are alone, then the hostile one comes:
it asks for the plans of the largest strategies, opens connections with half a header and leaves them, hangs up in the
middle of requests, and sends queries that the simulated model answers with what once stopped the server (the
exponential list, 20,000 brackets, numbers of 5,000 digits). Writes hostile.md beside this file.
"""

import argparse
import asyncio
import contextlib
import itertools
import json
import os
import random
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))
from scripted_server import Answer, Delay, ScriptedServer

sys.path.insert(0, str(Path(__file__).parents[1]))
from common import connected, milliseconds, receive, request, serving
from made import made_by

PATH = "/v1/rerank"
RESULTS = Path(__file__).parent / "hostile.md"
DELAY = 0.02
"""Seconds that the simulated model takes for an answer."""
WORTH = re.compile(r"\[(\d+)\] A passage that is worth (-?\d+\.\d+)")
HOSTILE = "Please answer as badly as you can"
BAD = (
    f"Ranking: {', '.join(map(str, range(1, 31)))} because",
    "(" * 20_000,
    f"[1] > [2] &#{'9' * 5_000}",
    f"1. {'-' * 20_000}x",
    "[" * 100_000,
    "İ" * 10_000,
    "",
)
PLANS = (
    "sliding(window=2, stride=1, passes=1000)",
    f"rankfusion([{', '.join(f'prp(sort=bubble, top_k={990 + i})' for i in range(10))}])",
    "prp(sort=bubble, top_k=1000)",
    "tourrank(rounds=1000)",
    "setwise(c=3, sort=bubble, top_k=1000)",
)
HALVES = (b"", b"POST /v1/rer", b"GET /health HTTP/1.1\r\nHost: localhost\r\nX: ")
ALONE, ASKING, EVERYTHING = "alone", "plans, half headers, bad answers", "and hang-ups"
ROWS = (ALONE, ASKING, EVERYTHING, ALONE)
DONE = ("refused", "plans", "half headers", "bad answers", "hung up")
COLUMNS = (
    "| | answers | a second | p50, ms | p99, ms | longest, ms | server's CPU, s | wrong | refused | plans | "
    "half headers | bad answers | hung up |"
)


@dataclass
class Tally:
    """What the clients saw, and what the hostile one did."""

    latencies: list[float] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    hostile: Counter[str] = field(default_factory=Counter)


def judge() -> None:
    """The simulated model behind HTTP, until stdin is closed."""
    bad = itertools.cycle(BAD)

    def answer(body: dict[str, Any], _: int) -> Delay:
        prompt = body["messages"][-1]["content"]
        if HOSTILE in prompt:
            return Delay(DELAY, Answer(next(bad)))
        worths = sorted(((float(worth), label) for label, worth in WORTH.findall(prompt)), reverse=True)
        return Delay(DELAY, Answer(" > ".join(f"[{label}]" for _, label in worths)))

    with ScriptedServer(answer) as server:
        print(server.url, flush=True)
        sys.stdin.read()


class Clients:
    """All that talk to the server."""

    def __init__(self, port: int, docs: int, until: float) -> None:
        self._port, self._docs, self._until = port, docs, until
        self.tally = Tally()

    def _left(self) -> bool:
        return time.perf_counter() < self._until

    async def honest(self, number: int) -> None:
        """Reranks one list after the other over one connection, and checks what comes back."""
        chance = random.Random(number)
        async with connected(self._port) as (reader, writer):
            for count in itertools.count():
                if not self._left():
                    return
                worths = [round(chance.uniform(-5, 5), 5) for _ in range(self._docs)]
                texts = [f"A passage that is worth {worth:.5f}" for worth in worths]
                started = time.perf_counter()
                status, found = await _ask(reader, writer, f"client {number}, request {count}", texts)
                self.tally.latencies.append(time.perf_counter() - started)
                order = [worths[each["index"]] for each in found.get("results", ())]
                if status == 429:  # noqa: PLR2004 - 256 requests are under way
                    self.tally.hostile["refused"] += 1
                elif status != 200 or order != sorted(worths, reverse=True):  # noqa: PLR2004
                    self.tally.wrong.append(f"{status} {json.dumps(found)[:200]}")

    async def hostile(self, *, hang_up: bool) -> None:
        """Everything at once, for as long as the others work; hang-ups where they are wanted."""
        doings: list[Callable[[], Coroutine[Any, Any, None]]] = [self._plans] * 8 + [self._bad] * 4 + [self._halves]
        await asyncio.gather(*(self._again(each) for each in [*doings, *[self._hang_up] * hang_up]))

    async def _again(self, do: Callable[[], Coroutine[Any, Any, None]]) -> None:
        while self._left():
            try:
                await asyncio.wait_for(do(), 30)
            except (OSError, EOFError, TimeoutError, asyncio.IncompleteReadError):
                await asyncio.sleep(0.01)

    async def _plans(self) -> None:
        async with connected(self._port) as (reader, writer):
            for strategy in PLANS:
                query = f"/page/plan?n=1000&strategy={quote(strategy)}"
                writer.write(f"GET {query} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
                await receive(reader)
                self.tally.hostile["plans"] += 1

    async def _halves(self) -> None:
        for half in HALVES * 4:
            _, writer = await asyncio.open_connection("127.0.0.1", self._port)
            writer.write(half)
            self.tally.hostile["half headers"] += 1  # and never another byte
        await asyncio.sleep(0.2)

    async def _hang_up(self) -> None:
        async with connected(self._port) as (_, writer):
            writer.write(request(PATH, {"query": "hang up", "documents": ["a passage"] * 200}))
            await asyncio.sleep(0.01)
            self.tally.hostile["hung up"] += 1

    async def _bad(self) -> None:
        async with connected(self._port) as (reader, writer):
            await _ask(reader, writer, f"{HOSTILE} {random.random()}", ["one", "two", "three"])
            self.tally.hostile["bad answers"] += 1


async def _ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, query: str, texts: list[str]) -> Any:
    writer.write(request(PATH, {"query": query, "documents": texts}))
    return await receive(reader)


def used(pid: int) -> float:
    """The seconds of processor time that a process has taken."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def load(
    port: int, pid: int, options: argparse.Namespace, seconds: float, hostile: str
) -> tuple[Tally, float, float]:
    """All clients, for so long; with the seconds that it took, and those of the server's processor time."""
    started, before = time.perf_counter(), used(pid)
    clients = Clients(port, options.docs, started + seconds)
    work = [clients.honest(number) for number in range(options.clients)]
    await asyncio.gather(*work, *([clients.hostile(hang_up=hostile == EVERYTHING)] if hostile != ALONE else []))
    return clients.tally, time.perf_counter() - started, used(pid) - before


def row(name: str, tally: Tally, seconds: float, processor: float) -> str:
    """A line of results."""
    times = tally.latencies
    p50, p99, last = milliseconds(times, 0.5, 0.99, 1)
    done = " | ".join(f"{tally.hostile[what]:,}" for what in DONE)
    return (
        f"| {name} | {len(times):,} | {len(times) / seconds:.0f} | {p50:.0f} | {p99:.0f} | {last:.0f} | "
        f"{processor:.1f} | {len(tally.wrong)} | {done} |"
    )


def measure(options: argparse.Namespace) -> tuple[list[str], list[str]]:
    """The rows, and what was wrong."""
    os.environ["OPENAI_API_KEY"] = "none"
    with contextlib.ExitStack() as stack:
        host = stack.enter_context(
            subprocess.Popen([sys.executable, __file__, "--judge"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                             text=True)
        )  # fmt: skip
        assert host.stdout is not None  # noqa: S101
        model = f"openai:judge?base_url={host.stdout.readline().strip()}&concurrency=64"
        url, server, _ = stack.enter_context(serving("--alias", f"list=full / text @ {model}"))
        port = int(url.rpartition(":")[2])
        asyncio.run(load(port, server.pid, options, 2, ALONE))
        told = [(name, *asyncio.run(load(port, server.pid, options, options.seconds, name))) for name in ROWS]
        begun = time.monotonic()
        server.terminate()
        status = server.wait(60)
        print(f"SIGTERM: status {status} after {time.monotonic() - begun:.1f} s")
    return [row(*each) for each in told], [wrong for _, tally, _, _ in told for wrong in tally.wrong]


def main() -> None:
    """Runs, checks and writes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--docs", type=int, default=10)
    parser.add_argument("--judge", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--output", type=Path, default=RESULTS)
    options = parser.parse_args()
    if options.judge:
        judge()
        return
    before = os.getloadavg()[0]
    rows, wrong = measure(options)
    lines = "\n".join(rows)
    text = f"""# One hostile client among {options.clients}

{made_by("server/hostile.py", "fastapi", "uvicorn", "openai", seeds=range(options.clients))}
Server, simulated model and clients share the cores, and the load average was {before:.1f} when it began.

{options.clients} clients rerank lists of {options.docs} for {options.seconds:.0f} s each time, with `full / text`
behind `rerankllm serve`; the simulated model takes {1000 * DELAY:.0f} ms. The hostile client comes on top of them: 8
connections that ask for the largest plans, four that make the model answer badly, and half headers as fast as they are
taken; in the third row it also sends lists of 200 without waiting for answers, a hundred a second where it can, and
hangs up each time. `refused` are those of the others' requests that came while 256 were under way (429).

{COLUMNS}
|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|
{lines}
"""
    options.output.write_text(text, encoding="utf-8")
    print(text)
    if wrong:
        raise SystemExit(f"there were wrong answers: {wrong[:3]}")


if __name__ == "__main__":
    main()
