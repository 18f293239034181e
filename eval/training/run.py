"""What small students learn from a large teacher's recorded orders: RankVicuna-7B's of TREC DL 2019.

    python eval/training/run.py --data DATA [--student NAME] [--work FOLDER]

A student is trained on about 56 % of TREC DL 2019's queries, and stops early by some 10 %. It is measured on the other
third and on NovelEval. Writes results/NAME.md for each student; with --work a training that was killed goes on.
"""

import argparse
import sys
import tempfile
from contextlib import nullcontext
from pathlib import Path

from rerankllm import train
from rerankllm.training.proof import Proof

sys.path.insert(0, str(Path(__file__).parents[1]))
from made import made_by

RESULTS = Path(__file__).parent / "results"
ENCODER = {"epochs": 2, "learning_rate": 3e-5, "max_length": 96}
CAUSAL = {"epochs": 2, "learning_rate": 2e-4, "max_length": 96}
STUDENTS = {
    "minilm-embed": {"student": "embed:minilm", "lists": {"size": 10, "per_query": 3}, "training": ENCODER},
    "minilm-cross-encoder": {
        "student": "cross-encoder:minilm",
        "lists": {"size": 12, "per_query": 16},
        "training": {**ENCODER, "epochs": 3, "learning_rate": 1e-4},
    },
    "smollm2-pointwise": {
        "student": "hf:smollm2",
        "strategy": "pointwise / labels",
        "lora": {"rank": 16},
        "lists": {"size": 8, "per_query": 4},
        "training": CAUSAL,
    },
    "smollm2-listwise": {
        "student": "hf:smollm2",
        "strategy": "sliding(window=8, stride=4) / labels",
        "loss": {"weighted-ranknet": 1, "language-model": 1},
        "lora": {"rank": 16},
        "lists": {"size": 8, "per_query": 6},
        "training": {**CAUSAL, "max_length": 64},
    },
}


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


def write(name: str, data: Path, folder: Path) -> None:
    """Trains one student, measures it, and writes what was found."""
    own = STUDENTS[name]
    config = {
        "data": source(data / "dl19-bm25"),
        "teacher": {
            "recording": str(data / "rankvicuna-dl19-bm25.jsonl"),
            "strategy": "sliding(window=20, stride=10)",
        },
        "split": {"validation": 0.1, "test": 1 / 3},
        "measure_on": {"NovelEval": source(data / "noveleval")},
        **own,
        "training": {**own["training"], "device": "cpu", "threads": 2},
    }
    done = train(config, folder / name)
    epochs = ", ".join(f"{value:.4f}" for value in done.validation)
    lists, how = own["lists"], own["training"]
    lora = f", LoRA of rank {own['lora']['rank']}" if "lora" in own else ""
    trained = (
        f"`{own['student']}`{', asked by `' + own['strategy'] + '`' if 'strategy' in own else ''}{lora}, loss "
        f"{own.get('loss', 'ranknet')}, {lists['per_query']} lists of {lists['size']} documents a query, "
        f"{how['epochs']} epochs, learning rate {how['learning_rate']:g}: {done.seconds:.0f} seconds of two threads "
        f"with validation, other work beside it. nDCG@10 on the validation queries, before and after each epoch: "
        f"{epochs}. The best epoch was kept. The teacher's answers are those of the real model, recorded."
    )
    lines = [
        f"# A student of RankVicuna: {name}",
        "",
        made_by(
            f"training/run.py --data DATA --student {name}", "torch", "transformers", "sentence-transformers", "peft",
            seeds=[0],
        ),
        "",
        trained,
        "",
        *map(verdict, done.proofs),
        "",
        done.markdown(),
    ]  # fmt: skip
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.md").write_text("\n".join(lines), encoding="utf-8")


def main() -> None:
    """Trains, measures, writes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="the folder with dl19-bm25 and noveleval")
    parser.add_argument("--student", choices=STUDENTS, action="append", help="which; repeat for several; all without")
    parser.add_argument("--work", type=Path, help="where trainings are kept, so that they can go on")
    given = parser.parse_args()
    with nullcontext(given.work) if given.work else tempfile.TemporaryDirectory() as folder:
        for name in given.student or STUDENTS:
            write(name, given.data.resolve(), Path(folder))


if __name__ == "__main__":
    main()
