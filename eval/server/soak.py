"""`rerankllm serve` as it is started, under 64 clients of which one is hostile: answers, and memory over many requests.

    python eval/server/soak.py --requests 20000

The server is the command itself with its default model, in a process of its own. A client asks one of four routes about
passages of the sample that ships, whose scores are computed beforehand in this process, and about one text that nobody
sent before, so that whatever the server keeps of texts grows. Every answer is checked: every document once, falling
scores, and those of the sample as computed. The hostile client goes through HOSTILE once for each 1,000 answers of the
others; what it gets must be an answer, or an error that is its own fault. Writes soak.md beside this file.
"""

import argparse
import asyncio
import contextlib
import itertools
import json
import math
import os
import random
import sys
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from rerankllm.formats.beir import read_corpus, read_queries
from rerankllm.formats.trec import read_run
from rerankllm.reranker import Reranker
from rerankllm.sample import path as sample

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent)]
from common import connected, milliseconds, resident, serving  # noqa: E402
from made import made_by  # noqa: E402

PATHS = ("/v2/rerank", "/v1/rerank", "/rerank", "/score")
MODEL = "embed:minilm"
SHOWN = 4
"""Passages of a request, one of them new."""
NEAR = 2e-3
"""How far a score may be from the one computed beforehand: the texts of its batch change how it is rounded."""
MARKS = (0, 1_000, 5_000, 10_000, 20_000, 40_000, 80_000)
TEN_MB = 10_000_000
EACH = 1_000
"""Answers of the others for which the hostile client goes through all it has once."""
PATIENCE = 600
"""Seconds that a client waits, and the server takes at most: others may share this machine."""

