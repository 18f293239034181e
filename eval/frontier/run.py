"""Quality against cost for every strategy, with a judge that errs as stated (`simulated:`).

    python eval/frontier/run.py                      # DL19 and NovelEval, three worlds; five to ten minutes, two cores
    python eval/frontier/run.py --seeds 1 --collection noveleval --world mild
    python eval/frontier/run.py --only sliding --only tdpart --to FOLDER   # in part: never over what ships
    python eval/frontier/run.py --add                # keeps what ships, and runs only the stages that it lacks;
                                                     # with --only or --world some of these

The stages are in strategies.yaml. Each is run alone and, with the same answers, inside `interpolate(…)`. Every seed
draws the judge and the strategy's own shuffles anew; all strategies meet the same judges. Writes COLLECTION.md and
COLLECTION.png (plots.py) to eval/frontier/results, and the same query by query to COLLECTION.json: a complete run to
rerankllm/analysis/recommend, whence it ships and `rerankllm recommend` has it, any other beside the tables. Needs
../shared/data, matplotlib and scipy (the extra `dev`).
"""

import argparse
import dataclasses
import importlib.metadata
import multiprocessing
import os
import platform
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from statistics import fmean
from typing import Any, ClassVar

import numpy as np
import yaml
from listed import names_in, unlisted
from plots import BELIEF, COLLECTIONS, FIRST, IDEAL, draw

from rerankllm.analysis.recommend.measurements import Character, Entry, Measured
from rerankllm.backends.simulated import WORLDS, Simulated, World
from rerankllm.data import Candidate, Query, Ranking
from rerankllm.drivers.results import Run
from rerankllm.errors import SpecError
from rerankllm.evaluation.extras import scipy_module
from rerankllm.evaluation.measures import parse_measures, per_query
from rerankllm.evaluation.standard_error import Spread
from rerankllm.evaluation.systems import ideal
from rerankllm.formats.beir import read_corpus, read_queries
from rerankllm.formats.join import join
from rerankllm.formats.trec import read_qrels, read_run
from rerankllm.judgements import Steps
from rerankllm.plan import Plan
from rerankllm.reranker import Reranker
from rerankllm.spec.stage import Stage, map_stages
from rerankllm.strategies.interpolate import Interpolate

sys.path.insert(0, str(Path(__file__).parents[1]))
from made import machine

HERE = Path(__file__).parent
DATA = HERE.parents[2] / "shared" / "data"
RESULTS, SHIPPED = HERE / "results", HERE.parents[1] / "rerankllm" / "analysis" / "recommend"
SEEDS = 5
PROMPT_TOKENS, PASSAGE_TOKENS = 120, 136
WEIGHTS = (0.5, 0.8)
REFERENCE = "sliding(window=20, stride=10)"
Values = Mapping[str, float]


@dataclass(frozen=True)
class Given:
    """A strategy whose order is known already: what `interpolate` fuses without asking again."""

    doc_ids: tuple[str, ...]
    asks: ClassVar[tuple[type, ...]] = ()

    def rank(self, query: Query, candidates: Sequence[Candidate]) -> Steps[Ranking]:
        """Asks nothing."""
        documents = {candidate.doc_id: candidate.document for candidate in candidates}
        yield from ()
        return Ranking.of(query, [documents[doc_id] for doc_id in self.doc_ids])

    def plan(self, n: int) -> Plan:
        """Nothing."""
        del n
        return Plan.exactly(0, 0, 0)

    def settles(self, n: int) -> int | None:
        """Nothing."""
        del n


