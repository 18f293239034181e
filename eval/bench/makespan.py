"""How long sliding windows take over an API, beside the longest chain of calls that have to wait for one another.

python eval/bench/makespan.py [--runs 5] [--data ../shared/data/dl19-bm25]

43 queries of TREC DL 2019, `sliding(window=20, stride=10)` over 100 documents: nine calls in a row for each query. The
host takes 64 calls at a time and 200 ms for each, then a lognormal latency with that median and sigma .8. It shows its
models for a right key only, as most hosts do, or to anybody: then our first request goes alone. Beside ours the
least that a client can do: the same windows with the openai package alone, all queries at once, no journal, ledger,
retries or checks. Both in processes of their own, in turn; each is measured against the chain its own calls had, from
the first call to the last ranking. Writes results/makespan.md.
"""

import argparse
import asyncio
import json
import os
import re
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Sequence
from pathlib import Path

from rerankllm import Reranker
from rerankllm.data import Candidate, Document, Query
from rerankllm.formats.beir import read_corpus, read_queries
from rerankllm.formats.join import join
from rerankllm.formats.trec import read_run

sys.path.insert(0, str(Path(__file__).parents[1]))
from made import made_by

LIMIT = 1.15
WINDOW, STRIDE, SLOTS = 20, 10, 64
RESULTS = Path(__file__).parent / "results" / "makespan.md"
Queries = Sequence[tuple[Query, Sequence[Candidate]]]


def ours(url: str, queries: Queries) -> float:
    """Seconds of ours."""
    import openai  # noqa: F401, PLC0415 - loaded before the clock starts, as for the other

    options = {"base_url": url, "concurrency": str(SLOTS)}
    with Reranker(f"sliding(window={WINDOW}, stride={STRIDE})", "openai:slow", options=options) as reranker:
        started = time.perf_counter()
        rankings = list(reranker.stream(queries))
        seconds = time.perf_counter() - started
    if any(outcome.ledger.calls != 9 or outcome.ledger.failed for outcome in rankings):  # noqa: PLR2004
        raise RuntimeError("a query was not ranked by nine calls")
    return seconds


def bare(url: str, queries: Queries) -> float:
    """Seconds of the openai package alone."""
    from openai import AsyncOpenAI  # noqa: PLC0415

    async def run() -> float:
        client = AsyncOpenAI(base_url=url, api_key=KEY)

        async def rank(query: str, docs: list[Document]) -> None:
            for end in range(len(docs), STRIDE, -STRIDE):
                shown = docs[max(0, end - WINDOW) : end]
                passages = "".join(f"[{i}] {doc.content}\n\n" for i, doc in enumerate(shown, 1))
                prompt = f"{passages}Search query: {query}\n\nOrder the passages."
                answer = await client.chat.completions.create(
                    model="slow", messages=[{"role": "user", "content": prompt}]
                )
                labels = re.findall(r"\[(\d+)\]", answer.choices[0].message.content or "")
                docs[max(0, end - WINDOW) : end] = [shown[int(label) - 1] for label in labels]

        started = time.perf_counter()
        await asyncio.gather(*(rank(query.text, [c.document for c in found]) for query, found in queries))
        return time.perf_counter() - started

    return asyncio.run(run())


CLIENTS = {"ours": ours, "bare client": bare}


def read(data: Path) -> Queries:
    """The queries and their candidates."""
    run = read_run(data / "run.txt")
    wanted = {doc_id for ranked in run.values() for doc_id, _ in ranked}
    queries, corpus = read_queries(data / "queries.tsv"), read_corpus(data / "corpus.jsonl", wanted)
    return join(run, queries, corpus, skip_missing=False).queries


def measured(name: str, url: str, data: Path) -> float:
    """Seconds of one run in a new process, over those of the longest chain that it met."""
    urllib.request.urlopen(f"{url}/chains").read()
    os.environ["OPENAI_API_KEY"] = KEY
    command = [sys.executable, __file__, "--data", str(data), "--once", name, url]
    seconds = float(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
    return float(seconds / max(json.loads(urllib.request.urlopen(f"{url}/chains").read()).values()))


KEY = "sk-bench"
HOSTS: dict[str, tuple[float, str, str | None]] = {
    "200 ms": (0.0, "nobody", KEY),
    "200 ms, models shown to anybody": (0.0, "nobody", None),
    "200 ms, vLLM's server": (0.0, "vllm", KEY),
    "lognormal, median 200 ms, σ = .8": (0.8, "nobody", KEY),
    "lognormal, models shown to anybody": (0.8, "nobody", None),
}
"""By what is shown of them: the sigma of their latencies, whose server they say they are, and who sees their models."""


def compared(sigma: float, owner: str, key: str | None, runs: int, data: Path) -> dict[str, list[float]]:
    """What each took in so many runs, in turn, against one server."""
    server = [sys.executable, str(Path(__file__).with_name("latency_server.py")), "--slots", str(SLOTS)]
    server += ["--sigma", str(sigma), "--owner", owner, *(["--key", key] if key else [])]
    with subprocess.Popen(server, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        if process.stdin is None or process.stdout is None:
            raise RuntimeError("no pipes")
        url = f"http://127.0.0.1:{process.stdout.readline().strip()}/v1"
        found: dict[str, list[float]] = {name: [] for name in CLIENTS}
        for _ in range(runs):
            for name, values in found.items():
                values.append(measured(name, url, data))
        process.stdin.close()
    return found


def main() -> None:
    """Prints and writes the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--data", type=Path, default=Path("../shared/data/dl19-bm25"))
    parser.add_argument("--once", nargs=2, metavar=("NAME", "URL"), help="Print the seconds of one run.")
    given = parser.parse_args()
    if given.once:
        name, url = given.once
        print(CLIENTS[name](url, read(given.data)))
        return
    load = f"Load {os.getloadavg()[0]:.1f} at the start."
    lines = [
        "# Sliding windows over an API: seconds over those of the longest chain",
        "",
        f"{made_by(f'bench/makespan.py --runs {given.runs}', 'openai')} {load} Medians, with the least and the most.",
        "",
        "| latency | ours | bare client | ours / bare | limit | within |",
        "|---|---:|---:|---:|---:|---|",
    ]
    for shown, host in HOSTS.items():
        found = compared(*host, given.runs, given.data)
        medians = {name: statistics.median(values) for name, values in found.items()}
        cells = [f"{medians[name]:.3f} ({min(values):.2f}–{max(values):.2f})" for name, values in found.items()]
        within = "yes" if medians["ours"] <= LIMIT else "no"
        ratio = medians["ours"] / medians["bare client"]
        lines.append(f"| {shown} | {' | '.join(cells)} | {ratio:.2f} | {LIMIT} | {within} |")
        print(lines[-1], flush=True)
    RESULTS.write_text("\n".join([*lines, ""]), encoding="utf-8")


if __name__ == "__main__":
    main()
