"""What strategies make of recorded judges, and of simulated ones on the same queries."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from statistics import fmean

import numpy as np
from record import CHOOSING, DEPTH, PAIRED, STAGES, queries_of
from recorded import Recorded

from rerankllm import Reranker
from rerankllm.backends.simulated import WORLDS, World
from rerankllm.drivers.events import Failed
from rerankllm.evaluation.bootstrap import bootstrap
from rerankllm.evaluation.measures import parse_measures, per_query
from rerankllm.formats.trec import read_qrels

Orders = dict[str, list[str]]
SEEDS = range(5)
ALONE = ("pointwise", "interpolate(pointwise)")
"""What scores one passage at a time."""
PAIRWISE = (
    "prp(sort=allpair)",
    "prp(sort=allpair, calibrate=agree)",
    "prp(sort=heap, top_k=10)",
    "prp(sort=heap, top_k=10, calibrate=agree)",
    "prp(sort=bubble, top_k=10)",
    "prp(sort=quickselect, top_k=10)",
    "prp(sort=tournament, top_k=10)",
    "prp(sort=tournament, top_k=10, orders=1)",
    "elimination",
    "rankfusion([prp(sort=heap, top_k=10), prp(sort=bubble, top_k=10)])",
)
"""What compares two passages at a time."""
FULL = "sliding(window=20, stride=10)"
LISTWISE = (FULL, *STAGES)
"""What puts passages in order."""
REPLAYED: Sequence[tuple[str, tuple[str, ...], int]] = (
    ("yes-no", ALONE, DEPTH),
    ("grades", ALONE, DEPTH),
    ("likelihood", ALONE, DEPTH),
    ("choices", (CHOOSING,), DEPTH),
    ("letters", LISTWISE, DEPTH),
    ("orders", (FULL,), DEPTH),
    ("pairs", PAIRWISE, PAIRED),
)
"""Strategies that ask nothing but what a set holds."""
FITTED = ("yes-no", "choices", "letters", "windows", "pairs")
"""Sets that a world is fitted to."""
OWN = "fitted to it"


@dataclass(frozen=True)
class Replay:
    """A strategy on the answers of one judge.

    Attributes:
        orders: The documents of each query, best first.
        calls: A query, on the mean; likewise `slots` and `tokens`.
    """

    orders: Orders
    calls: float
    slots: float
    tokens: float


class Collection:
    """What the judges were asked about."""

    def __init__(self, folder: Path) -> None:
        self.name, self.path = folder.name, folder / "qrels.txt"
        self.grades, self.queries = read_qrels(self.path), queries_of(folder, 1)

    def ndcg(self, orders: Orders) -> list[float]:
        """nDCG@10 by query; what a strategy did not read follows as the first stage has it."""
        full = {}
        for query, candidates in self.queries:
            if query.query_id in orders:
                read = orders[query.query_id]
                full[query.query_id] = [*read, *(c.doc_id for c in candidates if c.doc_id not in read)]
        return [value["nDCG@10"] for value in per_query(self.grades, full, parse_measures(["nDCG@10"])).values()]

    def replay(self, stage: str, model: str, depth: int, ids: frozenset[str]) -> Replay:
        """Runs a strategy; every query has to be answered."""
        orders, ledgers = {}, []
        with Reranker(stage, model, depth=depth) as reranker:
            for outcome in reranker.stream([each for each in self.queries if each[0].query_id in ids]):
                if isinstance(outcome, Failed):
                    raise SystemExit(f"{model}, {stage}: {outcome.reason}")
                orders[outcome.query.query_id] = list(outcome.doc_ids)
                ledgers.append(outcome.ledger)
        calls, slots = (fmean(getattr(one, name) for one in ledgers) for name in ("calls", "slots"))
        return Replay(orders, calls, slots, fmean(one.usage.prompt_tokens for one in ledgers))

    def simulated(self, stage: str, world: World, depth: int, ids: frozenset[str]) -> float:
        """nDCG@10 with a simulated judge, a mean over seeds."""
        law = "&".join(f"{name}={value}" for name, value in world._asdict().items() if value is not None)
        found = [self.replay(stage, f"simulated:{self.path}?seed={seed}&{law}", depth, ids) for seed in SEEDS]
        return fmean(value for one in found for value in self.ndcg(one.orders))


def mean(values: Sequence[float]) -> str:
    """With its interval."""
    low, high = bootstrap(np.array(values))
    return f"{fmean(values):.3f} ({low:.2f}–{high:.2f})"


def strategies(judges: Sequence[Recorded], collection: Collection, fitted: Mapping[str, World]) -> Iterator[str]:
    """A row for a strategy and a judge, on the queries that the judge was asked about."""
    yield (
        "| set | strategy | judge | queries | calls | slots | tokens | first stage | **nDCG@10** | − first stage | "
        f"{' | '.join(WORLDS)} | {OWN} |"
    )
    yield f"|---|---|---|---:|---:|---:|---:|---:|---:|---:|{'---:|' * (len(WORLDS) + 1)}"
    given = {query.query_id: [c.doc_id for c in candidates] for query, candidates in collection.queries}
    known: dict[tuple[str, World, int, frozenset[str]], float] = {}

    def simulated(stage: str, world: World, depth: int, ids: frozenset[str]) -> float:
        key = (stage, world, depth, ids)
        if key not in known:
            known[key] = collection.simulated(stage, world, depth, ids)
        return known[key]

    off: dict[str, list[float]] = {world: [] for world in (*WORLDS, OWN)}
    for name, stages, most in REPLAYED:
        asked = [judge for judge in judges if judge.records(name)]
        for stage, judge in product(stages, asked):
            ids = frozenset(record["query_id"] for record in judge.records(name))
            depth = judge.cost(name).get("depth", most)
            found = collection.replay(stage, f"recorded:{judge.path(name)}", depth, ids)
            values = collection.ndcg(found.orders)
            before = collection.ndcg({query_id: given[query_id] for query_id in found.orders})
            gain = [after - first for after, first in zip(values, before, strict=True)]
            laws = {**WORLDS, OWN: fitted[judge.name]}
            worlds = {world: simulated(stage, law, depth, ids) for world, law in laws.items()}
            if name in FITTED:
                for world, value in worlds.items():
                    off[world].append(abs(value - fmean(values)))
            yield (
                f"| {name} | `{stage}` | {judge.name} | {len(ids)} | {found.calls:.1f} | {found.slots:.0f} | "
                f"{found.tokens:,.0f} | {fmean(before):.3f} | {mean(values)} | {mean(gain)} | "
                f"{' | '.join(f'{value:.3f}' for value in worlds.values())} |"
            )
    yield f"\nThe mean distance of a simulated judge's nDCG@10 from the real one's, over {len(off[OWN])} rows above:\n"
    yield f"| {' | '.join(off)} |"
    yield f"|{'---:|' * len(off)}"
    yield f"| {' | '.join(f'{fmean(values):.3f}' for values in off.values())} |"