class Collection:
    """One judged collection with a first-stage run."""

    def __init__(self, name: str) -> None:
        folder = DATA / name
        self.qrels_path = folder / "qrels.txt"
        self.qrels = read_qrels(self.qrels_path)
        run, corpus = read_run(folder / "run.txt"), read_corpus(folder / "corpus.jsonl")
        self.queries = join(run, read_queries(folder / "queries.tsv"), corpus, skip_missing=False).queries
        self.first = {query.query_id: tuple(c.doc_id for c in candidates) for query, candidates in self.queries}
        self.longest = max(map(len, self.first.values()))

    def ndcg(self, orders: Mapping[str, Sequence[str]]) -> dict[str, float]:
        """nDCG@10 by query; a query without an order has 0."""
        (measure,) = parse_measures(["nDCG@10"])
        found = per_query(self.qrels, orders, [measure])
        return {query_id: found[query_id][str(measure)] if query_id in found else 0.0 for query_id in self.first}

    def fused(self, orders: Mapping[str, Sequence[str]], weight: float) -> dict[str, tuple[str, ...]]:
        """The orders, fused with the first stage's as `interpolate` does."""
        found = {}
        for query, candidates in self.queries:
            if query.query_id in orders:
                steps = Interpolate(Stage(Given(tuple(orders[query.query_id]))), weight).rank(query, candidates)
                found[query.query_id] = finished(steps).doc_ids
        return found


def finished(steps: Steps[Ranking]) -> Ranking:
    """What a generator returns that asks nothing."""
    try:
        next(steps)
    except StopIteration as stop:
        ranking: Ranking = stop.value
        return ranking
    raise AssertionError("it asked")


@dataclass(frozen=True)
class Row:
    """One stage in one world of one collection, means over seeds.

    Attributes:
        name: The stage as configured.
        alone: nDCG@10 by query.
        fused: The same with the first stage, by the stage's weight in that.
        calls: Mean over queries; likewise `rounds` and `slots`.
        failed: Share of the queries that failed; their nDCG@10 counts as 0.
    """

    name: str
    alone: Values
    fused: Mapping[float, Values]
    calls: float = 0.0
    rounds: float = 0.0
    slots: float = 0.0
    failed: float = 0.0

    @cached_property
    def tokens(self) -> float:
        """Input tokens a query, estimated."""
        return self.calls * PROMPT_TOKENS + self.slots * PASSAGE_TOKENS


collection_of = cache(Collection)


def reseeded(stage: Stage, seed: int) -> Stage:
    """The stage with every shuffle in it drawn from `seed`."""
    strategy: Any = map_stages(stage.strategy, lambda inner: reseeded(inner, seed))
    if "seed" in (f.name for f in dataclasses.fields(strategy)):
        strategy = dataclasses.replace(strategy, seed=seed)
    return dataclasses.replace(stage, strategy=strategy)


def measured(collection: Collection, orders: Mapping[str, Sequence[str]]) -> list[Values]:
    """nDCG@10 by query of the orders alone and fused with each of WEIGHTS."""
    return [collection.ndcg(o) for o in (orders, *(collection.fused(orders, weight) for weight in WEIGHTS))]


def averaged(samples: Sequence[Sequence[Values]]) -> tuple[Values, dict[float, Values]]:
    """Of what was measured, the means over seeds: alone, and by weight."""
    alone, *fused = [
        {key: fmean(sample[key] for sample in seeds) for key in seeds[0]} for seeds in zip(*samples, strict=True)
    ]
    return alone, dict(zip(WEIGHTS, fused, strict=True))


def run_stage(name: str, world: str, spec: str, seeds: int) -> Row:
    """Runs one stage with every seed."""
    collection = collection_of(name)
    samples, costs = [], []
    for seed in range(seeds):
        stage = reseeded(Stage.parse(spec), seed)
        with Reranker(stage, f"simulated:{collection.qrels_path}?world={world}&seed={seed}") as reranker:
            done = Run.of(reranker.stream(collection.queries))
        orders = {ranking.query.query_id: ranking.doc_ids for ranking in done.rankings}
        samples.append(measured(collection, orders))
        ledgers = [ranking.ledger for ranking in done.rankings]
        costs += [(ledger.calls, ledger.rounds, ledger.slots) for ledger in ledgers]
    calls, rounds, slots = (fmean(values) for values in zip(*costs, strict=True)) if costs else (0.0, 0.0, 0.0)
    failed = 1 - len(costs) / (seeds * len(collection.queries))
    return Row(spec, *averaged(samples), calls, rounds, slots, failed)


