"""`active` beside published strategies, with simulated judges: nDCG@10 against passage slots.

    python eval/frontier/active.py --data FOLDER --world mild --world harsh   # FOLDER has run.txt, qrels.txt, …

Writes eval/frontier/results/active-WORLD.md. Queries are the unit, seeds are averaged first. Every published strategy,
alone and fused with the first stage, is compared with `active` at the slots that it used itself: as it comes, with the
judge's character (characters.yaml says where from), and with that and scores beside orders. Paired difference with a
95 % interval (Student's t) and p by sign flips, adjusted by Holm over the table of one form of `active`.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml

from rerankllm.evaluation.calibration import expected_calibration_error
from rerankllm.evaluation.measures import parse_measures, per_query
from rerankllm.evaluation.multiplicity import holm
from rerankllm.evaluation.significance import randomization
from rerankllm.evaluation.standard_error import Spread
from rerankllm.formats.beir import read_corpus, read_queries
from rerankllm.formats.trec import read_qrels, read_run
from rerankllm.reranker import Reranker

sys.path.insert(0, str(Path(__file__).parents[1]))
from made import made_by

PUBLISHED = (
    "cascade([full], depths=[60])",
    "full",
    "tdpart",
    "sliding",
    "acurank",
    "setwise(c=10)",
    "tourrank(rounds=2)",
    "jointrank(block=20, replicas=4)",
)
CHARACTERS = yaml.safe_load(Path(__file__).with_name("characters.yaml").read_text(encoding="utf-8"))
FUSED = ("interpolate({})", "interpolate({}, weight=0.8)")
Array = np.ndarray


@dataclass(frozen=True)
class Measured:
    """One strategy: nDCG@10 by query, slots, rounds and seconds a query, and its calibration where it states any."""

    spec: str
    by_query: Array
    slots: float
    rounds: float
    seconds: float
    calibration: float | None

    def row(self) -> str:
        """Of the table."""
        half = Spread.of(self.by_query).interval()[1] - self.by_query.mean()
        stated = "–" if self.calibration is None else f"{self.calibration:.3f}"
        return (
            f"| `{self.spec}` | {self.by_query.mean():.4f} ± {half:.3f} | {self.slots:.0f} | {self.rounds:.1f} | "
            f"{stated} | {self.seconds:.3f} |"
        )


class Collection:
    """A judged run."""

    def __init__(self, folder: str) -> None:
        self.folder = Path(folder)
        self.qrels = read_qrels(self.folder / "qrels.txt")
        run = read_run(self.folder / "run.txt")
        self.run = {query_id: ranked for query_id, ranked in run.items() if query_id in self.qrels}
        self.queries = read_queries(self.folder / "queries.tsv")
        self.corpus = read_corpus(self.folder / "corpus.jsonl")

    def measure(self, spec: str, world: str, seeds: Sequence[int]) -> Measured:
        """Runs a strategy once a seed."""
        (measure,) = parse_measures(["nDCG@10"])
        values, rankings = [], []
        started = time.perf_counter()
        for seed in seeds:
            with Reranker(spec, f"simulated:{self.folder / 'qrels.txt'}?world={world}&seed={seed}") as reranker:
                done = reranker.rerank_run(self.run, self.queries, self.corpus)
            if done.failures:
                raise SystemExit(f"{spec}: {done.failures[0]}")
            rankings += done.rankings
            found = per_query(self.qrels, {r.query.query_id: r.doc_ids for r in done.rankings}, [measure])
            values.append([found[query_id][str(measure)] for query_id in self.run])
        seconds = (time.perf_counter() - started) / len(rankings)
        slots, rounds = (float(np.mean([getattr(r.ledger, what) for r in rankings])) for what in ("slots", "rounds"))
        stated = expected_calibration_error(rankings, self.qrels) if rankings[0][0].probability is not None else None
        return Measured(spec, np.mean(values, axis=0), slots, rounds, seconds, stated)


def forms(world: str) -> dict[str, str]:
    """The forms of `active` in a world, by what is said of them: specs that lack the slots."""
    known = ", ".join(f"{name}={value}" for name, value in CHARACTERS[world].items())
    return {
        "as it comes": "active(slots={}, regret=0)",
        "with the judge's character": f"active(slots={{}}, regret=0, {known})",
        "with that, and scores": f"active(slots={{}}, regret=0, {known}, kinds=[permute, score])",
    }


def compared(others: Sequence[Measured], rivals: Sequence[Measured]) -> str:
    """The table of one form of `active` against all others."""
    gaps = [rival.by_query - other.by_query for rival, other in zip(rivals, others, strict=True)]
    lines = [
        "| against | slots | active's | its rounds | active's | difference | p (Holm) |",
        "|---|---|---|---|---|---|---|",
    ]
    for other, rival, gap, p in zip(others, rivals, gaps, holm([randomization(gap) for gap in gaps]), strict=True):
        half = Spread.of(gap).interval()[1] - gap.mean()
        spent = f"{other.slots:.0f} | {rival.slots:.0f} | {other.rounds:.1f} | {rival.rounds:.1f}"
        lines.append(f"| `{other.spec}` | {spent} | {gap.mean():+.4f} ± {half:.4f} | {p:.4f} |")
    return "\n".join(lines)


def report(collection: Collection, world: str, seeds: Sequence[int]) -> str:
    """All tables of a world."""
    others = [
        collection.measure(spec, world, seeds)
        for published in PUBLISHED
        for spec in (published, *(form.format(published) for form in FUSED))
    ]
    budgets = sorted({int(other.slots) for other in others})
    rows, tables = [], []
    for what, form in forms(world).items():
        found = {slots: collection.measure(form.format(slots), world, seeds) for slots in budgets}
        rows += found.values()
        tables.append(f"## active {what}\n\n{compared(others, [found[int(other.slots)] for other in others])}")
    rows.append(collection.measure("active(slots=400)", world, seeds))
    title = f"{collection.folder.name}, {len(collection.run)} queries, seeds {list(seeds)}"
    return f"""# active in the world `{world}`: {title}

{made_by("frontier/active.py", "numpy", "scipy", "ir-measures", seeds=seeds)}
Calibration is the expected error of P(in top 10) in ten bins; seconds
are wall time a query on one thread, the simulator's included. The judge's character is in the specs: see
characters.yaml for where it comes from.

| strategy | nDCG@10 | slots | rounds | calibration | seconds |
|---|---|---|---|---|---|
{chr(10).join(row.row() for row in (*rows, *others))}

{(chr(10) * 2).join(tables)}
"""


def main() -> None:
    """Measures what was asked, prints and keeps the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True)
    parser.add_argument("--world", action="append", required=True, choices=["mild", "harsh", "fitted"])
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    results = Path(__file__).parent / "results"
    results.mkdir(exist_ok=True)
    for world in options.world:
        text = report(Collection(options.data), world, range(options.seeds))
        (results / f"active-{world}.md").write_text(text, encoding="utf-8")
        print(text)


if __name__ == "__main__":
    main()
