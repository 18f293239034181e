r"""LLM-RankFusion's remedies on judges that can be named: what each does to consistency and quality, and its price.

    python eval/rankfusion/run.py --data FOLDER --model 'simulated:FOLDER/qrels.txt?world=harsh' --depth 20 --seeds 5
    python eval/rankfusion/run.py --data FOLDER --model 'simulated:FOLDER/qrels.txt?world=mild' --full-sorts 100
    python eval/rankfusion/run.py --data FOLDER --model llamacpp:smollm2 --depth 7 --passage-tokens 160 \
        --journal calls.db --demonstrations --max-calls 1764
    python eval/rankfusion/run.py --data FOLDER --depth 10 --name noveleval-qwen2.5-coder-0.5b \
        --model recorded:eval/judges/recordings/qwen2.5-coder-0.5b/noveleval-pairs.jsonl.gz

A FOLDER has run.txt, queries.tsv, corpus.jsonl and qrels.txt. Every pair of the first `depth` documents is put to the
judge in both orders, with `--demonstrations` once more behind a worked example. Everything else is computed from these
answers: each remedy's sort is run on them, and counts what it would have asked. Documents beyond `depth` keep their
places. Of a recording, the queries are those that it holds. The measure is nDCG@10; queries are the unit of the tests,
each query's values being means over seeds.

Writes eval/rankfusion/results/NAME.md.
"""

import argparse
import random
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path
from statistics import fmean, stdev

import numpy as np

from rerankllm import Reranker
from rerankllm.analysis.diagnose.probe import Answers, Seen, settled
from rerankllm.calibration.diagnostics import Share, cyclic_triads, inconsistency, kendall_distance, margins
from rerankllm.calibration.order import FORMS, TIE
from rerankllm.data import Candidate, Document, Query
from rerankllm.evaluation.measures import parse_measures, per_query
from rerankllm.formats import recordings
from rerankllm.formats.beir import read_corpus, read_queries
from rerankllm.formats.join import join
from rerankllm.formats.trec import read_qrels, read_run
from rerankllm.judgements import Compare, Judgement
from rerankllm.spec.model import ModelSpec
from rerankllm.spec.stage import Stage

sys.path.insert(0, str(Path(__file__).parents[1]))
from made import made_by

RESULTS = Path(__file__).parent / "results"
BOTH = "rankfusion([prp(sort=heap, top_k={n}), prp(sort=bubble, top_k={n})], calibrate={form}"
REMEDIES = {
    "none: one order, heap": ("prp(sort=heap, top_k={n}, calibrate=average)", "one order"),
    "agree, heap": ("prp(sort=heap, top_k={n}, calibrate=agree)", "agree"),
    "calibrated, heap": ("prp(sort=heap, top_k={n}, calibrate=logodds)", "logodds"),
    "agree, bubble": ("prp(sort=bubble, top_k={n}, calibrate=agree)", "agree"),
    "calibrated, bubble": ("prp(sort=bubble, top_k={n}, calibrate=logodds)", "logodds"),
    "agree, Borda of heap and bubble": (BOTH.replace("{form}", "agree") + ")", "agree"),
    "calibrated, Borda of heap and bubble": (BOTH.replace("{form}", "logodds") + ")", "logodds"),
    "calibrated, Bradley–Terry on their pool": (
        BOTH.replace("{form}", "logodds") + ", aggregate=bradley_terry, votes=comparisons)", "logodds",
    ),
    "agree, all pairs": ("prp(sort=allpair, calibrate=agree)", "agree"),
    "calibrated, all pairs": ("prp(sort=allpair, calibrate=logodds)", "logodds"),
    "calibrated, Bradley–Terry on all pairs": (
        "rankfusion([prp(sort=allpair)], calibrate=logodds, aggregate=bradley_terry, votes=comparisons)", "logodds",
    ),
}  # fmt: skip
"""Stages, and how they read comparisons."""
SAME_WINNERS = ("logodds", "average", "softmax")
DRAWS = 100_000
CONSISTENCY = (
    "| asked | flip on swap | mean ℓ_A − ℓ_B | ties: agree | ties: calibrated | triads round: one order | agree "
    "| calibrated | heap–bubble distance: agree | calibrated | pairs where the three forms differ |"
)
AGAINST = "Δ and p are against the first row: paired randomization over queries, Holm over all rows of this table."
NOTHING = Share(0, 0)
CONTRASTS = [
    ("calibrated, heap", "agree, heap"),
    ("calibrated, bubble", "agree, bubble"),
    ("calibrated, all pairs", "agree, all pairs"),
    ("agree, Borda of heap and bubble", "agree, heap"),
    ("calibrated, Borda of heap and bubble", "calibrated, heap"),
    ("calibrated, Bradley–Terry on their pool", "calibrated, Borda of heap and bubble"),
    ("calibrated, Bradley–Terry on all pairs", "calibrated, all pairs"),
]
"""What is compared with what, besides everything with the first remedy."""