def kept(name: str, seeds: int) -> dict[str, dict[str, Row]]:
    """What ships already, by world and stage; nothing if its seeds or queries are others."""
    path = SHIPPED / f"{name}.json"
    found = Measured.read(path.read_text(encoding="utf-8"), str(path))
    if found.seeds != seeds or found.queries != tuple(collection_of(name).first):
        raise SystemExit(f"{path} is of other seeds or queries: run all of it")
    entries = {(entry.judge, entry.stage): entry for entry in found.entries}
    rows: dict[str, dict[str, Row]] = {world: {} for world in found.judges}
    for (world, stage), entry in entries.items():
        fused = [entries[key] for weight in WEIGHTS if (key := (world, _interpolated(stage, weight))) in entries]
        if stage and len(fused) == len(WEIGHTS):
            alone, *values = (dict(zip(found.queries, each.by_query, strict=True)) for each in (entry, *fused))
            fused_by = dict(zip(WEIGHTS, values, strict=True))
            rows[world][stage] = Row(stage, alone, fused_by, entry.calls, entry.rounds, entry.slots, entry.failed)
    return rows


def _interpolated(stage: str, weight: float) -> str:
    return f"interpolate({stage}, weight={weight:g})"


def bounds(name: str, world: str, seeds: int) -> list[Row]:
    """What no strategy costs: the first stage, the order of what the judge believes, and the ideal order."""
    collection = collection_of(name)
    first = collection.ndcg(collection.first)
    samples = []
    for seed in range(seeds):
        judge = Simulated(name=str(collection.qrels_path), world=world, seed=seed)
        orders = {
            query_id: tuple(sorted(doc_ids, key=lambda doc_id, q=query_id: -judge.believed(q, doc_id)))
            for query_id, doc_ids in collection.first.items()
        }
        samples.append(measured(collection, orders))
    best = ideal({name: collection.first}, {name: collection.qrels}, collection.longest)[name]
    return [
        Row(FIRST, first, dict.fromkeys(WEIGHTS, first)),
        Row(BELIEF, *averaged(samples)),
        Row(IDEAL, *averaged([measured(collection, best)])),
    ]


def stages(config: Mapping[str, Any], longest: int, only: Sequence[str]) -> list[str]:
    """The specs to run on lists of up to `longest` documents; says what it leaves out."""
    listed = [*config["run"], *config["short"]]
    wanted = listed if longest <= 20 else config["run"]  # noqa: PLR2004
    found, covered = [], set(config["left_out"])
    for spec in listed:
        try:
            stage = Stage.parse(spec)
        except SpecError as error:
            print(f"skipped: {spec}: {error}")
            continue
        covered |= set(names_in(stage))
        if spec in wanted:
            found.append(spec)
        else:
            print(f"skipped here, for the time it takes: {spec}")
    for name in unlisted(covered):
        print(f"in no list, run as it comes: {name}")
        found.append(name)
    return [spec for spec in found if not only or spec.partition("(")[0] in only]


def interval(values: Iterable[float]) -> float:
    """Half of the 95 % interval of the mean, by Student's t."""
    spread = Spread.of(np.array(list(values)))
    return spread.interval()[1] - spread.mean


def cell(values: Values) -> str:
    """A mean with its interval."""
    return f"{fmean(values.values()):.3f} ± {interval(values.values()):.3f}"


def difference(values: Values, reference: Values | None) -> str:
    """The mean difference to the reference, paired by query."""
    if reference is None:
        return "–"
    differences = [value - reference[query_id] for query_id, value in values.items()]
    return f"{fmean(differences):+.3f} ± {interval(differences):.3f}" if any(differences) else "–"


def by_cost(rows: Iterable[Row]) -> list[Row]:
    """The cheapest first."""
    return sorted(rows, key=lambda row: (row.slots, row.calls, row.name))


def table(rows: Sequence[Row]) -> str:
    """In Markdown, the cheapest first."""
    reference = next((row.alone for row in rows if row.name == REFERENCE), None)
    fused = "".join(f"fused {weight:g} | − sliding | " for weight in WEIGHTS)
    lines = [
        f"| nDCG@10 | − sliding | {fused}calls | rounds | slots | ktokens | failed | stage |",
        f"|---|---|{'---|---|' * len(WEIGHTS)}---:|---:|---:|---:|---:|---|",
    ]
    for row in by_cost(rows):
        cost = f"{row.calls:.1f} | {row.rounds:.1f} | {row.slots:.0f} | {row.tokens / 1000:.1f} | {row.failed:.0%}"
        shown = f"`{row.name}`" if row.slots else row.name
        quality = [f"{cell(values)} | {difference(values, reference)}" for values in (row.alone, *row.fused.values())]
        lines.append(f"| {' | '.join(quality)} | {cost} | {shown} |")
    return "\n".join(lines)


