"""What memory each engine takes, beside the size of its weights, each in a process of its own.

    python eval/bench/memory.py                  # every engine that comes without a download, as a table
    python eval/bench/memory.py MODEL            # one of them, or any other, as one line of JSON

The work is the first ten candidates of each query of the sample, 80 pairs. `started` is the interpreter with rerankllm,
`loaded` the peak until the model is ready, `peak` that of the whole run: MiB of resident memory, mapped files included.
The largest of an engine's own child processes, as vLLM has one, is added.
"""

import dataclasses
import json
import resource
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rerankllm import Reranker
from rerankllm.formats.beir import read_corpus, read_queries
from rerankllm.formats.trec import read_run
from rerankllm.sample import path

MODELS = ("llamacpp:smollm2", "hf:smollm2?dtype=float32", "hf:smollm2?dtype=bfloat16", "embed:minilm")
DEPTH = 10
MIB = 2**20


@dataclass(frozen=True, slots=True)
class Memory:
    """MiB of resident memory, and of the weights as they are computed with."""

    model: str
    weights: float
    started: float
    loaded: float
    peak: float

    def row(self) -> str:
        """One line of the table."""
        numbers = (self.weights, self.started, self.loaded, self.peak)
        shown = " | ".join(f"{number:.0f}" for number in numbers)
        return f"| {self.model} | {shown} | {(self.peak - self.started) / self.weights:.1f} |"


HEADING = (
    "| model | weights MiB | started | loaded | peak | (peak − started) / weights |\n|---|---:|---:|---:|---:|---:|"
)


def resident() -> float:
    """The peak so far, in MiB: of this process, and of the largest of its children that have ended."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    (own,) = (int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))
    return (own + resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss) / 1024


def weights(backend: Any) -> float:
    """MiB of the weights as they are computed with; those of an engine in another process as its files have them."""
    engine = getattr(backend, "_engine", backend)
    if hasattr(engine, "lib"):
        return float(engine.lib.llama_model_size(engine.model)) / MIB
    module = next((one._model for one in (backend, engine) if hasattr(one, "_model")), None)  # noqa: SLF001
    if hasattr(module, "parameters"):
        return sum(one.numel() * one.element_size() for one in module.parameters()) / MIB
    folder = Path(backend.model.partition(":")[2].partition("?")[0])
    return sum(file.stat().st_size for file in folder.glob("*.safetensors")) / MIB


def work(model: str) -> Memory:
    """Loads a model here and reranks with it."""
    started = resident()
    strategy = "pointwise" if model.startswith(("embed:", "cross-encoder:")) else "pointwise / labels"
    with Reranker(strategy, model, depth=DEPTH) as reranker:
        size, loaded, name = weights(reranker.backend), resident(), reranker.backend.model
        run, queries = read_run(path("run.txt")), read_queries(path("queries.tsv"))
        done = reranker.rerank_run(run, queries, read_corpus(path("corpus.jsonl")))
    if done.failures:
        raise SystemExit(f"{model}: {done.failures[0]}")
    return Memory(name, size, started, loaded, resident())


def measure(model: str) -> Memory:
    """What one model takes, in a process of its own."""
    done = subprocess.run([sys.executable, __file__, model], check=True, stdout=subprocess.PIPE, text=True)
    return Memory(**json.loads(done.stdout.splitlines()[-1]))


def main() -> None:
    """One line of JSON for the model named, or the table."""
    if len(sys.argv) > 1:
        print(json.dumps(dataclasses.asdict(work(sys.argv[1]))))
        return
    print(HEADING)
    for model in MODELS:
        print(measure(model).row(), flush=True)


if __name__ == "__main__":
    main()
