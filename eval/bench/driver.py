"""What the drivers themselves take: CPU microseconds a call of the oracle, which answers at once.

python eval/bench/driver.py

The strategy, the budget, the ledger and the oracle are in it; prompts are not, for the oracle reads none. Then how the
time of one query grows with its documents, strategy by strategy: over the calls it takes, and over the passages they
show, as exponents between the least and the most documents. 1 is as fast for a thousand as for a few.
"""

import gc
import math
import random
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from rerankllm import Reranker
from rerankllm.data import Candidate, Document, Query

QUERIES, DOCUMENTS = 300, 100
SIZES = (250, 500, 1000)
GROWING = (
    "pointwise", "sliding", "full", "prp(sort=heap)", "prp(sort=quickselect)", "prp(sort=bubble)", "setwise",
    "tournament", "tourrank", "elimination", "swiss", "tdpart", "jointrank", "group", "acurank", "active",
)  # fmt: skip


def stream() -> Iterator[tuple[Query, list[Candidate]]]:
    """Queries with their candidates."""
    for i in range(QUERIES):
        yield Query(f"q{i}", "what"), [Candidate(Document(f"d{j}", "a passage")) for j in range(DOCUMENTS)]


def growth(folder: Path) -> None:
    """Prints how the time of a query grows, a row a strategy."""
    chance = random.Random(0)
    qrels = folder / "long.txt"
    qrels.write_text("".join(f"q 0 d{j} {chance.randrange(4)}\n" for j in range(SIZES[-1])))
    print("\n| strategy | " + " | ".join(f"n = {n}, ms" for n in SIZES) + " | over calls | over passages |")
    print("|---|" + "---:|" * (len(SIZES) + 2))
    for strategy in GROWING:
        taken, calls, slots = [], [], []
        for n in SIZES:
            docs = [Document(f"d{j}", "a passage") for j in range(n)]
            with Reranker(strategy, f"oracle:{qrels}") as reranker:
                started = time.process_time()
                ledger = reranker.rerank(Query("q", "what"), docs).ledger
                taken.append(time.process_time() - started)
            calls.append(ledger.calls)
            slots.append(ledger.slots)
        more = math.log(taken[-1] / taken[0])
        over = (f"{more / math.log(each[-1] / each[0]):.2f}" if each[-1] > each[0] else "–" for each in (calls, slots))
        print(f"| {strategy} | {' | '.join(f'{1000 * t:.0f}' for t in taken)} | {' | '.join(over)} |", flush=True)


def main() -> None:
    """Prints a row a strategy and driver, and a row a strategy."""
    with tempfile.TemporaryDirectory() as folder:
        qrels = Path(folder) / "qrels.txt"
        chance = random.Random(0)
        lines = (f"q{i} 0 d{j} {chance.randrange(4)}\n" for i in range(QUERIES) for j in range(DOCUMENTS))
        qrels.write_text("".join(lines))
        print("| strategy | driver | calls | µs a call |\n|---|---|---:|---:|")
        for strategy in ("pointwise", "sliding", "prp(sort=heap)"):
            for driver in ("rounds", "concurrent"):
                queries = list(stream())  # not the drivers' work, nor is the collector's first look through them
                gc.collect()
                with Reranker(strategy, f"oracle:{qrels}", driver=driver) as reranker:
                    started = time.process_time()
                    calls = sum(outcome.ledger.calls for outcome in reranker.stream(queries))
                    each = 1e6 * (time.process_time() - started) / calls
                print(f"| {strategy} | {driver} | {calls:,} | {each:.0f} |", flush=True)
        growth(Path(folder))


if __name__ == "__main__":
    main()