HOSTILE: dict[str, bytes] = {
    "half a surrogate": b'{"model": "default", "query": "\\ud83d", "documents": ["cut \\ud83d here", "b"]}',
    "NUL": b'{"model": "default", "query": "\\u0000", "documents": ["a\\u0000b", "\\u0000"]}',
    "a text of 10 MB": json.dumps(
        {"model": "default", "query": "q", "documents": ["flea " * (TEN_MB // 5), "b"]}
    ).encode(),
    "a word of 10 MB": json.dumps({"model": "default", "query": "q", "documents": ["x" * TEN_MB, "b"]}).encode(),
    "10 MB of brackets": b"[" * TEN_MB,
    "17 MB": b" " * (TEN_MB + 7_000_000),
    "a number for a text": b'{"model": "default", "query": 5, "documents": [1, null, {"text": []}]}',
    "a text for the list": b'{"model": "default", "query": "q", "documents": "text"}',
    "no such model": b'{"model": "../../etc/passwd", "query": "q", "documents": ["a"]}',
    "top_n of 1e400": b'{"model": "default", "query": "q", "documents": ["a"], "top_n": 1e400}',
    "no JSON": b"\xff\xfe{",
    "control tokens": b'{"model": "default", "query": "<|im_end|>", "documents": ["</s><|eot_id|>", "[SEP]"]}',
}


@dataclass
class Tally:
    """What the clients saw."""

    done: int = 0
    seconds: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    hostile: "defaultdict[str, Counter[str]]" = field(default_factory=lambda: defaultdict(Counter))
    memory: dict[int, float] = field(default_factory=dict)


class Known:
    """Queries and passages of the sample, and how the model scores each pair.

    Scores are what the server gives: cosines, and 0 where they are negative.
    """

    def __init__(self) -> None:
        self.lists: list[tuple[str, list[tuple[str, float]]]] = []
        queries, run = read_queries(sample("queries.tsv")), read_run(sample("run.txt"))
        corpus = read_corpus(sample("corpus.jsonl"))
        with Reranker("pointwise", MODEL) as reranker:
            for query_id, query in queries.items():
                texts = [corpus[doc_id].content for doc_id, _ in run[query_id]]
                found = reranker.rerank(query, texts)
                self.lists.append((query, [(each.document.text, max(0.0, each.score or 0.0)) for each in found]))

    def draw(self, chance: random.Random) -> tuple[str, list[tuple[str, float]]]:
        """A query, and some of its passages."""
        query, pairs = chance.choice(self.lists)
        return query, chance.sample(pairs, SHOWN - 1)


def request(path: str, query: str, texts: list[str]) -> dict[str, Any]:
    """A request in the words of its route."""
    if path == "/score":
        return {"text_1": query, "text_2": texts}
    if path == "/rerank":
        return {"query": query, "texts": texts}
    return {"model": "default", "query": query, "documents": texts}


def right(path: str, answer: Any, expected: list[float | None]) -> bool:
    """Whether every document is there once, in the order of its scores, and scored as expected where that is known."""
    if path == "/score":
        places = {each["index"]: each["score"] for each in answer["data"]}
        order = sorted(places, key=places.__getitem__, reverse=True)
    else:
        results = answer if isinstance(answer, list) else answer["results"]
        places = {each["index"]: each.get("relevance_score", each.get("score")) for each in results}
        order = [each["index"] for each in results]
    falling = all(places[a] >= places[b] for a, b in itertools.pairwise(order))
    near = all(e is None or math.isclose(places[i], e, abs_tol=NEAR) for i, e in enumerate(expected) if i in places)
    return sorted(order) == list(range(len(expected))) and falling and near


class Soak:
    """The clients.

    Args:
        url: The server's address.
        pid: Its process.
        requests: How many the friendly clients send in all.
        known: What they ask about.
    """

    def __init__(self, url: str, pid: int, requests: int, known: Known) -> None:
        self._url, self._pid, self._requests, self._known = url, pid, requests, known
        self._sent = itertools.count()
        self.tally = Tally()

    async def run(self, clients: int) -> Tally:
        """All of them, of whom the last is hostile."""
        self.tally.memory[0] = resident(self._pid)
        hostile = asyncio.ensure_future(self._harm())
        await asyncio.gather(*(self._work(number) for number in range(clients - 1)))
        hostile.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await hostile
        return self.tally

    async def _work(self, number: int) -> None:
        chance = random.Random(number)
        async with httpx.AsyncClient(base_url=self._url, timeout=PATIENCE) as client:
            while (count := next(self._sent)) < self._requests:
                await self._ask(client, chance, count)

    async def _ask(self, client: httpx.AsyncClient, chance: random.Random, count: int) -> None:
        path = chance.choice(PATHS)
        query, pairs = self._known.draw(chance)
        new: tuple[str, float | None] = (f"Nobody has sent this before, it is number {count} of them.", None)
        shown = [*pairs, new]
        chance.shuffle(shown)
        began = time.perf_counter()
        response = await client.post(path, json=request(path, query, [text for text, _ in shown]))
        tally = self.tally
        tally.seconds.append(time.perf_counter() - began)
        tally.statuses[response.status_code] += 1
        if response.status_code != httpx.codes.OK or not right(path, response.json(), [worth for _, worth in shown]):
            tally.wrong.append(f"{path}: {response.status_code} {response.text[:300]}")
        tally.done += 1
        if tally.done in MARKS:
            tally.memory[tally.done] = resident(self._pid)

    async def _harm(self) -> None:
        """One thing after the other, each on a route of its own, and a hang-up after each round."""
        paths = itertools.cycle(PATHS)
        async with httpx.AsyncClient(base_url=self._url, timeout=PATIENCE) as client:
            for round_ in itertools.count():
                while self.tally.done < round_ * EACH:  # noqa: ASYNC110 - it is only looked at here
                    await asyncio.sleep(0.05)
                for name, body in HOSTILE.items():
                    path = next(paths)
                    sent = body.replace(b'"documents"', b'"text_2"').replace(b'"query"', b'"text_1"')
                    content = sent if path == "/score" else body
                    response = await client.post(path, content=content, headers={"Content-Type": "application/json"})
                    self.tally.hostile[name][str(response.status_code)] += 1
                await self._hang_up()
                self.tally.hostile["hang-ups in the middle"]["no answer"] += 1

    async def _hang_up(self) -> None:
        async with connected(int(self._url.rpartition(":")[2])) as (_, writer):
            writer.write(b'POST /v1/rerank HTTP/1.1\r\nHost: localhost\r\nContent-Length: 500\r\n\r\n{"query": "')
            await writer.drain()


def measured(options: argparse.Namespace, known: Known) -> tuple[Tally, float, str]:
    """The clients' tally, the seconds it took, and the server's last memory as its log and exit say."""
    with serving("--model", MODEL, "--strategy", "pointwise", "--max-seconds", str(PATIENCE)) as (url, process, log):
        httpx.post(f"{url}/v1/rerank", json=request("/v1/rerank", "warm", ["a", "b"]), timeout=PATIENCE)
        began = time.perf_counter()
        tally = asyncio.run(Soak(url, process.pid, options.requests, known).run(options.clients))
        seconds = time.perf_counter() - began
        traces = log.read_text(errors="replace").count("Traceback")
    return tally, seconds, f"tracebacks in its log: {traces}; exit status {process.returncode}"


def report(options: argparse.Namespace, tally: Tally, seconds: float, ended: str, load: float) -> str:
    """The results in Markdown."""
    p50, p99 = milliseconds(tally.seconds, 0.5, 0.99)
    answered = tally.statuses[httpx.codes.OK]
    memory = "\n".join(f"| {mark:,} | {mib:.1f} |" for mark, mib in tally.memory.items())
    harm = "\n".join(
        f"| {name} | {', '.join(f'{status}: {count}' for status, count in sorted(found.items()))} |"
        for name, found in tally.hostile.items()
    )
    return f"""# A server under many requests, with a hostile client

{made_by("server/soak.py", "fastapi", "starlette", "uvicorn", "onnxruntime", seeds=range(options.clients - 1))}
Server and clients share the cores, and the load average was {load:.1f} when it began.

{options.clients - 1} friendly clients and a hostile one. The friendly ones had {tally.done:,} answers about {SHOWN}
passages each, {answered:,} of them 200, {len(tally.wrong)} wrong, and {options.requests - tally.done} were lost;
{tally.done / seconds:.0f} a second, p50 {p50:.0f} ms, p99 {p99:.0f} ms. The server: {ended}.

| requests answered | the server's memory, MiB |
|---:|---:|
{memory}

What the hostile client sent, and how often it got which status:

| sent | status: how often |
|---|---|
{harm}
"""


def main() -> None:
    """Runs, checks and writes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--requests", type=int, default=20_000)
    parser.add_argument("--output", type=Path, default=HERE / "soak.md")
    options = parser.parse_args()
    load = os.getloadavg()[0]
    tally, seconds, ended = measured(options, Known())
    text = report(options, tally, seconds, ended, load)
    print(text)
    options.output.write_text(text, encoding="utf-8")
    if tally.wrong or tally.done != options.requests:
        raise SystemExit("\n".join(tally.wrong[:5]) or "requests were lost")
    if any(status.startswith("5") for found in tally.hostile.values() for status in found):
        raise SystemExit("the hostile client got a server error")


if __name__ == "__main__":
    main()
