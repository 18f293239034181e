"""Make the first-stage BM25 run of the bundled sample collection.

Indexes title and text of the whole corpus with bm25s (k1=0.9, b=0.4, its default
English tokenization, no stemming), writes the top documents of each query as a
TREC run, and prints the run's nDCG@10. The output is deterministic: ties go to
the smaller document id, and printed scores are strictly decreasing.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import bm25s
import ir_measures
import numpy as np
from ir_measures import nDCG

SAMPLE = Path(__file__).resolve().parents[2] / "rerankllm" / "sample"


def rank(scores: np.ndarray, doc_ids: list[str], depth: int) -> list[tuple[str, float]]:
    """Return the top `depth` (doc id, score) pairs, scores strictly decreasing at 6 decimals."""
    millionths = [round(float(score) * 1_000_000) for score in scores]
    order = sorted(range(len(doc_ids)), key=lambda i: (-millionths[i], doc_ids[i]))[:depth]
    ranked: list[tuple[str, float]] = []
    previous: int | None = None
    for i in order:
        value = millionths[i] if previous is None else min(millionths[i], previous - 1)
        ranked.append((doc_ids[i], value / 1_000_000))
        previous = value
    return ranked


def make_run(sample: Path, depth: int) -> str:
    """Return the TREC run of the collection in `sample` as text."""
    docs = [json.loads(line) for line in (sample / "corpus.jsonl").read_text(encoding="utf-8").split("\n") if line]
    doc_ids = [doc["_id"] for doc in docs]
    texts = [f"{doc['title']} {doc['text']}".strip() for doc in docs]
    retriever = bm25s.BM25(k1=0.9, b=0.4)
    retriever.index(bm25s.tokenize(texts, show_progress=False), show_progress=False)
    lines: list[str] = []
    for line in (sample / "queries.tsv").read_text(encoding="utf-8").splitlines():
        query_id, query = line.split("\t")
        tokens = bm25s.tokenize(query, return_ids=False, show_progress=False)[0]
        ranked = rank(retriever.get_scores(tokens), doc_ids, depth)
        for position, (doc_id, score) in enumerate(ranked, start=1):
            lines.append(f"{query_id} Q0 {doc_id} {position} {score:.6f} bm25s\n")
    return "".join(lines)


def main() -> None:
    """Write the run and print nDCG@10 per query and overall."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sample", type=Path, default=SAMPLE, help="folder of the collection")
    parser.add_argument("--output", type=Path, help="run file (default: run.txt in that folder)")
    parser.add_argument("--depth", type=int, default=20, help="documents per query")
    args = parser.parse_args()
    output: Path = args.output or args.sample / "run.txt"
    output.write_text(make_run(args.sample, args.depth), encoding="utf-8", newline="\n")
    qrels = list(ir_measures.read_trec_qrels(str(args.sample / "qrels.txt")))
    run = list(ir_measures.read_trec_run(str(output)))
    for metric in sorted(ir_measures.iter_calc([nDCG @ 10], qrels, run), key=lambda m: m.query_id):
        print(f"{metric.query_id} {metric.measure} {metric.value:.4f}")
    print(f"all {nDCG @ 10} {ir_measures.calc_aggregate([nDCG @ 10], qrels, run)[nDCG @ 10]:.4f}")


if __name__ == "__main__":
    main()
