"""Local models, beside what a user would write or pick instead: items 3 and 4."""

import json
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from eval.bench.harness import models
from eval.bench.harness.measure import Worker, column, in_turn
from eval.bench.harness.peers import environment_of, python_of
from eval.bench.harness.prompts import differences, trie_tokens
from eval.bench.harness.row import Limit, Line, NotHereError, Outcome, Row, Setting

HALF_AGAIN, NO_SLOWER, TWICE = Limit("≥", 1.5), Limit("≥", 1.0), Limit("≥", 2.0)
TRIE = Limit("≤", 1.15)
BATCH, RATE = 8, "GFLOP/s"
VLLM_CACHE, VLLM_CONTEXT = 1 << 30, 4096
PACKAGES = ("torch", "transformers")
PLAIN, CROSS, VLLM = "plain transformers", "CrossEncoder", "vLLM"
SCRIPTS = {
    PLAIN: ("plain.py", None),
    CROSS: ("crossencoder.py", "sentence-transformers"),
    VLLM: ("vllm_labels.py", "vllm"),
}
"""What measures a peer, and the environment it runs in; None for ours."""


@dataclass(frozen=True, slots=True)
class Task:
    """Something to rank, and how.

    Attributes:
        strategy: Of ours; the peers are given its prompts.
        queries: How many.
        depth: Candidates of each.
    """

    strategy: str
    queries: int
    depth: int

    def job(self, model: str, setting: Setting, record: Path | None) -> dict[str, Any]:
        """For workers/reranking.py."""
        quick = {"queries": min(self.queries, 2), "depth": min(self.depth, 12)} if setting.quick else {}
        full = {"strategy": self.strategy, "queries": self.queries, "depth": self.depth, "model": model}
        return {**full, **quick, "data": str(setting.data), "record": record and str(record)}


def dtype(setting: Setting) -> str:
    """bfloat16 where the processor computes in it, and is not told to compute as an older one; else float32."""
    info, older = Path("/proc/cpuinfo"), "ATEN_CPU_CAPABILITY" in os.environ
    able = info.is_file() and "bf16" in info.read_text(encoding="utf-8") and not older
    able = able or setting.device == "cuda"
    return "bfloat16" if able else "float32"


def ours(folder: Path, setting: Setting) -> str:
    """The spec of our model."""
    return f"hf:{folder}?dtype={dtype(setting)}&device={setting.device}"


def peer_workers(peers: Mapping[str, Any], folder: Path, setting: Setting, record: Path) -> tuple[
    dict[str, Worker], list[str]
]:  # fmt: skip
    """The peers that this machine has, and why it lacks others."""
    job = {"folder": str(folder), "prompts": str(record), "dtype": dtype(setting), "device": setting.device,
           "batch": BATCH, "cache_bytes": VLLM_CACHE, "max_model_len": VLLM_CONTEXT,
           "cpu": setting.device == "cpu"}  # fmt: skip
    found, notes = dict[str, Worker](), list[str]()
    for peer in peers:
        script, package = SCRIPTS[peer]
        try:
            python = sys.executable if package is None else python_of(package, setting)
            found[peer] = Worker(script, job, python, environment_of(package or ""))
        except NotHereError as error:
            notes.append(f"Without {peer}: {error}.")
    return found, notes


def beside(task: Task, folder: Path, limits: Mapping[str, Limit], setting: Setting) -> Outcome:
    """Ours and the peers on the same prompts: tokens of all prompts a second."""
    with tempfile.TemporaryDirectory(prefix="bench-") as work:
        record = Path(work) / "prompts.json"
        peers, notes = peer_workers(limits, folder, setting, record)
        workers = {"ours": Worker("reranking.py", task.job(ours(folder, setting), setting, record)), **peers}
        found = in_turn(workers, setting.rounds)
        rounds = json.loads(record.read_text(encoding="utf-8"))
    prompts = list(chain.from_iterable(rounds))
    mine = found.pop("ours")
    lines = [
        Line("speed", "prompt tokens/s", column(mine, "tokens", "seconds"), peer, column(theirs, "tokens", "seconds"),
             limits[peer]) for peer, theirs in found.items()
    ]  # fmt: skip
    lines += computed(mine, prompts, folder, setting)
    notes += [f"{mine[0]['prompts']} prompts, {mine[0]['tokens']:,} tokens in {len(rounds)} batches, {dtype(setting)}."]
    notes += [f"{peer}: {one[0]['versions']}." for peer, one in found.items() if "versions" in one[0]]
    if PLAIN in found:
        notes.append(differences([one["margin"] for one in prompts], found[PLAIN][0]["margins"], PLAIN))
    return Outcome(lines, notes, PACKAGES)