class Collection:
    """The queries with their candidates, and what is known of them."""

    def __init__(self, folder: Path) -> None:
        self.name = folder.name
        corpus: Mapping[str, Document] = read_corpus(folder / "corpus.jsonl")
        run, topics = read_run(folder / "run.txt"), read_queries(folder / "queries.tsv")
        self.queries: list[tuple[Query, list[Candidate]]] = join(run, topics, corpus, skip_missing=False).queries
        self.qrels = read_qrels(folder / "qrels.txt")
        self.queries = [(query, found) for query, found in self.queries if query.query_id in self.qrels]

    def ndcg(self, orders: Mapping[str, Sequence[str]]) -> list[float]:
        """nDCG@10 of each query, where `orders` has the first documents and the rest keeps its places."""
        (measure,) = parse_measures(["nDCG@10"])
        full = {
            query.query_id: [*orders[query.query_id], *(c.doc_id for c in found[len(orders[query.query_id]) :])]
            for query, found in self.queries
        }
        values = per_query(self.qrels, full, [measure])
        return [values[query.query_id][str(measure)] for query, _ in self.queries]


@dataclass
class Row:
    """A remedy: nDCG@10 by query, a list for each seed, and what it asked."""

    ndcg: list[list[float]] = field(default_factory=list)
    calls: list[int] = field(default_factory=list)

    @property
    def by_query(self) -> list[float]:
        """Means over seeds."""
        return [fmean(values) for values in zip(*self.ndcg, strict=True)]


@dataclass
class Findings:
    """All that is measured of one way of asking one judge."""

    rows: dict[str, Row]
    inconsistent: Share = NOTHING
    ties: dict[str, Share] = field(default_factory=dict)
    triads: dict[str, Share] = field(default_factory=dict)
    margins: list[float] = field(default_factory=list)
    distances: dict[str, list[float]] = field(default_factory=dict)
    other_winners: int = 0


def ask(model: str, stage: str, collection: Collection, args: argparse.Namespace) -> tuple[list[Seen], int]:
    """Every pair in both orders; what was seen of each query, and how many calls were new."""
    answers = Answers()
    queries = [(query, found[: args.depth]) for query, found in collection.queries]
    with Reranker(stage, model, observer=answers, passage_tokens=args.passage_tokens, journal=args.journal) as reranker:
        outcomes = list(reranker.stream(queries))
    new = sum(outcome.ledger.calls - outcome.ledger.replayed for outcome in outcomes)
    return [Seen(found, answers.judged[query.query_id]) for query, found in queries], new


def sort(spec: str, seen: Seen, reading: str) -> tuple[tuple[str, ...], int]:
    """The order that a stage makes of what was seen, and how many different calls it would have sent."""
    known, prefers = seen.comparisons, seen.preference("one order")
    sent: set[object] = set()

    def answer(judgement: Judgement) -> float:
        assert isinstance(judgement, Compare)  # noqa: S101
        pair = judgement.first.doc_id, judgement.second.doc_id
        if reading != "one order":
            sent.add(pair)
            return known[pair]
        sent.add(frozenset(pair))
        found = prefers(*pair)
        return TIE if found is None else found

    strategy = Stage.parse(spec.replace("{n}", str(len(seen.candidates)))).strategy
    ranking = settled(strategy.rank(Query("", ""), seen.candidates), answer)
    return ranking.doc_ids, len(sent)


def measure(collection: Collection, seeds: Iterable[list[Seen]]) -> Findings:
    """Everything, over all seeds."""
    findings = Findings({name: Row() for name in REMEDIES})
    for seen in seeds:
        for name, (spec, reading) in REMEDIES.items():
            sorts = [sort(spec, each, reading) for each in seen]
            orders = {q.query_id: order for (q, _), (order, _) in zip(collection.queries, sorts, strict=True)}
            findings.rows[name].ndcg.append(collection.ndcg(orders))
            findings.rows[name].calls += [calls for _, calls in sorts]
        for each in seen:
            consistency(findings, each)
    return findings


