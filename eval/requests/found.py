"""What engines found in their caches: of every strategy's prompt tokens, how many were not computed for it.

    python eval/requests/found.py --data ../shared/data --model llamacpp:smollm2 [--model …]

Ranks the first passages of some queries of TREC-DL 2019, all queries at once, and reads `cached_tokens` of the ledger,
as every engine and host tells it (results.md has what prompts have in common at most). Writes found.md; a model's rows
stay when another is measured.
"""

import argparse
import re
import sys
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from itertools import islice
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent)]

from made import made_by  # noqa: E402

from rerankllm.data import Ledger  # noqa: E402
from rerankllm.formats.beir import read_corpus, read_queries  # noqa: E402
from rerankllm.formats.join import join  # noqa: E402
from rerankllm.formats.trec import read_run  # noqa: E402
from rerankllm.reranker import Reranker  # noqa: E402

WAYS = ("pointwise / labels", "prp(sort=heap, top_k=3) / labels", "setwise(c=3, sort=heap, top_k=3) / labels",
        "sliding(window=10, stride=5) / labels")  # fmt: skip
COLUMNS = "| engine | strategy | prompts | tokens | found in a cache |\n|---|---|---:|---:|---:|"
ENGINES = ("llama_cpp", "torch", "vllm")
"""Modules; their packages have other names, and more than one."""
CUT = 60
"""Tokens of a passage."""


def rows(model: str, data: Path, queries: int, depth: int) -> Iterator[str]:
    """A row a strategy, each by a model that has seen nothing."""
    run = {key: docs[:depth] for key, docs in islice(read_run(data / "run.txt").items(), queries)}
    joined = join(run, read_queries(data / "queries.tsv"), read_corpus(data / "corpus.jsonl"), skip_missing=False)
    for way in WAYS:
        with Reranker(way, model, passage_tokens=CUT) as reranker:
            ledger = sum((outcome.ledger for outcome in reranker.stream(joined.queries)), Ledger())
        usage = ledger.usage
        yield (
            f"| `{model.partition(':')[0]}:` | `{way.partition(' /')[0]}` | {ledger.calls} | {usage.prompt_tokens:,} | "
            f"{usage.cached_tokens / usage.prompt_tokens:.0%} |"
        )


def main() -> None:
    """Measures, prints and writes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", action="append", required=True)
    parser.add_argument("--queries", type=int, default=2)
    parser.add_argument("--depth", type=int, default=10)
    options = parser.parse_args()
    output = HERE / "found.md"
    text = output.read_text(encoding="utf-8") if output.is_file() else ""
    kept = {tuple(row.split(" | ")[:2]): row for row in re.findall(r"^\| `.*$", text, re.MULTILINE)}
    for model in options.model:
        for row in rows(model, options.data / "dl19-bm25", options.queries, options.depth):
            print(row, flush=True)
            kept[tuple(row.split(" | ")[:2])] = row
    packages = packages_distributions()
    here = [packages[module][0] for module in ENGINES if module in packages]
    said = made_by("requests/found.py --data DATA --model MODEL", *here)
    shown = f"SmolLM2-135M; {options.queries} queries, {options.depth} passages of {CUT} tokens at most."
    lines = ["# What engines find in their caches", f"{said} {shown}", "\n".join([COLUMNS, *kept.values()])]
    output.write_text("\n\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
