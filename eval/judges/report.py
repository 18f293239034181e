"""What the recorded judges are like, and what strategies make of them: tables from eval/judges/recordings, no calls.

    python eval/judges/report.py --data ../shared/data/noveleval

Writes eval/judges/results.md. Intervals are bootstrapped over queries.
"""

import argparse
import gzip
import json
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np

from rerankllm import Reranker
from rerankllm.aggregation.borda import Borda
from rerankllm.data import Candidate, Query
from rerankllm.drivers.events import Failed
from rerankllm.evaluation.agreement import kendall_tau
from rerankllm.evaluation.bootstrap import bootstrap
from rerankllm.evaluation.measures import parse_measures, per_query
from rerankllm.formats.trec import read_qrels

sys.path.insert(0, str(Path(__file__).parents[1]))
from made import made_by
from record import DEPTH, PAIRED, QUESTIONS, RECORDINGS, orders_of, queries_of

Records = list[dict[str, Any]]
Orders = dict[str, list[str]]
Qrels = Mapping[str, Mapping[str, int]]
Queries = Sequence[tuple[Query, list[Candidate]]]
RESULTS = Path(__file__).parent / "results.md"
SHOWN = ("as given", "reversed", "shuffled", "shuffled again")
"""The orders in which `record.py` lists a query's passages."""
EVEN = 0.5
"""The probability of a comparison that says nothing."""


class Recorded:
    """The recordings of one judge on one collection."""

    def __init__(self, folder: Path, collection: str) -> None:
        self.name, self.folder, self.collection = folder.name, folder, collection
        self.costs = json.loads((folder / "costs.json").read_text())

    def path(self, name: str) -> Path:
        """The file of one set of questions."""
        return self.folder / f"{self.collection}-{name}.jsonl.gz"

    def records(self, name: str) -> Records:
        """The judgements of one set, with their answers."""
        if not self.path(name).is_file():
            return []
        return self._lines(name)[1:]

    def cut(self, name: str) -> int:
        """The tokens that passages were cut to."""
        (judge,) = self._lines(name)[0]["judges"].values()
        return int(judge["passage_tokens"])

    def _lines(self, name: str) -> Records:
        return [json.loads(line) for line in gzip.decompress(self.path(name).read_bytes()).decode().splitlines()]


def ndcg(qrels: Qrels, orders: Orders) -> str:
    """The mean with its interval."""
    values = per_query(qrels, orders, parse_measures(["nDCG@10"]))
    found = np.array([value["nDCG@10"] for value in values.values()])
    low, high = bootstrap(found)
    return f"{found.mean():.4f} ({low:.2f} to {high:.2f}) | {len(found)}"


def replayed(judge: Recorded, name: str, strategy: str, queries: Queries, depth: int) -> tuple[Orders, int]:
    """What a strategy makes of the recorded answers, for the queries that the recording holds; and the calls."""
    there = {record["query_id"] for record in judge.records(name)}
    wanted = [each for each in queries if each[0].query_id in there]
    orders, calls = {}, 0
    with Reranker(strategy, f"recorded:{judge.path(name)}", depth=depth) as reranker:
        for outcome in reranker.stream(wanted):
            if isinstance(outcome, Failed):
                raise SystemExit(f"{judge.path(name)}, {strategy}: {outcome.reason}")
            orders[outcome.query.query_id] = list(outcome.doc_ids)
            calls += outcome.ledger.calls
    return orders, calls


def made_of(judge: Recorded, queries: Queries) -> Iterator[tuple[str, Orders, int]]:
    """Every strategy that the recordings answer exactly: its name, its orders, and the calls of all queries."""
    for name, strategy in (("yes-no", "yes or no"), ("grades", "expected grade"), ("likelihood", "query likelihood")):
        if judge.records(name):
            orders, calls = replayed(judge, name, "pointwise", queries, DEPTH)
            yield f"pointwise, {strategy}", orders, calls
    if judge.records("pairs"):
        for strategy in ("prp(sort=allpair)", "prp(sort=heap, top_k=10)", "prp(sort=bubble, top_k=10)"):
            orders, calls = replayed(judge, "pairs", strategy, queries, PAIRED)
            yield f"{strategy} of the first {PAIRED}", orders, calls
    yield from _whole_lists(judge, queries)


def _whole_lists(judge: Recorded, queries: Queries) -> Iterator[tuple[str, Orders, int]]:
    """The order of all passages from one list, for each order in which they were shown, and from all four together."""
    answers = {(r["query_id"], *shown_of(r)): r.get("answer") for r in judge.records("orders")}
    asked = {query_id for query_id, *_ in answers}
    found: dict[str, Orders] = defaultdict(dict)
    for query, candidates in queries:
        if query.query_id not in asked:
            continue
        docs, votes = [candidate.document for candidate in candidates], []
        for shown, name in zip(orders_of(query, docs), SHOWN, strict=True):
            ids = [doc.doc_id for doc in shown]
            answer = answers[query.query_id, *ids] or {"groups": [[doc_id] for doc_id in ids], "omitted": []}
            groups = [*answer["groups"], answer["omitted"]]
            found[name][query.query_id] = [doc_id for group in groups for doc_id in group]
            votes.append(tuple(tuple(group) for group in groups if group))
        ids = [doc.doc_id for doc in docs]
        scores = -np.array(Borda().scores(ids, votes))
        found["all four, Borda"][query.query_id] = [ids[i] for i in np.argsort(scores, kind="stable")]
    for name, orders in found.items():
        yield f"full, {name}", orders, len(orders) * (1 if name in SHOWN else len(SHOWN))


