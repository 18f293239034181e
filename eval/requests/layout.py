"""What is common first: whether a real model judges as well when the question stands before query and passage.

    python eval/requests/layout.py --data ../shared/data --model llamacpp:FILE.gguf [--model …]

Prompts that begin alike are read from a server's cache. The templates that ship end with their question; here copies of
them begin with it (results.md has what that saves). Both rank the first passages of TREC-DL 2019's and NovelEval's
queries. Differences are paired by query; the interval is of 95%, from a bootstrap within each collection; p is that of
the two one-sided tests, and small where the layouts are shown to be within .02 of one another. Writes layout.md; a
model's rows stay when another is measured.
"""

import argparse
import re
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

from made import made_by  # noqa: E402
from run import Queries, question_first  # noqa: E402

from rerankllm.data import Ranking  # noqa: E402
from rerankllm.evaluation.bootstrap import bootstrap  # noqa: E402
from rerankllm.evaluation.equivalence import equivalence  # noqa: E402
from rerankllm.evaluation.measures import parse_measures, per_query  # noqa: E402
from rerankllm.formats.beir import read_corpus, read_queries  # noqa: E402
from rerankllm.formats.join import join  # noqa: E402
from rerankllm.formats.trec import read_qrels, read_run  # noqa: E402
from rerankllm.reranker import Reranker  # noqa: E402

MARGIN = 0.02
WAYS = {"pointwise / labels": ("score", "labels"), "prp(sort=heap, top_k=10) / labels": ("compare", "labels")}
COLUMNS = (
    "| model | strategy | queries × passages | nDCG@10, as it is | question first | difference (95%) | "
    "within .02, p | seconds a query, as it is | question first |\n|---|---|---|---:|---:|---|---:|---:|---:|"
)
Collections = list[tuple[str, Queries, dict[str, dict[str, int]]]]


def collections(data: Path, depth: int, every: int) -> Collections:
    """The queries with their first passages, and the grades, by collection."""
    found: Collections = []
    for name in ("dl19-bm25", "noveleval"):
        folder = data / name
        qrels = {key: dict(grades) for key, grades in read_qrels(folder / "qrels.txt").items()}
        run = {key: docs[:depth] for key, docs in read_run(folder / "run.txt").items() if key in qrels}
        texts = read_queries(folder / "queries.tsv"), read_corpus(folder / "corpus.jsonl")
        queries = [(query, list(docs)) for query, docs in join(run, *texts, skip_missing=False).queries]
        found.append((name, queries[::every], qrels))
    return found


def gains(spec: str, model: str, parts: Collections) -> tuple[dict[tuple[str, str], float], float]:
    """nDCG@10 by collection and query, and the seconds it took."""
    measure = parse_measures(["nDCG@10"])
    values: dict[tuple[str, str], float] = {}
    with Reranker(spec, model) as reranker:
        reranker.rerank(*parts[0][1][0])
        began = time.perf_counter()
        for name, queries, qrels in parts:
            outcomes = list(reranker.stream(queries))
            if not all(isinstance(outcome, Ranking) for outcome in outcomes):
                raise SystemExit(f"{spec}: not all queries are ranked")
            orders = {each.query.query_id: each.doc_ids for each in outcomes if isinstance(each, Ranking)}
            for query_id, found in per_query(qrels, orders, measure).items():
                values[name, query_id] = found["nDCG@10"]
        return values, time.perf_counter() - began


def rows(model: str, parts: Collections, ways: list[str]) -> Iterator[str]:
    """A row a strategy."""
    with tempfile.TemporaryDirectory() as folder:
        for stage in ways:
            judgement, name = WAYS[stage]
            other = f"{stage}(prompt={str(question_first(judgement, name, Path(folder)))!r})"
            (before, spent), (after, less) = gains(stage, model, parts), gains(other, model, parts)
            first, second = np.array([before[key] for key in before]), np.array([after[key] for key in before])
            strata = np.array([[part[0] for part in parts].index(name) for name, _ in before])
            low, high = bootstrap(second, first, strata=strata)
            p = equivalence(second - first, MARGIN, strata).p
            size = " + ".join(f"{len(queries)} × {max(len(docs) for _, docs in queries)}" for _, queries, _ in parts)
            yield (
                f"| {Path(model.partition('?')[0]).name} | `{stage}` | {size} | {first.mean():.4f} | "
                f"{second.mean():.4f} | "
                f"{(second - first).mean():+.4f} ({low:+.4f} to {high:+.4f}) | {p:.3f} | "
                f"{spent / len(first):.1f} | {less / len(first):.1f} |"
            )


def main() -> None:
    """Measures, prints and writes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", action="append", required=True)
    parser.add_argument("--strategy", action="append", choices=list(WAYS), help="default: all")
    parser.add_argument("--depth", type=int, default=20)
    parser.add_argument("--every", type=int, default=1, help="take every so manieth query")
    parser.add_argument("--output", type=Path, default=HERE / "layout.md")
    options = parser.parse_args()
    parts = collections(options.data, options.depth, options.every)
    text = options.output.read_text(encoding="utf-8") if options.output.is_file() else ""
    kept = {tuple(row.split(" | ")[:2]): row for row in re.findall(r"^\| .*`.*$", text, re.MULTILINE)}
    for model in options.model:
        for row in rows(model, parts, options.strategy or list(WAYS)):
            print(row, flush=True)
            kept[tuple(row.split(" | ")[:2])] = row
            said = made_by("requests/layout.py --data DATA --model llamacpp:FILE", "llama-cpp-python", seeds=[0])
            head = ["# Prompts with their question first", said, (__doc__ or "").split("\n\n")[2].strip()]
            options.output.write_text(
                "\n\n".join([*head, "\n".join([COLUMNS, *kept.values()])]) + "\n", encoding="utf-8"
            )


if __name__ == "__main__":
    main()