def consistency(findings: Findings, seen: Seen) -> None:
    """Adds what one query's answers show."""
    items = [candidate.doc_id for candidate in seen.candidates]
    findings.inconsistent += inconsistency(seen.comparisons)
    findings.margins += margins(seen.comparisons)
    known = seen.comparisons
    for reading in ("one order", "agree", "logodds"):
        prefers = seen.preference(reading)  # type: ignore[arg-type]
        found = [prefers(a, b) for a, b in combinations(items, 2)]
        findings.ties[reading] = findings.ties.get(reading, NOTHING) + Share(found.count(TIE), len(found))
        findings.triads[reading] = findings.triads.get(reading, NOTHING) + cyclic_triads(items, prefers)
    for form in ("agree", "logodds"):
        orders = seen.sorted_by(form)  # type: ignore[arg-type]
        findings.distances.setdefault(form, []).append(kendall_distance(orders["heap"], orders["bubble"]))
    for a, b in combinations(items, 2):
        winners = {np.sign(FORMS[form](known[a, b], known[b, a]) - TIE) for form in SAME_WINNERS}  # type: ignore[index]
        findings.other_winners += len(winners) > 1


def p_value(one: Sequence[float], other: Sequence[float]) -> float:
    """Two-sided paired randomization test: signs of the differences flipped at random, `DRAWS` times."""
    differences = np.asarray(one) - np.asarray(other)
    signs = np.random.default_rng(0).choice([-1.0, 1.0], size=(DRAWS, len(differences)))
    as_far = np.abs(signs @ differences) >= abs(differences.sum()) - 1e-12
    return float((as_far.sum() + 1) / (DRAWS + 1))


def holm(values: Mapping[str, float]) -> dict[str, float]:
    """Holm's adjustment of p-values that are looked at together."""
    adjusted: dict[str, float] = {}
    highest = 0.0
    for i, (name, p) in enumerate(sorted(values.items(), key=lambda item: item[1])):
        highest = max(highest, min(1.0, p * (len(values) - i)))
        adjusted[name] = highest
    return adjusted


def interval(values: Sequence[float]) -> tuple[float, float]:
    """95% of the bootstrap means over queries."""
    rng = random.Random(0)
    means = sorted(fmean(rng.choices(values, k=len(values))) for _ in range(2000))
    return means[49], means[1949]


def report(found: Mapping[str, Findings], collection: Collection, head: str) -> str:
    """The results as Markdown."""
    first = collection.ndcg({query.query_id: () for query, _ in collection.queries})
    lines = [head, "", "## Consistency", "",
             CONSISTENCY,
             "|---|---|---|---|---|---|---|---|---|---|---|"]  # fmt: skip
    for name, each in found.items():
        cells = [
            f"{each.inconsistent.value:.1%} of {each.inconsistent.of}",
            f"{fmean(each.margins):+.2f}",
            *(f"{each.ties[reading].value:.1%}" for reading in ("agree", "logodds")),
            *(f"{each.triads[r].value:.2%} of {each.triads[r].of}" for r in ("one order", "agree", "logodds")),
            *(f"{fmean(each.distances[form]):.3f}" for form in ("agree", "logodds")),
            str(each.other_winners),
        ]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    rows = {(name, remedy): row for name, each in found.items() for remedy, row in each.rows.items()}
    base = rows[next(iter(found)), "none: one order, heap"].by_query
    tests = holm({"|".join(key): p_value(row.by_query, base) for key, row in rows.items() if row.by_query != base})
    lines += ["", "## Quality and price", "",
              f"nDCG@10 over {len(first)} queries; the first stage has {fmean(first):.4f}. {AGAINST}", "",
              "| asked | remedy | nDCG@10 | 95% bootstrap | Δ | p (Holm) | calls a query |",
              "|---|---|---|---|---|---|---|"]  # fmt: skip
    for (name, remedy), row in rows.items():
        values = row.by_query
        low, high = interval(values)
        p = tests.get(f"{name}|{remedy}")
        cells = [f"{fmean(values):.4f}", f"{low:.3f}–{high:.3f}", f"{fmean(values) - fmean(base):+.4f}",
                 "–" if p is None else f"{p:.3f}", f"{fmean(row.calls):.1f}"]  # fmt: skip
        lines.append(f"| {name} | {remedy} | {' | '.join(cells)} |")
    return "\n".join([*lines, *contrasts(rows)]) + "\n"


