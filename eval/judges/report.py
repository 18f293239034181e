r"""What the recorded judges are like, and what strategies make of them: tables from eval/judges/recordings, no calls.

    python eval/judges/report.py --data ../shared/data/noveleval \
        --windows ../shared/data/rankvicuna-dl19-bm25.jsonl --windows-data ../shared/data/dl19-bm25

Writes eval/judges/results.md. Intervals are bootstrapped over queries. `likeness.py` says what is measured of judges,
and how far a simulated one is from a real one.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

import numpy as np

from rerankllm import Reranker
from rerankllm.backends.simulated import WORLDS, World
from rerankllm.data import Candidate, Query
from rerankllm.drivers.events import Failed
from rerankllm.evaluation.bootstrap import bootstrap
from rerankllm.evaluation.measures import parse_measures, per_query
from rerankllm.formats.trec import read_qrels
from rerankllm.judgements import Permute, Select

sys.path.insert(0, str(Path(__file__).parents[1]))
from likeness import FRESH, Likeness
from made import made_by
from record import DEPTH, PAIRED, QUESTIONS, RECORDINGS, STAGES, queries_of
from recorded import ByQuery, Recorded, windows

Orders = dict[str, list[str]]
Queries = Sequence[tuple[Query, list[Candidate]]]
RESULTS = Path(__file__).parent / "results.md"
VICUNA = "RankVicuna, windows of 20 on dl19-bm25"
SEEDS = range(5)
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
    ("yes-no", ("pointwise",), DEPTH),
    ("grades", ("pointwise",), DEPTH),
    ("likelihood", ("pointwise",), DEPTH),
    ("letters", LISTWISE, DEPTH),
    ("orders", (FULL,), DEPTH),
    ("pairs", PAIRWISE, PAIRED),
)
"""Strategies that ask nothing but what a set holds."""
PARTS = 4
"""Into which the places of a list are cut."""


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

    def replay(self, stage: str, model: str, depth: int, ids: set[str]) -> Replay:
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

    def simulated(self, stage: str, world: World, depth: int, ids: set[str]) -> float:
        """nDCG@10 with a simulated judge, a mean over seeds."""
        law = f"belief={world.belief}&noise={world.noise}&position={world.position}"
        found = [self.replay(stage, f"simulated:{self.path}?seed={seed}&{law}", depth, ids) for seed in SEEDS]
        return fmean(value for one in found for value in self.ndcg(one.orders))


def mean(values: Sequence[float]) -> str:
    """With its interval."""
    low, high = bootstrap(np.array(values))
    return f"{fmean(values):.3f} ({low:.2f}–{high:.2f})"


def recorded(judges: Sequence[Recorded]) -> Iterator[str]:
    """What there is."""
    yield "| judge | set | queries | passages | judgements | prompt tokens | cut to, tokens | CPU minutes | KiB |"
    yield "|---|---|---:|---:|---:|---:|---:|---:|---:|"
    for judge in judges:
        for name in QUESTIONS:
            if records := judge.records(name):
                cost = judge.cost(name)
                minutes = "–" if cost.get("cpu_seconds") is None else f"{cost['cpu_seconds'] / 60:.1f}"
                tokens = sum(record["tokens"][0] for record in records)
                yield (
                    f"| {judge.name} | {name} | {cost['queries']} | {cost.get('depth', DEPTH)} | {len(records):,} | "
                    f"{tokens:,} | "
                    f"{judge.cut(name)} | {minutes} | {judge.path(name).stat().st_size / 1024:.0f} |"
                )


def sets(judges: Sequence[Recorded], collection: Collection) -> dict[str, dict[str, Likeness]]:
    """By set and judge, what was asked and answered."""
    found: dict[str, dict[str, Likeness]] = {}
    for name in QUESTIONS:
        for judge in judges:
            if answered := judge.answered(name):
                found.setdefault(name, {})[judge.name] = Likeness(collection.path, collection.grades, answered)
    return found


def character(found: Mapping[str, Mapping[str, Likeness]]) -> Iterator[str]:
    """A line a number, a column a judge; simulated judges answer what the first real one was asked."""
    names = list(dict.fromkeys(name for judges in found.values() for name in judges))
    yield f"| set | share of | {' | '.join(names)} | {' | '.join(WORLDS)} |"
    yield f"|---|---|{'---:|' * (len(names) + len(WORLDS))}"
    for kind, judges in found.items():
        first = max(judges.values(), key=lambda one: len(one.answered))
        simulated = [first.simulated(world, FRESH) for world in WORLDS.values()]
        for number in sorted(first.real):
            real = [f"{judges[j].real[number]:.2f}" if j in judges and number in judges[j].real else "–" for j in names]
            cells = [*real, *(f"{one[number]:.2f}" for one in simulated)]
            yield f"| {kind} | {number} | {' | '.join(cells)} |"


def readable(judges: Sequence[Recorded]) -> Iterator[str]:
    """What could be read of the answers."""
    yield "| judge | set | answers | repaired | unreadable |"
    yield "|---|---|---:|---:|---:|"
    for judge in judges:
        for name in QUESTIONS:
            if records := judge.records(name):
                status = Counter(record["status"] for record in records)
                repaired, failed = (status[key] / len(records) for key in ("repaired", "failed"))
                yield f"| {judge.name} | {name} | {len(records)} | {repaired:.0%} | {failed:.0%} |"


def curve(found: Mapping[str, Mapping[str, Likeness]]) -> Iterator[str]:
    """Where the first place goes to."""
    head = " | ".join(f"quarter {part + 1}" for part in range(PARTS))
    yield f"| set | judge | answers | {head} |"
    yield f"|---|---|---:|{'---:|' * PARTS}"
    for kind, judges in found.items():
        for name, judge in judges.items():
            if counts := _first_places(judge.answered):
                shares = " | ".join(f"{counts[part] / counts.total():.2f}" for part in range(PARTS))
                yield f"| {kind} | {name} | {counts.total()} | {shares} |"


def _first_places(answered: ByQuery) -> Counter[int]:
    found: Counter[int] = Counter()
    for judgement, answer in (each for asked in answered.values() for each in asked):
        shown = [doc.doc_id for doc in judgement.docs]
        if isinstance(judgement, Permute):
            first = [*answer.ranked, *answer.omitted][0]  # type: ignore[union-attr]
        elif isinstance(judgement, Select):
            first = answer[0]  # type: ignore[index]
        else:
            continue
        found[PARTS * shown.index(first) // len(shown)] += 1
    return found


def worlds(found: Mapping[str, Mapping[str, Likeness]]) -> tuple[list[str], dict[tuple[str, str], World]]:
    """How far the worlds are, and one fitted to each judge on half of its queries; and these worlds."""
    heads = ("fitted to it: belief, noise, position", "on its half", "held out: fitted", "held out: the nearest")
    lines = [
        f"| set | judge | {' | '.join((*WORLDS, *heads))} |",
        f"|---|---|{'---:|' * len(WORLDS)}---|---:|---:|---:|",
    ]
    fitted = {}
    for kind, judges in found.items():
        for name, judge in judges.items():
            distances = [f"{judge.distance(world):.1f}" for world in WORLDS.values()]
            if name == VICUNA:
                lines.append(f"| {kind} | {name} | {' | '.join(distances)} | frontier/results/fit.md | – | – | – |")
                continue
            one, other = judge.halves()
            world = fitted[kind, name] = one.fitted()
            near, distance = other.nearest()
            lines.append(
                f"| {kind} | {name} | {' | '.join(distances)} | {', '.join(f'{value:g}' for value in world)} | "
                f"{one.distance(world):.1f} | {other.distance(world):.1f} | {distance:.1f} ({near}) |"
            )
            print(lines[-1], flush=True)
    return lines, fitted


def strategies(
    judges: Sequence[Recorded], collection: Collection, fitted: Mapping[tuple[str, str], World]
) -> Iterator[str]:
    """What strategies make of the recordings, beside what they make of simulated judges on the same queries."""
    yield (
        "| set | strategy | judge | queries | calls | slots | tokens | first stage | **nDCG@10** | − first stage | "
        f"{' | '.join(WORLDS)} | fitted to it |"
    )
    yield f"|---|---|---|---:|---:|---:|---:|---:|---:|---:|{'---:|' * (len(WORLDS) + 1)}"
    given = {query.query_id: [c.doc_id for c in candidates] for query, candidates in collection.queries}
    for name, stages, most in REPLAYED:
        asked = {judge.name: judge for judge in judges if judge.records(name)}
        if not asked:
            continue
        ids = set.intersection(*({record["query_id"] for record in judge.records(name)} for judge in asked.values()))
        depth = min(judge.cost(name).get("depth", most) for judge in asked.values())
        for stage in stages:
            simulated = [f"{collection.simulated(stage, world, depth, ids):.3f}" for world in WORLDS.values()]
            for judge in asked.values():
                found = collection.replay(stage, f"recorded:{judge.path(name)}", depth, ids)
                values = collection.ndcg(found.orders)
                before = collection.ndcg({query_id: given[query_id] for query_id in found.orders})
                gain = [after - first for after, first in zip(values, before, strict=True)]
                own = collection.simulated(stage, fitted[name, judge.name], depth, ids)
                yield (
                    f"| {name} | `{stage}` | {judge.name} | {len(ids)} | {found.calls:.1f} | {found.slots:.0f} | "
                    f"{found.tokens:,.0f} | {fmean(before):.3f} | {mean(values)} | {mean(gain)} | "
                    f"{' | '.join(simulated)} | {own:.3f} |"
                )


TEXT = """
The judges are real language models; `eval/judges/record.py` recorded their answers, and nothing was asked for these
tables. Where a set has fewer than {all} queries, they are every third by id. Pairs are of a query's first passages, and
everything else is of all {depth}. `mild`, `harsh` and `fitted` are the simulated judges of README, asked the same
questions about the same queries, means over ten seeds. The windows of RankVicuna are those that its own answers made; a
simulated judge, whose answers would have made others, is shown them too, which makes it look further away than it is
(frontier/results/fit.md lets each make its own).
"""
LIKE = """
Every number is a share. "Right" is in the order of the grades. Lists are shown as given and reversed, so that "two
answers agree" is about the same passages in turned orders: a judge that gives back what it is shown has 0 there.
"""
FAR = """
1 is as far as chance. Every number of a set counts alike (`likeness.py`). The fitted world is the nearest on a grid to
every second query, and is then held to the others. Of scores only the belief error can be told; 10 is the largest on
the grid: hardly better than chance.
"""
REPLAY = """
`recorded:` answered, with 0 new calls; a strategy that asks what was not recorded fails by name. Simulated columns are
means over five seeds of the same strategy on the same queries; "fitted to it" is the world of the table before. The
queries of a set are those that all judges were asked about.
"""


def main() -> None:
    """Writes the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, type=Path)
    parser.add_argument("--windows", type=Path, help="raw answers to windows, as others publish them")
    parser.add_argument("--windows-data", type=Path, help="the collection that they are about")
    options = parser.parse_args()
    collection = Collection(options.data)
    judges = [Recorded(folder, collection.name) for folder in sorted(RECORDINGS.iterdir()) if folder.is_dir()]
    found = sets(judges, collection)
    if options.windows:
        qrels = options.windows_data / "qrels.txt"
        vicuna = Likeness(qrels, read_qrels(qrels), windows(options.windows))
        found.setdefault("orders", {})[VICUNA] = vicuna
    far, fitted = worlds(found)
    lines = [
        f"# Real judges on {collection.name}\n",
        made_by("judges/report.py", "numpy", seeds=SEEDS),
        TEXT.format(all=len(collection.queries), depth=DEPTH),
        "## What was recorded\n",
        *recorded(judges),
        "\n## What could be read\n",
        *readable(judges),
        "\n## What they are like\n",
        LIKE,
        *character(found),
        "\nWhere the passage was shown that is named first:\n",
        *curve(found),
        "\n## How far simulated judges are\n",
        FAR,
        *far,
        "\n## What strategies make of their answers\n",
        REPLAY,
        *strategies(judges, collection, fitted),
    ]
    RESULTS.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(RESULTS.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
