"""What the drivers themselves take: CPU microseconds a call of the oracle, which answers at once.

python eval/bench/driver.py

The strategy, the budget, the ledger and the oracle are in it; prompts are not, for the oracle reads none.
"""

import random
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from rerankllm import Reranker
from rerankllm.data import Candidate, Document, Query

QUERIES, DOCUMENTS = 300, 100


def stream() -> Iterator[tuple[Query, list[Candidate]]]:
    """Queries with their candidates."""
    for i in range(QUERIES):
        yield Query(f"q{i}", "what"), [Candidate(Document(f"d{j}", "a passage")) for j in range(DOCUMENTS)]


def main() -> None:
    """Prints a row a strategy and driver."""
    with tempfile.TemporaryDirectory() as folder:
        qrels = Path(folder) / "qrels.txt"
        chance = random.Random(0)
        lines = (f"q{i} 0 d{j} {chance.randrange(4)}\n" for i in range(QUERIES) for j in range(DOCUMENTS))
        qrels.write_text("".join(lines))
        print("| strategy | driver | calls | µs a call |\n|---|---|---:|---:|")
        for strategy in ("pointwise", "sliding", "prp(sort=heap)"):
            for driver in ("rounds", "concurrent"):
                with Reranker(strategy, f"oracle:{qrels}", driver=driver) as reranker:
                    started = time.process_time()
                    calls = sum(outcome.ledger.calls for outcome in reranker.stream(stream()))
                    each = 1e6 * (time.process_time() - started) / calls
                print(f"| {strategy} | {driver} | {calls:,} | {each:.0f} |", flush=True)


if __name__ == "__main__":
    main()