def versions() -> dict[str, str]:
    """Of what the numbers may depend on."""
    packages = ("rerankllm", "numpy", "scipy", "ir-measures")
    return {**{p: importlib.metadata.version(p) for p in packages}, "Python": platform.python_version()}


def data(name: str, seeds: int, worlds: Mapping[str, Sequence[Row]]) -> Measured:
    """The results, query by query: what ships."""
    collection = collection_of(name)
    characters = yaml.safe_load((HERE / "characters.yaml").read_text(encoding="utf-8"))
    judges = {
        w: Character(trust=characters[w]["trust"], scale=characters[w]["scale"], **WORLDS[w]._asdict()) for w in worlds
    }
    entries = [entry for world, rows in worlds.items() for row in by_cost(rows) for entry in entries_of(world, row)]
    t = float(scipy_module("stats").t.ppf(0.975, len(collection.first) - 1))
    return Measured(name, COLLECTIONS[name], "nDCG@10", collection.longest, seeds, versions(), round(t, 4), judges,
                    tuple(collection.first), tuple(entries))  # fmt: skip


def entries_of(world: str, row: Row) -> list[Entry]:
    """A row's stage alone and inside `interpolate`; of the first stage itself, and nothing of what no stage reaches."""
    if row.name in {BELIEF, IDEAL}:
        return []
    spent = (round(row.calls, 3), round(row.rounds, 3), round(row.slots, 3), round(row.failed, 4))
    fused = {_interpolated(row.name, weight): values for weight, values in row.fused.items()}
    orders = {"": row.alone} if row.name == FIRST else {row.name: row.alone, **fused}
    return [
        Entry(world, stage, *spent, tuple(round(value, 4) for value in values.values()))
        for stage, values in orders.items()
    ]


def law_of(world: World) -> str:
    """The parameters that are said."""
    said = {key: value for key, value in world._asdict().items() if key not in World._field_defaults or value}
    return ", ".join(f"{key} {value:g}" for key, value in said.items())


def report(name: str, seeds: int, worlds: Mapping[str, Sequence[Row]], seconds: float, before: Iterable[str]) -> str:
    """The results in Markdown; `before` are the stages that were not run this time."""
    collection, known = collection_of(name), len(list(before))
    added = f" {known} of the stages are of a run before, rounded to four digits." if known else ""
    used = ", ".join(f"{package} {version}" for package, version in versions().items())
    tables = "\n\n".join(f"## {world}: {law_of(WORLDS[world])}\n\n{table(rows)}" for world, rows in worlds.items())
    return f"""# The frontier on {COLLECTIONS[name]}: {len(collection.queries)} queries

Written by `python eval/frontier/run.py`; {used};
{machine()}; {seconds / 60:.1f} minutes. Seeds 0 to {seeds - 1}, of the judge and of the strategies' shuffles
alike.{added}

The judge is `simulated:`, not a model: see `rerankllm/backends/simulated.py` for its law, fit.md for where `fitted`
comes from, and judges/results/noveleval.md for `small`.

± is half of a 95 % interval over queries (Student's t), seeds averaged first. "− sliding" is the difference to
`{REFERENCE}` alone, paired by query: compare stages by that, for queries differ more than
stages. No interval is corrected for how many stages are compared. "fused" is `interpolate(…)` of the same answers, the
stage's weight being {" or ".join(f"{weight:g}" for weight in WEIGHTS)}. Calls, rounds and slots are means over queries.
ktokens are estimated input tokens a query, {PROMPT_TOKENS} a prompt and {PASSAGE_TOKENS} a passage. Queries that failed
count as 0.

How this judge differs from what strategies assume of one: its errors are mostly the same in every prompt (belief),
which no repetition averages out and no likelihood with independent errors, Plackett–Luce or probit, has room for. What
is new in every prompt is Laplace noise, heavier-tailed than the Gumbel noise that makes Plackett–Luce or the Gaussian
of a probit, and its scale depends on the length of the list. True utilities are grades, few and mostly 0, not normal
about the first stage's order. The preference for early places is linear in place over list length.

What to keep in mind: beliefs are the same whichever way the judge is asked, utilities need no common scale, and a list
of one has half the noise of a list of twenty, so `pointwise` is flattered in all worlds but `small`; models grade
single passages worse than they order them. That noise grows with the fourth root of the list is an assumption (the
recording that was fitted has windows of 20 only), and decides how long lists fare. An answer costs nothing here but
slots: nothing is said of output tokens. The limit is the ideal order: nothing that reorders these documents passes it.
The judge's own belief is what asking it for ever comes to, and no limit: a stage that shows the first stage's order to
a judge who prefers early places can pass it, since that lets the first stage in. In the fitted world that is most of
what sets stages apart, and those that shuffle lose by it.

![plots]({name}.png)

{tables}
"""