def computed(
    mine: Sequence[Mapping[str, Any]], prompts: Sequence[Mapping[str, Any]], folder: Path, setting: Setting
) -> list[Line]:
    """What share of the machine's rate it reached, and how much it computed beside the least there is."""
    least = trie_tokens([one["ids"] for one in prompts])
    known = all(one["computed"] for one in mine)
    name = "computed" if known else "tokens"
    shapes = {"matrices": models.matrices(folder), "tokens": 1024, "dtype": dtype(setting), "device": setting.device}
    peak = Worker("gemm.py", {**shapes, "seconds": 2 if setting.quick else 10}).measure()["flops"]
    each = models.flops_a_token(folder)
    rates = tuple(rate * each / 1e9 for rate in column(list(mine), name, "seconds"))
    lines = [Line("share of the peak" if known else "share of the peak, as if nothing were reused", RATE, rates,
                  "matrix products", (peak / 1e9,))]  # fmt: skip
    if known:
        lines.append(
            Line("computed", "tokens", column(list(mine), "computed"), "distinct prefixes", (float(least),), TRIE)
        )
    return lines


def pointwise(setting: Setting) -> Outcome:
    """SmolLM2 on the candidates of some queries, as they come."""
    task = Task("pointwise / labels", 10, 10)
    return beside(task, models.smollm2(setting), {PLAIN: HALF_AGAIN, CROSS: HALF_AGAIN}, setting)


def distinct(setting: Setting) -> Outcome:
    """SmolLM2, prompts with little in common: two candidates of every query."""
    return beside(
        Task("pointwise / labels", 43, 2), models.smollm2(setting), {PLAIN: HALF_AGAIN, VLLM: NO_SLOWER}, setting
    )


def larger(setting: Setting) -> Outcome:
    """The shape of Qwen3-0.6B."""
    task, folder = Task("pointwise / labels", 40, 2), models.random("qwen3-0.6b", setting)
    return beside(task, folder, {PLAIN: HALF_AGAIN, CROSS: HALF_AGAIN, VLLM: NO_SLOWER}, setting)


def heap(setting: Setting) -> Outcome:
    """A heapsort by comparisons."""
    return beside(Task("prp(sort=heap, top_k=5) / labels", 3, 10), models.smollm2(setting), {PLAIN: TWICE}, setting)


def allpair(setting: Setting) -> Outcome:
    """Every pair both ways."""
    return beside(Task("prp(sort=allpair) / labels", 2, 8), models.smollm2(setting), {PLAIN: TWICE}, setting)


def sliding(setting: Setting) -> Outcome:
    """Windows of twenty, read by their labels."""
    task = Task("sliding(window=20, stride=10) / labels", 2, 50)
    return beside(task, models.smollm2(setting), {PLAIN: TWICE}, setting)


ROWS = (
    Row("pointwise", 3, "SmolLM2-135M, 10 queries × 10 candidates, one yes or no each", 4, pointwise),
    Row("pointwise-distinct", 3, "SmolLM2-135M, 43 queries × 2 candidates", 5, distinct),
    Row("pointwise-0.6b", 3, "random weights of Qwen3-0.6B's shape, 40 queries × 2 candidates", 8, larger),
    Row("prp-heap", 4, "SmolLM2-135M, heapsort for the best 5 of 10, 3 queries", 2, heap),
    Row("prp-allpair", 4, "SmolLM2-135M, all pairs of 8, 2 queries", 2, allpair),
    Row("sliding", 4, "SmolLM2-135M, windows 20/10 over 50 read by labels (FIRST), 2 queries", 3, sliding),
)
"""Items 3 and 4."""