def contrasts(rows: Mapping[tuple[str, str], Row]) -> list[str]:
    """What the steps from one remedy to the next are worth."""
    asked = list(dict.fromkeys(name for name, _ in rows))
    pairs = [((name, one), (name, other)) for name in asked for one, other in CONTRASTS]
    pairs += [((name, remedy), (asked[0], remedy)) for name in asked[1:] for remedy in REMEDIES]
    tests = holm({repr(pair): p_value(rows[pair[0]].by_query, rows[pair[1]].by_query) for pair in pairs})
    lines = ["", "## Step by step", "", "Paired randomization over queries, Holm over all rows of this table.", "",
             "| this | against | Δ nDCG@10 | better, worse | p (Holm) |", "|---|---|---|---|---|"]  # fmt: skip
    for one, other in pairs:
        steps = [a - b for a, b in zip(rows[one].by_query, rows[other].by_query, strict=True)]
        won = f"{sum(step > 1e-9 for step in steps)}, {sum(step < -1e-9 for step in steps)}"  # noqa: PLR2004
        names = f"{': '.join(one)} | {': '.join(other)}"
        lines.append(f"| {names} | {fmean(steps):+.4f} | {won} | {tests[repr((one, other))]:.3f} |")
    return lines


def full_sorts(collection: Collection, model: str, depth: int) -> list[str]:
    """How many comparisons it takes to sort a whole list, repeats included."""
    judge, lines = ModelSpec.parse(model).load(), []
    for name in ("heap", "bubble"):
        counts = []
        for query, found in collection.queries:
            asked = 0

            def answer(judgement: Judgement) -> float:
                nonlocal asked
                asked += 1
                value: float = judge.answer(judgement).answer
                return value

            settled(Stage.parse(f"prp(sort={name}, top_k={depth})").strategy.rank(query, found[:depth]), answer)
            counts.append(asked / 2)
        lines.append(f"{name}: {fmean(counts):.0f} ± {stdev(counts):.0f} comparisons for {depth} documents")
    return lines


def main() -> None:
    """Runs it."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--depth", type=int, default=20)
    parser.add_argument("--seeds", type=int, default=1, help="seeds of a simulated judge")
    parser.add_argument("--passage-tokens", type=int)
    parser.add_argument("--journal", type=Path, help="calls are kept here, and not paid for again")
    parser.add_argument("--max-calls", type=int, default=1_000_000)
    parser.add_argument("--demonstrations", action="store_true", help="ask behind a worked example too")
    parser.add_argument("--queries", type=int, help="only so many of the first queries")
    parser.add_argument("--name", help="of the results")
    parser.add_argument("--full-sorts", type=int, metavar="N", help="only count what sorting N documents takes")
    args = parser.parse_args()
    collection = Collection(args.data)
    del collection.queries[args.queries or len(collection.queries) :]
    kind, _, path = args.model.partition(":")
    if kind == "recorded":
        _, records = recordings.read(path) or (None, {})
        held = {query_id for _, query_id, *_ in records}
        collection.queries = [each for each in collection.queries if each[0].query_id in held]
    if args.full_sorts:
        print("\n".join(full_sorts(collection, args.model, args.full_sorts)))
        return
    ways: dict[str, tuple[str, Callable[[int], str]]] = {"plain": ("prp(sort=allpair)", lambda _: "")}
    if args.model.startswith("simulated:"):
        ways = {"plain": ("prp(sort=allpair)", lambda seed: f"&seed={seed}")}
    elif args.demonstrations:
        ways = {
            "plain": ("prp(sort=allpair) / labels(prompt=default)", lambda _: ""),
            "demonstrations": ("prp(sort=allpair) / labels(prompt=prp-demos)", lambda _: ""),
        }
    pairs = sum(m * (m - 1) for m in (min(args.depth, len(found)) for _, found in collection.queries))
    if pairs * len(ways) * args.seeds > args.max_calls:
        raise SystemExit(f"this takes {pairs * len(ways) * args.seeds} calls, more than --max-calls {args.max_calls}")
    found, new = {}, 0
    for name, (stage, option) in ways.items():
        seeds = []
        for seed in range(args.seeds):
            seen, calls = ask(args.model + option(seed), stage, collection, args)
            seeds.append(seen)
            new += calls
        found[name] = measure(collection, seeds)
    settings = f"depth {args.depth}, {args.seeds} seeds" if args.seeds > 1 else f"depth {args.depth}"
    model = args.model.replace(str(args.data), args.data.name)
    made = made_by("rankfusion/run.py", "numpy", "ir-measures", seeds=range(args.seeds))
    head = f"# {model} on {collection.name}\n\n{made}\n{settings}; {pairs * len(ways) * args.seeds} comparisons asked."
    text = report(found, collection, head)
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{args.name or collection.name}.md"
    path.write_text(text, encoding="utf-8")
    print(text)
    print(f"{0 if kind == 'recorded' else new} new calls; written to {path}")


if __name__ == "__main__":
    main()
