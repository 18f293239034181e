"""What small students learn from a large teacher's recorded orders: RankVicuna-7B's of TREC DL 2019.

    python eval/training/run.py --data DATA [--student NAME] [--work FOLDER]

A student is trained on about 56 % of TREC DL 2019's queries, and stops early by some 10 %. It is measured on the other
third and on NovelEval. Writes results/NAME.md for each student; with --work a training that was killed goes on.
Sizes are for a processor core and about ten minutes: most students read fewer than BM25's first 100 of DL 2019.
"""

import argparse
import json
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from statistics import fmean

import torch

from rerankllm import Reranker, train
from rerankllm.drivers.results import Run
from rerankllm.evaluation.agreement import kendall_tau
from rerankllm.formats import trec
from rerankllm.runs.source import read_source
from rerankllm.training.measured import MEASURED
from rerankllm.training.proof import Proof

sys.path.insert(0, str(Path(__file__).parents[1]))
from made import made_by

RESULTS = Path(__file__).parent / "results"
THREADS = 1
DEPTH = 100
"""Of the first stage's run, and of the teacher's recording."""
SLIDING = "sliding(window=20, stride=10)"
ENCODER = {"epochs": 2, "batch": 4, "learning_rate": 3e-5, "max_length": 96}
CAUSAL = {"epochs": 2, "batch": 1, "learning_rate": 2e-4, "max_length": 48}
STUDENTS = {
    "minilm-embed": {"student": "embed:minilm", "lists": {"size": 10, "per_query": 3}, "training": ENCODER},
    "minilm-cross-encoder": {
        "student": "cross-encoder:minilm",
        "lists": {"size": 8, "per_query": 3},
        "training": {**ENCODER, "epochs": 3, "batch": 2, "learning_rate": 1e-4},
    },
    "smollm2-pointwise": {
        "student": "hf:smollm2",
        "strategy": "pointwise / labels",
        "lora": {"rank": 16},
        "lists": {"size": 4, "per_query": 1},
        "training": CAUSAL,
    },
    "smollm2-listwise": {
        "student": "hf:smollm2",
        "strategy": "sliding(window=10, stride=5) / labels",
        "loss": {"weighted-ranknet": 1, "language-model": 1},
        "lora": {"rank": 16},
        "lists": {"size": 10, "per_query": 1},
        "training": CAUSAL,
    },
}
SHORT = {"minilm-cross-encoder": 50, "smollm2-pointwise": 20, "smollm2-listwise": 10}
"""How many of the first stage's documents a student reads of DL 2019, where that is not DEPTH.

These multiply matrices in bfloat16 too, where the processor does.
"""


def source(folder: Path) -> dict[str, str]:
    """A run with its texts and qrels."""
    names = {"run": "run.txt", "queries": "queries.tsv", "corpus": "corpus.jsonl", "qrels": "qrels.txt"}
    return {key: str(folder / name) for key, name in names.items()}


def shortened(folder: Path, data: Path, depth: int) -> tuple[dict[str, str], dict[str, str]]:
    """`data` and `teacher` of a training: the first `depth` documents, and the teacher's order of the whole lists."""
    whole, path = source(data / "dl19-bm25"), data / "rankvicuna-dl19-bm25.jsonl"
    if depth == DEPTH:
        return whole, {"recording": str(path), "strategy": SLIDING}
    files = {key: Path(name) for key, name in whole.items()}
    given = read_source(sample=False, requests=None, skip_missing=False, **files)
    with Reranker(SLIDING, f"recorded:{path}") as reranker:
        orders = Run.of(reranker.stream(given.queries)).rankings
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "run.txt").open("w") as run, (folder / "teacher.txt").open("w") as teacher:
        for query, candidates in given.queries:
            trec.write_run(run, query.query_id, [each.doc_id for each in candidates[:depth]], "bm25")
        for ranking in orders:
            trec.write_run(teacher, ranking.query.query_id, ranking.doc_ids, "rankvicuna")
    return {**whole, "run": str(folder / "run.txt")}, {"run": str(folder / "teacher.txt")}


@contextmanager
def timed(path: Path) -> Iterator[None]:
    """Notes the processor's seconds of this process, also where it is ended by a signal."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    try:
        yield
    finally:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps([*spent(path), time.process_time()]))


def spent(path: Path) -> list[float]:
    """The seconds that were noted."""
    return json.loads(path.read_text()) if path.exists() else []


def verdict(proof: Proof) -> str:
    """What may be said of the student, in a sentence."""
    (student,) = (row for row in proof.rows if row.name == "student")
    low, high = student.against_interval or (0.0, 0.0)
    said = "better than" if low > 0 else "worse than" if high < 0 else "not told apart from"
    return f"- {proof.queries}: the student is {said} its base."


def habit(proof: Proof, folder: Path) -> str:
    """How much of the first stage's order the base and the student keep: the mean of Kendall's tau."""
    runs = {name: trec.read_run(folder / f"{name}.txt") for name in ("first-stage", "base", "student")}
    orders = {name: {query_id: [doc_id for doc_id, _ in own] for query_id, own in run.items()}
              for name, run in runs.items()}  # fmt: skip
    base, student = (
        fmean(kendall_tau(own, orders[name][query_id]) for query_id, own in orders["first-stage"].items())
        for name in ("base", "student")
    )
    return f"- {proof.queries}: Kendall's tau with the first stage is {base:.2f} for the base, {student:.2f} after."


def write(name: str, data: Path, folder: Path) -> None:
    """Trains one student, measures it, and writes what was found."""
    own, depth = STUDENTS[name], SHORT.get(name, DEPTH)
    torch.set_float32_matmul_precision("medium" if name in SHORT else "highest")
    given, teacher = shortened(folder / f"{name}-first", data, depth)
    config = {
        "data": given,
        "teacher": teacher,
        "split": {"validation": 0.1, "test": 1 / 3},
        "measure_on": {"NovelEval": source(data / "noveleval")},
        **own,
        "training": {**own["training"], "device": "cpu", "threads": THREADS},
    }
    noted = folder / f"{name}-seconds.json"
    with timed(noted):
        done = train(config, folder / name)
    epochs = ", ".join(f"{value:.4f}" for value in done.validation)
    lists, how = own["lists"], own["training"]
    lora = f", LoRA of rank {own['lora']['rank']}" if "lora" in own else ""
    asked = f", asked by `{own['strategy']}`" if "strategy" in own else ""
    read = "passages" if "strategy" in own else "texts" if own["student"].startswith("embed") else "pairs"
    products = ", matrix products in bfloat16" if name in SHORT else ""
    drawn = f"{lists['per_query']} list{'s' if lists['per_query'] > 1 else ''} of {lists['size']} documents a query"
    trained = (
        f"`{own['student']}`{asked}{lora}, loss {own.get('loss', 'ranknet')}, {drawn}, {how['epochs']} epochs, "
        f"{how['batch']} a step, learning rate {how['learning_rate']:g}, {read} cut at {how['max_length']} "
        f"tokens{products}. It reads BM25's first {depth} of DL 2019, and all 20 of NovelEval. Training took "
        f"{done.seconds / 60:.1f} minutes with validation, other work beside it; all of it, the measuring too, took "
        f"{sum(spent(noted)) / 60:.1f} minutes of the processor, on {THREADS} thread{'s' if THREADS > 1 else ''}. "
        f"nDCG@10 on the validation queries, before and after each epoch: {epochs}. The best epoch was kept. The "
        "teacher's answers are those of the real model, recorded."
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
        *(habit(proof, done.folder / MEASURED / str(place)) for place, proof in enumerate(done.proofs)),
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
