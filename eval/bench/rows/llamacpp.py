"""llama.cpp beside the file's naive rate and plain transformers: item 5."""

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path

from eval.bench.harness import models
from eval.bench.harness.measure import Worker, apart, column, in_turn
from eval.bench.harness.row import Limit, Line, Outcome, Row, Setting
from eval.bench.rows.local import BATCH, PLAIN, Task, dtype
from rerankllm.evaluation.measures import mean, parse_measures, per_query
from rerankllm.formats.trec import read_qrels, read_run

NAIVE, FINER = "llama-cpp-python, Q4_1 as shipped", "type=f16"
LIMITS = {NAIVE: Limit("≥", 4.0), PLAIN: Limit("≥", 1.0)}
NOISE = 0.05
"""What nDCG@10 of so few queries may differ by where only rounding does."""


def quality(margins: Sequence[float], task: Task, setting: Setting) -> float:
    """nDCG@10 of the order that margins give, which stand as the run's documents do."""
    job = task.job("", setting, None)
    run = dict(list(read_run(setting.data / "run.txt").items())[: job["queries"]])
    left, rankings = iter(margins), dict[str, list[str]]()
    for query_id, ranked in run.items():
        scored = [(doc_id, next(left)) for doc_id, _ in ranked[: job["depth"]]]
        rankings[query_id] = [doc_id for doc_id, _ in sorted(scored, key=lambda pair: -pair[1])]
    (measure,) = parse_measures(["nDCG@10"])
    return mean(per_query(read_qrels(setting.data / "qrels.txt"), rankings, [measure]), measure)


def measure(setting: Setting) -> Outcome:
    """All three on the same prompts."""
    task = Task("pointwise / labels", 5, 20)
    with tempfile.TemporaryDirectory(prefix="bench-") as work:
        record = Path(work) / "prompts.json"
        plain = {"folder": str(models.smollm2(setting)), "prompts": str(record), "dtype": dtype(setting),
                 "device": "cpu", "batch": BATCH}  # fmt: skip
        workers = {
            "ours": Worker("reranking.py", task.job("llamacpp:smollm2", setting, record)),
            FINER: Worker("reranking.py", task.job(f"llamacpp:smollm2?{FINER}", setting, None)),
            NAIVE: Worker("naive_llama.py", {"prompts": str(record), "context": 2048}),
            PLAIN: Worker("plain.py", plain),
        }
        found = in_turn(workers, setting.rounds)
        margins = [one["margin"] for works in json.loads(record.read_text(encoding="utf-8")) for one in works]
    mine = {"speed": found.pop("ours"), f"speed with {FINER}": found.pop(FINER)}
    lines = [
        Line(what, "prompt tokens/s", column(own, "tokens", "seconds"), peer, column(theirs, "tokens", "seconds"),
             LIMITS[peer])
        for what, own in mine.items() for peer, theirs in found.items()
    ]  # fmt: skip
    reached = {name: apart(quality, one[0]["margins"], task, setting) for name, one in found.items()}
    mine_reached = apart(quality, margins, task, setting)
    shown = ", ".join(f"{name} {value:.4f}" for name, value in {"ours": mine_reached, **reached}.items())
    alike = all(abs(mine_reached - value) <= NOISE for value in reached.values())
    notes = [f"nDCG@10: {shown}; {'equal' if alike else '**not** equal'} within {NOISE}."]
    return Outcome(lines, notes, ("llama-cpp-python", "torch", "transformers"))


ROWS = (Row("llamacpp", 5, "SmolLM2-135M, 5 queries × 20 candidates, one yes or no each", 5, measure),)
"""Item 5."""
