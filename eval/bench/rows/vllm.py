"""vLLM as a backend: how often it is called, and what it finds in its cache. Item 7."""

import json
import tempfile
from itertools import chain
from pathlib import Path

from eval.bench.harness import models
from eval.bench.harness.measure import Worker, column
from eval.bench.harness.peers import environment_of, python_of
from eval.bench.harness.prompts import trie_tokens
from eval.bench.harness.row import Limit, Line, Outcome, Row, Setting
from eval.bench.rows.local import VLLM_CACHE, VLLM_CONTEXT, Task, dtype

TASKS = {
    "pointwise": Task("pointwise / labels", 5, 10),
    "prp": Task("prp(sort=heap, top_k=3) / labels", 3, 8),
    "sliding": Task("sliding(window=10, stride=5) / labels", 3, 20),
}
ONE_CALL = Limit("≤", 1.0)


def measure(setting: Setting) -> Outcome:
    """Calls of the engine a round, and the share of the prompts' tokens that it had computed before."""
    folder, python = models.smollm2(setting), python_of("vllm", setting)
    model = f"vllm:{folder}?dtype={dtype(setting)}&max_model_len={VLLM_CONTEXT}&kv_cache_memory_bytes={VLLM_CACHE}"
    lines = list[Line]()
    for name, task in TASKS.items():
        with tempfile.TemporaryDirectory(prefix="bench-") as work:
            record = Path(work) / "prompts.json"
            found = [Worker("reranking.py", task.job(model, setting, record), python, environment_of("vllm")).measure()]
            rounds = json.loads(record.read_text(encoding="utf-8"))
        least = trie_tokens([one["ids"] for one in chain.from_iterable(rounds)])
        tokens = found[0]["tokens"]
        lines += [
            Line(f"{name}: calls of the engine", "calls", column(found, "engine_calls"), "rounds",
                 column(found, "rounds"), ONE_CALL),
            Line(f"{name}: found in the cache", "tokens", column(found, "cached"), "all prompt tokens", (tokens,)),
            Line(f"{name}: found in the cache", "tokens", column(found, "cached"), "prefixes met again",
                 (max(tokens - least, 1),)),
        ]  # fmt: skip
    return Outcome(lines, ["One run each: what is counted does not vary."])


ROWS = (
    Row("vllm", 7, "SmolLM2-135M through vLLM's engine: pointwise, heapsort and windows of 3 to 5 queries", 4, measure),
)
"""Item 7."""
