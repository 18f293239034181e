"""What packing prompts gains: prompt tokens a second of `hf:`, packed and padded, for prompts that share ever more.

python eval/bench/pack.py [hf:MODEL] [WORKLOAD …]

Prompts are of the sample collection's candidates: judged one at a time, compared in all ordered pairs, and ranked
twenty at a time. Beside the speeds, in wall time and in CPU time, stand the tokens computed for each token of the
prompts' distinct beginnings, the largest difference between any two log-probabilities, and how many prompts have their
labels in the same order.
"""

import itertools
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence

from rerankllm.backends.hf.backend import HuggingFace
from rerankllm.backends.llamacpp.prefixes import common
from rerankllm.calls import ReadContinuation, Request, Response
from rerankllm.data import Document, Query
from rerankllm.elicitation.base import PromptSettings
from rerankllm.formats.beir import read_corpus, read_queries
from rerankllm.formats.trec import read_run
from rerankllm.judgements import Compare, Judgement, Permute, Score
from rerankllm.sample import path
from rerankllm.spec.model import ModelSpec
from rerankllm.spec.stage import Stage

RUNS = 3
QUERIES, EACH, PAIRED, WINDOW = 4, 16, 6, 10
WORKLOADS: dict[str, tuple[str, type[Judgement], Callable[[Query, Sequence[Document]], list[Judgement]]]] = {
    "pointwise": ("pointwise / labels", Score, lambda q, docs: [Score(q, doc) for doc in docs[:EACH]]),
    "likelihood": ("pointwise / likelihood", Score, lambda q, docs: [Score(q, doc) for doc in docs[:EACH]]),
    "pairwise": (
        "prp(sort=allpair) / labels",
        Compare,
        lambda q, docs: [Compare(q, *pair) for pair in itertools.permutations(docs[:PAIRED], 2)],
    ),
    "listwise": ("sliding / labels", Permute, lambda q, docs: [Permute(q, tuple(docs[:WINDOW]))]),
}


def requests(backend: HuggingFace, workload: str) -> list[Request]:
    """Prompts of the first queries and their candidates."""
    stage, kind, judgements = WORKLOADS[workload]
    elicitor = Stage.parse(stage).elicitation.bind(kind, backend.tokenizer, backend.capabilities, PromptSettings())
    queries, corpus = read_queries(path("queries.tsv")), read_corpus(path("corpus.jsonl"))
    ranked = itertools.islice(read_run(path("run.txt")).items(), QUERIES)
    asked = [judgements(Query(qid, queries[qid]), [corpus[doc] for doc, _ in docs]) for qid, docs in ranked]
    return [elicitor.prepare(judgement) for judgement in itertools.chain(*asked)]


def distinct(works: Sequence[Request]) -> int:
    """Tokens of the prompts' distinct beginnings."""
    answers = [work.want.ids[:-1] if isinstance(work.want, ReadContinuation) else () for work in works]
    ids = sorted(work.prompt.ids + answer for work, answer in zip(works, answers, strict=True))
    return len(ids[0]) + sum(len(b) - common(a, b) for a, b in itertools.pairwise(ids))


def timed(backend: HuggingFace, works: Sequence[Request]) -> tuple[float, float, int, list[tuple[float, ...]]]:
    """Wall seconds, CPU seconds and tokens computed of one run, and what was read."""
    before, wall, cpu = backend.computed, time.perf_counter(), time.process_time()
    outcomes = backend.run(works)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return wall, cpu, backend.computed - before, [one.logprobs for one in outcomes if isinstance(one, Response)]


def compared(backend: HuggingFace, workload: str) -> Iterator[str]:
    """The cells of one row."""
    works, engine = requests(backend, workload), backend._engine  # noqa: SLF001 - there is no option to compute more
    tokens, reach = sum(len(work.prompt.ids) for work in works), engine.reach
    runs: dict[int, list[tuple[float, float, int, list[tuple[float, ...]]]]] = {0: [], reach: []}
    for _ in range(RUNS):
        for engine.reach, found in runs.items():
            engine._forget()  # noqa: SLF001 - what the last run left is not this one's
            found.append(timed(backend, works))
    walls, cpus = ([statistics.median(run[i] for run in found) for found in runs.values()] for i in (0, 1))
    _, _, computed, ours = runs[reach][0]
    theirs = runs[0][0][3]
    pairs = list(zip(ours, theirs, strict=True))
    yield f"{len(works)}"
    yield f"{tokens}"
    yield f"{computed / distinct(works):.3f}"
    yield from (f"{tokens / wall:.0f}" for wall in walls)
    yield f"{walls[0] / walls[1]:.2f}"
    yield f"{cpus[0] / cpus[1]:.2f}"
    yield f"{max(abs(a - b) for one, other in pairs for a, b in zip(one, other, strict=True)):.1e}"
    yield f"{sum(order(one) == order(other) for one, other in pairs)}"


def order(values: Sequence[float]) -> list[int]:
    """Places by value, greatest first."""
    return sorted(range(len(values)), key=lambda place: -values[place])


def main() -> None:
    """Prints one row a workload."""
    backend = ModelSpec.parse(sys.argv[1] if len(sys.argv) > 1 else "hf:smollm2").load()
    print(f"{backend.model}, median of {RUNS} runs, alternating")
    heads = ("workload", "prompts", "prompt tokens", "computed / distinct", "tokens/s padded", "packed", "ratio")
    heads = (*heads, "ratio of CPU time", "largest difference", "same order")
    print(f"| {' | '.join(heads)} |\n|{'---|' * len(heads)}")
    for workload in sys.argv[2:] or WORKLOADS:
        print(f"| {workload} | {' | '.join(compared(backend, workload))} |", flush=True)


if __name__ == "__main__":
    main()