def work(tasks: Sequence[tuple[str, str]], processes: int, seeds: int, name: str) -> list[tuple[str, Row]]:
    """Runs all (world, spec) of one collection, and says how far it is."""
    started = time.perf_counter()
    rows: list[tuple[str, Row]] = []
    for library in ("OMP", "OPENBLAS", "MKL"):  # threads of small matrices in every process only wait for each other
        os.environ.setdefault(f"{library}_NUM_THREADS", "1")
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, mp_context=context) as pool:
        waiting: dict[Future[Row], tuple[str, str]] = {
            pool.submit(run_stage, name, world, spec, seeds): (world, spec) for world, spec in tasks
        }
        for number, future in enumerate(as_completed(waiting), 1):
            world, spec = waiting[future]
            row = future.result()
            rows.append((world, row))
            seconds = time.perf_counter() - started
            print(f"{name} {number}/{len(tasks)} {seconds:4.0f} s  {world:6} {fmean(row.alone.values()):.3f} {spec}",
                  flush=True)  # fmt: skip
    return rows


def main() -> None:
    """Runs what was asked and writes tables and plots."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--collection", action="append", choices=COLLECTIONS, help="default: all")
    parser.add_argument("--world", action="append", choices=WORLDS, help="default: all")
    parser.add_argument("--only", action="append", default=[], metavar="STRATEGY", help="repeatable; default: all")
    parser.add_argument("--add", action="store_true", help="keep what ships, and run only what it lacks")
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--to", type=Path, default=RESULTS)
    options = parser.parse_args()
    config = yaml.safe_load((HERE / "strategies.yaml").read_text(encoding="utf-8"))
    part = not options.add and (options.only or options.world)
    complete = not part and (options.seeds, options.to) == (SEEDS, RESULTS)
    for name in options.collection or COLLECTIONS:
        if not (DATA / name).is_dir():
            print(f"skipped: {name}: ../shared/data/{name} is not beside the checkout")
            continue
        started = time.perf_counter()
        chosen = options.world or list(WORLDS)
        specs = stages(config, collection_of(name).longest, options.only)
        before = kept(name, options.seeds) if options.add else {}
        known = {(world, spec): row for world, rows in before.items() for spec, row in rows.items()}
        tasks = [(world, spec) for spec in specs for world in chosen if (world, spec) not in known]
        found = [*((world, row) for (world, _), row in known.items()),
                 *work(tasks, options.processes, options.seeds, name)]  # fmt: skip
        worlds = {
            world: [*bounds(name, world, options.seeds), *(row for w, row in found if w == world)]
            for world in (WORLDS if options.add else chosen)
        }
        options.to.mkdir(exist_ok=True, parents=True)
        text = report(name, options.seeds, worlds, time.perf_counter() - started, {spec for _, spec in known})
        (options.to / f"{name}.md").write_text(text, encoding="utf-8")
        data(name, options.seeds, worlds).save((SHIPPED if complete else options.to) / f"{name}.json")
        draw(options.to, name)
        print(f"wrote {options.to / name}.md, .png, .svg and .pdf")


if __name__ == "__main__":
    main()
