"""What answers that cannot be used cost: a judge of which a share of the answers are garbage, on TREC-DL 2019.

    python eval/unusable/run.py --data ../shared/data

The judge is simulated: a server on this machine that finds the passages of a prompt by their texts and answers by
their grades, with noise. Which answers are garbage the seed says, from each prompt. Prints a table and writes
results.md.
"""

import argparse
import hashlib
import random
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent), str(HERE.parents[1] / "tests")]

from made import made_by  # noqa: E402
from scripted_server import Answer, ScriptedServer  # noqa: E402

from rerankllm.data import Candidate, Query  # noqa: E402
from rerankllm.drivers.results import Run  # noqa: E402
from rerankllm.evaluation.measures import Qrels, mean, parse_measures, per_query  # noqa: E402
from rerankllm.formats.beir import read_corpus, read_queries  # noqa: E402
from rerankllm.formats.join import join  # noqa: E402
from rerankllm.formats.trec import read_qrels, read_run  # noqa: E402
from rerankllm.reranker import Reranker  # noqa: E402

GARBAGE = (
    "I'm sorry, but I can't rank these passages.",
    "",
    "The passages discuss several topics, and all of them could help the user.",
    "[1], [2], [3] and the others are all relevant.",
)
STRATEGIES = ("sliding", "full", "setwise / text", "pointwise / text", "prp(sort=heap, top_k=3) / text")
NOISE = 0.7
"""Standard deviation of a passage's worth around its grade, anew in every prompt."""
Queries = list[tuple[Query, list[Candidate]]]


class Judge:
    """The script of the server.

    Args:
        queries: Queries with their candidates.
        qrels: The grades.
        share: Of answers that are garbage.
        seed: Of the noise, and of which answers are garbage.
    """

    def __init__(self, queries: Queries, qrels: Qrels, share: float, seed: int) -> None:
        self._share, self._seed = share, seed
        self._grade = {
            (query.text, _start(c.document.text)): qrels.get(query.query_id, {}).get(c.doc_id, 0)
            for query, candidates in queries
            for c in candidates
        }
        self._queries = sorted({query.text for query, _ in queries}, key=len, reverse=True)

    def __call__(self, body: dict[str, Any], number: int) -> Answer:
        """The answer to a prompt, or garbage. Tokens are not told: a wrong count looks like a prompt cut short."""
        del number
        prompt = "\n".join(message["content"] for message in body["messages"])
        chance = random.Random(hashlib.sha256(f"{self._seed} {body['temperature']} {prompt}".encode()).digest())
        if chance.random() < self._share:
            return Answer(chance.choice(GARBAGE), usage=None)
        query = next(text for text in self._queries if text in prompt)
        shown = re.findall(r"^(?:\[\w+\]|Passage(?: \[?\w+\]?)?:) (.+)$", prompt, re.MULTILINE)
        worth = [self._grade.get((query, _start(text)), 0) + chance.gauss(0, NOISE) for text in shown]
        if len(worth) == 1:
            return Answer(str(min(3, max(0, round(worth[0])))), usage=None)
        order = sorted(range(len(worth)), key=lambda i: -worth[i])
        names = [f"[{i + 1}]" for i in order] if "[1]" in prompt else [f"[{chr(65 + i)}]" for i in order]
        return Answer(" > ".join(names) if ">" in prompt else names[0], usage=None)


def _start(text: str) -> str:
    """What a passage is found by: its first letters and digits, whatever a prompt does to its signs."""
    return re.sub(r"[\W_]+", "", text)[:60]


def measured(
    queries: Queries, qrels: Qrels, strategy: str, judge: Judge, unusable: Literal["keep", "fail"]
) -> tuple[Run, float]:
    """The run, and its nDCG@10 over the queries that were ranked."""
    with ScriptedServer(judge) as server:
        given = {"base_url": server.url, "concurrency": "16"}
        with Reranker(strategy, "openai:scripted", options=given, unusable=unusable) as reranker:
            run = Run.of(reranker.stream(queries))
    (measure,) = parse_measures(["nDCG@10"])
    found = per_query(qrels, {r.query.query_id: r.doc_ids for r in run.rankings}, [measure])
    return run, mean(found, measure)


def table(queries: Queries, qrels: Qrels, share: float, seed: int) -> Iterator[str]:
    """A row a strategy and setting."""
    yield (
        "| strategy | garbage | --unusable | queries lost | nDCG@10 of those ranked | answers without use "
        "| asked again | attempts |\n|---|---:|---|---:|---:|---:|---:|---:|"
    )
    settings: tuple[tuple[float, Literal["keep", "fail"]], ...] = ((0.0, "keep"), (share, "keep"), (share, "fail"))
    for strategy in STRATEGIES:
        for garbage, unusable in settings:
            judge = Judge(queries, qrels, garbage, seed)
            run, value = measured(queries, qrels, strategy, judge, unusable)
            ledger = run.ledger
            yield (
                f"| `{strategy}` | {garbage:.0%} | {unusable} | {len(run.failures)} of {len(queries)} | {value:.4f} | "
                f"{ledger.failed} | {ledger.notes.get('asked again', 0)} | {ledger.attempts} |"
            )


def main() -> None:
    """Runs, prints and writes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--share", type=float, default=0.05)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--output", type=Path, default=HERE / "results.md")
    options = parser.parse_args()
    folder = options.data / "dl19-bm25"
    qrels = read_qrels(folder / "qrels.txt")
    run = {query_id: found for query_id, found in read_run(folder / "run.txt").items() if query_id in qrels}
    joined = join(run, read_queries(folder / "queries.tsv"), read_corpus(folder / "corpus.jsonl"), skip_missing=False)
    queries = [(query, list(candidates)) for query, candidates in joined.queries]
    rows = []
    for row in table(queries, qrels, options.share, options.seed):
        print(row, flush=True)
        rows.append(row)
    options.output.write_text(
        f"# Answers that cannot be used\n\n{made_by('unusable/run.py', 'openai', seeds=[options.seed])}\n\n"
        f"TREC-DL 2019, BM25 top 100, {len(queries)} judged queries. The judge is simulated: it answers by the grades "
        f"with noise (standard deviation {NOISE} of a grade), and {options.share:.0%} of its answers are garbage.\n\n"
        + "\n".join(rows)
        + "\n",
        encoding="utf-8",
    )


if __name__ == "__main__":
    main()
