"""What a small student learns from a large teacher's recorded orders: RankVicuna-7B to all-MiniLM-L6-v2, on DL19.

    python eval/training/run.py --data DATA

The student is trained on two thirds of TREC DL 2019's queries, of which some are kept for early stopping. It is
measured on the other third and on NovelEval. Writes results.md.
"""

import argparse
import sys
import tempfile
from pathlib import Path

from rerankllm import train
from rerankllm.training.proof import Proof

sys.path.insert(0, str(Path(__file__).parents[1]))
from made import made_by

RESULTS = Path(__file__).parent / "results.md"


def source(folder: Path) -> dict[str, str]:
    """A run with its texts and qrels."""
    names = {"run": "run.txt", "queries": "queries.tsv", "corpus": "corpus.jsonl", "qrels": "qrels.txt"}
    return {key: str(folder / name) for key, name in names.items()}


def verdict(proof: Proof) -> str:
    """What may be said of the student, in a sentence."""
    (student,) = (row for row in proof.rows if row.name == "student")
    low, high = student.against_interval or (0.0, 0.0)
    said = "better than" if low > 0 else "worse than" if high < 0 else "not told apart from"
    return f"- {proof.queries}: the student is {said} its base."


def main() -> None:
    """Trains, measures, writes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="the folder with dl19-bm25 and noveleval")
    data = parser.parse_args().data.resolve()
    config = {
        "data": source(data / "dl19-bm25"),
        "teacher": {
            "recording": str(data / "rankvicuna-dl19-bm25.jsonl"),
            "strategy": "sliding(window=20, stride=10)",
        },
        "student": "embed:minilm",
        "loss": "ranknet",
        "split": {"validation": 0.1, "test": 1 / 3},
        "lists": {"size": 12, "per_query": 3},
        "training": {"epochs": 2, "learning_rate": 3e-5, "max_length": 96, "device": "cpu", "threads": 1},
        "measure_on": {"NovelEval": source(data / "noveleval")},
    }
    with tempfile.TemporaryDirectory() as folder:
        done = train(config, Path(folder) / "student")
    epochs = ", ".join(f"{value:.4f}" for value in done.validation)
    trained = (
        f"Trained for {done.seconds:.0f} seconds of one thread, RankNet over 12 documents at a time. nDCG@10 on the "
        f"validation queries, before and after each epoch: {epochs}."
    )
    lines = [
        "# A student of RankVicuna",
        "",
        made_by("training/run.py --data DATA", "torch", "transformers", "sentence-transformers", seeds=[0]),
        "",
        trained,
        "",
        *map(verdict, done.proofs),
        "",
        done.markdown(),
    ]
    RESULTS.write_text("\n".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main()