def character(judge: Recorded, qrels: Qrels) -> list[str]:
    """How the judge errs: a cell for each column of CHARACTER."""
    pairs: dict[str, dict[tuple[str, str], float]] = defaultdict(dict)
    for record in judge.records("pairs"):
        (one, _), (other, _) = record["docs"]
        if "answer" in record:
            pairs[record["query_id"]][one, other] = record["answer"]
    first = [value for asked in pairs.values() for value in asked.values()]
    both = [(p, asked[b, a]) for asked in pairs.values() for (a, b), p in asked.items() if a < b and (b, a) in asked]
    agree = [(p - EVEN) * (q - EVEN) < 0 for p, q in both]
    right, circular = [], []
    for query_id, asked in pairs.items():
        prefers = {(a, b): (p + 1 - asked[b, a]) / 2 for (a, b), p in asked.items() if (b, a) in asked}
        grade = qrels.get(query_id, {})
        right += [p > EVEN for (a, b), p in prefers.items() if grade.get(a, 0) > grade.get(b, 0)]
        for a, b, c in combinations(sorted({a for a, _ in prefers}), 3):
            wins = [prefers[a, b] > EVEN, prefers[b, c] > EVEN, prefers[c, a] > EVEN]
            circular.append(all(wins) or not any(wins))
    lists = [record for record in judge.records("orders") if len(record["docs"]) == DEPTH]
    ranked = [(shown_of(record), ranked_of(record)) for record in lists if "answer" in record]
    as_shown = [shown[: len(order)] == order for shown, order in ranked]
    by_query: dict[str, list[list[str]]] = defaultdict(list)
    for record in lists:
        if "answer" in record:
            by_query[record["query_id"]].append(ranked_of(record))
    taus = [kendall_tau(a, b) for orders in by_query.values() for a, b in combinations(orders, 2)]
    unread = ["answer" not in record for name in QUESTIONS for record in judge.records(name)]
    return [
        f"{fmean(first):.2f}" if first else "–",
        f"{fmean(agree):.2f}" if agree else "–",
        f"{fmean(right):.2f}" if right else "–",
        f"{fmean(circular):.3f}" if circular else "–",
        f"{fmean(as_shown):.2f}" if as_shown else "–",
        f"{fmean([kendall_tau(shown, order) for shown, order in ranked]):.2f}" if ranked else "–",
        f"{fmean(taus):.2f}" if taus else "–",
        f"{fmean(unread):.3f}" if unread else "–",
    ]


def shown_of(record: Mapping[str, Any]) -> list[str]:
    """The documents in the order shown."""
    return [doc_id for doc_id, _ in record["docs"]]


def ranked_of(record: Mapping[str, Any]) -> list[str]:
    """The documents in the order answered."""
    return [doc_id for group in record["answer"]["groups"] for doc_id in group]


REAL = """
The judges are real language models; their answers were recorded by `eval/judges/record.py`.
"""
CHARACTER = (
    "| judge | P(the first shown is better) | pairs: both orders agree | pairs of unlike grades, right | "
    f"circular triads | lists of {DEPTH} that give back the order shown | τ of answer and order shown | "
    "τ of two answers about one list | unreadable |\n|---|---:|---:|---:|---:|---:|---:|---:|---:|"
)


def main() -> None:
    """Writes the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, type=Path)
    options = parser.parse_args()
    qrels, queries = read_qrels(options.data / "qrels.txt"), queries_of(options.data, 1)
    judges = [Recorded(folder, options.data.name) for folder in sorted(RECORDINGS.iterdir()) if folder.is_dir()]
    lines = [
        f"# Real judges on {options.data.name}\n",
        made_by("judges/report.py", "numpy", seeds=[0]),
        REAL,
        "## What was recorded\n",
        "| judge | set | queries | judgements | prompt tokens | passages cut to, tokens | minutes | KiB |",
        "|---|---|---:|---:|---:|---:|---:|---:|",
    ]
    for judge in judges:
        for name in QUESTIONS:
            if records := judge.records(name):
                path, cost = judge.path(name), judge.costs[judge.path(name).name]
                minutes = "–" if cost["seconds"] is None else f"{cost['seconds'] / 60:.1f}"
                lines.append(
                    f"| {judge.name} | {name} | {cost['queries']} | {len(records):,} | "
                    f"{sum(record['tokens'][0] for record in records):,} | {judge.cut(name)} | {minutes} | "
                    f"{path.stat().st_size / 1024:.0f} |"
                )
    lines += ["\n## What they are like\n", CHARACTER]
    lines += [f"| {judge.name} | {' | '.join(character(judge, qrels))} |" for judge in judges]
    lines += ["\n## What strategies make of their answers, replayed\n"]
    lines += ["| judge | strategy | calls a query | nDCG@10 (95 %) | queries |", "|---|---|---:|---:|---:|"]
    given = {query.query_id: [c.doc_id for c in candidates] for query, candidates in queries}
    lines.append(f"| – | the first stage | 0 | {ndcg(qrels, given)} |")
    for judge in judges:
        lines += [
            f"| {judge.name} | {name} | {calls / len(orders):.0f} | {ndcg(qrels, orders)} |"
            for name, orders, calls in made_of(judge, queries)
        ]
    RESULTS.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(RESULTS.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
