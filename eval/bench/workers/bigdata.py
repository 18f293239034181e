"""Makes a collection for big runs: so many queries, a hundred candidates each, no document twice.

The job: folder, queries. Words are drawn with the seed 1; a passage has fifty, as MS MARCO's have.
"""

import json
import random
import sys
from pathlib import Path

DEPTH, WORDS, VOCABULARY, SEED, JUDGED, GRADES = 100, 50, 5000, 1, 5, 4


def main() -> None:
    """Writes corpus, queries, run and qrels."""
    job = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    folder, queries, chance = Path(job["folder"]), job["queries"], random.Random(SEED)
    words = ["".join(chance.choices("abcdefghijklmnop", k=chance.randrange(3, 10))) for _ in range(VOCABULARY)]
    count = queries * DEPTH
    with (folder / "corpus.jsonl").open("w", encoding="utf-8") as file:
        for number in range(count):
            text = " ".join(chance.choices(words, k=WORDS))
            file.write(json.dumps({"_id": str(7 * number), "text": text}) + "\n")
    order = list(range(count))
    chance.shuffle(order)
    with (
        (folder / "queries.tsv").open("w", encoding="utf-8") as texts,
        (folder / "run.txt").open("w", encoding="utf-8") as run,
        (folder / "qrels.txt").open("w", encoding="utf-8") as qrels,
    ):
        for query in range(queries):
            texts.write(f"q{query}\t{' '.join(chance.choices(words, k=6))}\n")
            for rank, number in enumerate(order[DEPTH * query : DEPTH * (query + 1)], 1):
                run.write(f"q{query} Q0 {7 * number} {rank} {30 - rank / 10:.4f} bm25\n")
                if rank % JUDGED == 0:
                    qrels.write(f"q{query} 0 {7 * number} {chance.randrange(GRADES)}\n")
    print(json.dumps({"pairs": count}))


if __name__ == "__main__":
    main()
