"""Fits the simulated judge to RankVicuna's recorded answers: the world called `fitted`.

    python eval/frontier/fit.py                      # writes eval/frontier/results/fit.md; a few minutes

The same sliding window (20/10) is run with the recording and with `simulated:`, and nine numbers that tell the three
errors apart are compared (SEEN says which). The loss is the sum of the squared differences, each over the error of
the recording's number (bootstrap over queries) with .02 added in quadrature, since a law of three parameters is not
the truth, and without that the number known best would decide alone. The simulation's numbers are means over seeds.
Coarse grid first, then Nelder–Mead from its best three points; the seeds are the same
for every point, so that the loss is a function. Needs ../shared/data and scipy.
"""

import argparse
import importlib.metadata
import math
import os
import platform
import random
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations, product
from pathlib import Path
from statistics import fmean, stdev

from scipy.optimize import minimize

from rerankllm.backends.direct import DirectBackend
from rerankllm.calls import Reply
from rerankllm.data import Candidate, Query
from rerankllm.formats.beir import read_corpus, read_queries
from rerankllm.formats.join import join
from rerankllm.formats.trec import read_qrels, read_run
from rerankllm.judgements import Permute
from rerankllm.spec.model import ModelSpec
from rerankllm.strategies.sliding import Sliding

DATA = Path(__file__).parents[3] / "shared" / "data"
RESULTS = Path(__file__).parent / "results"
SEEN = {
    "one grade apart": "share of pairs ordered by grade",
    "two grades apart": "the same",
    "three grades apart": "the same",
    "equal, 1–3 places apart": "share of pairs of equal grade that stay as shown",
    "equal, 4–9 places apart": "the same",
    "equal, 10–19 places apart": "the same",
    "read twice, turned round": "share of pairs that the next window orders otherwise than the last",
    "read twice, by grade": "share of pairs that the next window orders by grade, among those turned round",
    "nDCG@10": "of the final order",
}
SLACK = 0.02
DISTANCES = ((1, 3), (4, 9), (10, 19))
GRID = ((0.3, 0.6, 0.9, 1.2, 1.6), (0.05, 0.15, 0.3, 0.6, 1.0), (0.0, 0.4, 0.8, 1.2, 1.8))
GUESS = (1.2, 0.3, 1.2)
Tally = Mapping[str, tuple[float, float]]
Queries = Sequence[tuple[Query, Sequence[Candidate]]]
Grades = Mapping[str, int]


def watched(backend: DirectBackend, query: Query, candidates: Sequence[Candidate]) -> list[tuple[list[str], list[str]]]:
    """What each window showed and what came back, in turn, and at the end the final order twice."""
    steps = Sliding().rank(query, candidates)
    windows: list[tuple[list[str], list[str]]] = []
    batch = next(steps)
    while True:
        answers = []
        for judgement in batch.judgements:
            reply = backend.answer(judgement)
            if not isinstance(reply, Reply) or not isinstance(judgement, Permute):
                raise SystemExit(f"query {query.query_id}: {reply}")
            shown = [doc.doc_id for doc in judgement.docs]
            windows.append((shown, [*reply.answer.ranked, *reply.answer.omitted]))
            answers.append(reply.answer)
        try:
            batch = steps.send(answers)
        except StopIteration as stop:
            return [*windows, (list(stop.value.doc_ids), list(stop.value.doc_ids))]


def tally(windows: Sequence[tuple[list[str], list[str]]], grades: Grades) -> Tally:
    """Of one query: for each number how often it was so, and among how many."""
    counts: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])

    def count(name: str, so: float, among: float = 1.0) -> None:
        counts[name][0] += so
        counts[name][1] += among

    *windows, (final, _) = windows
    before: dict[str, int] = {}
    for shown, answered in windows:
        place = {doc_id: i for i, doc_id in enumerate(answered)}
        for (i, a), (j, b) in combinations(enumerate(shown), 2):
            difference, kept = grades.get(a, 0) - grades.get(b, 0), place[a] < place[b]
            if difference:
                name = ("one grade", "two grades", "three grades")[abs(difference) - 1]
                count(f"{name} apart", kept == (difference > 0))
            else:
                low, high = next(d for d in DISTANCES if d[0] <= j - i <= d[1])
                count(f"equal, {low}–{high} places apart", kept)
            if a in before and b in before:
                turned = kept != (before[a] < before[b])
                count("read twice, turned round", turned)
                if turned and difference:
                    count("read twice, by grade", kept == (difference > 0))
        before = place
    ideal = gain(sorted(grades.values(), reverse=True))
    count("nDCG@10", gain([grades.get(doc_id, 0) for doc_id in final]) / ideal)
    return {name: (so, among) for name, (so, among) in counts.items()}


def gain(grades: Sequence[int]) -> float:
    """DCG@10 with the grade as the gain, as trec_eval has it."""
    return sum(grade / math.log2(place + 2) for place, grade in enumerate(grades[:10]))


def numbers(tallies: Iterable[Tally]) -> dict[str, float]:
    """The numbers of SEEN over some queries."""
    total: dict[str, list[float]] = {name: [0.0, 0.0] for name in SEEN}
    for one in tallies:
        for name, (so, among) in one.items():
            total[name][0] += so
            total[name][1] += among
    return {name: so / among if among else math.nan for name, (so, among) in total.items()}


class Fit:
    """The recording's numbers, and how far a simulation's are from them.

    Args:
        recorded: Path of the recording.
        data: Folder of the collection.
        seeds: How many simulations are averaged.
    """

    def __init__(self, recorded: Path, data: Path, seeds: int) -> None:
        self._qrels_path = data / "qrels.txt"
        self._qrels = read_qrels(self._qrels_path)
        self._seeds = seeds
        run = read_run(data / "run.txt")
        corpus = read_corpus(data / "corpus.jsonl")
        self._queries: Queries = join(run, read_queries(data / "queries.tsv"), corpus, skip_missing=False).queries
        tallies = self._tallies(ModelSpec.parse(f"recorded:{recorded}").load())
        self.target = numbers(tallies)
        chance = random.Random(0)
        drawn = [numbers(chance.choices(tallies, k=len(tallies))) for _ in range(500)]
        self.error = {name: math.hypot(SLACK, stdev(sample[name] for sample in drawn)) for name in SEEN}
        self.seen: dict[tuple[float, ...], dict[str, float]] = {}

    def simulated(self, point: Sequence[float], first_seed: int = 0) -> dict[str, float]:
        """The numbers of the simulation, means over seeds."""
        belief, noise, position = point
        options = f"belief={belief:.6f}&noise={noise:.6f}&position={position:.6f}"
        samples = []
        for seed in range(first_seed, first_seed + self._seeds):
            judge = ModelSpec.parse(f"simulated:{self._qrels_path}?seed={seed}&{options}").load()
            samples.append(numbers(self._tallies(judge)))
        return {name: fmean(sample[name] for sample in samples) for name in SEEN}

    def loss(self, point: Sequence[float]) -> float:
        """Of one point; none may be negative."""
        key = tuple(round(float(value), 4) for value in point)
        if min(key[:2]) < 0:
            return 1e6
        if key not in self.seen:
            self.seen[key] = self.simulated(key)
        return self.distance(self.seen[key])

    def distance(self, found: Mapping[str, float], *, without: str = "") -> float:
        """Squared differences, in errors, between the simulation's numbers and the recording's."""
        return sum(((found[name] - self.target[name]) / self.error[name]) ** 2 for name in SEEN if name != without)

    def best(self, *, without: str = "") -> tuple[float, ...]:
        """The best point seen, by all numbers but one."""
        return min(self.seen, key=lambda key: self.distance(self.seen[key], without=without))

    def search(self) -> tuple[float, ...]:
        """The best point."""
        for belief in GRID[0]:
            for noise, position in product(*GRID[1:]):
                self.loss((belief, noise, position))
            print(f"grid up to belief {belief}: {self.best()}, loss {self.loss(self.best()):.1f}", flush=True)
        for start in sorted(self.seen, key=self.loss)[:3]:
            found = minimize(self.loss, start, method="Nelder-Mead",
                             options={"xatol": 0.01, "fatol": 0.05, "maxfev": 60})  # fmt: skip
            print(f"from {start}: {found.x.round(3)}, loss {found.fun:.2f}", flush=True)
        return self.best()

    def _tallies(self, backend: DirectBackend) -> list[Tally]:
        return [
            tally(watched(backend, query, candidates), self._qrels[query.query_id])
            for query, candidates in self._queries
        ]


def shown(point: Sequence[float]) -> str:
    """As it is printed."""
    return ", ".join(f"{value:.2f}" for value in point)


def report(fit: Fit, best: tuple[float, ...], rounded: tuple[float, ...], seeds: int, seconds: float) -> str:
    """The results in Markdown."""
    fresh = fit.simulated(rounded, first_seed=1000)
    rows = "\n".join(
        f"| {name} ({what}) | {fit.target[name]:.3f} ± {fit.error[name]:.3f} | {fresh[name]:.3f} |"
        f" {(fresh[name] - fit.target[name]) / fit.error[name]:+.1f} | {shown(fit.best(without=name))} |"
        for name, what in SEEN.items()
    )
    near = [key for key in fit.seen if fit.loss(key) < fit.loss(best) + 2]
    spans = [f"{min(k[i] for k in near):.2f}–{max(k[i] for k in near):.2f}" for i in range(3)]
    independent = min((key for key in fit.seen if key[0] <= GRID[0][0]), key=fit.loss)
    versions = ", ".join(f"{p} {importlib.metadata.version(p)}" for p in ("rerankllm", "scipy", "numpy"))
    return f"""# The simulated judge, fitted to RankVicuna

Written by `python eval/frontier/fit.py` in {seconds / 60:.1f} minutes; {versions}; Python {platform.python_version()};
{os.cpu_count()} cores. {seeds} seeds a point from seed 0, {len(fit.seen)} points; the table is at seeds not fitted to
(from 1000). ± is the error a difference is measured by: the standard error over queries and {SLACK} in quadrature.

**belief {rounded[0]:g}, noise {rounded[1]:g}, position {rounded[2]:g}**: loss {fit.loss(best):.1f} at
{shown(best)}; {fit.distance(fresh):.1f} rounded, at fresh seeds. Points tried whose loss is within 2 of the best:
belief {spans[0]}, noise {spans[1]}, position {spans[2]}. A guess made beforehand, {shown(GUESS)}: loss
{fit.loss(GUESS):.1f}. The best with a belief error of {GRID[0][0]:g} or less, where errors are mostly new in every
prompt: {shown(independent)}, loss {fit.loss(independent):.1f}. The last column is the best of the points tried (belief,
noise, position) were that number left out of the loss.

| number | recorded | simulated | difference in errors | best without it |
|---|---|---|---|---|
{rows}
"""


def main() -> None:
    """Fits, prints and writes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recorded", type=Path, default=DATA / "rankvicuna-dl19-bm25.jsonl")
    parser.add_argument("--data", type=Path, default=DATA / "dl19-bm25", help="the collection it was recorded on")
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    if not (options.recorded.exists() and options.data.is_dir()):
        raise SystemExit(f"nothing to fit to: {options.recorded} and {options.data} should both exist")
    started = time.perf_counter()
    fit = Fit(options.recorded, options.data, options.seeds)
    best = fit.search()
    rounded = tuple(round(value, 2) for value in best)
    text = report(fit, best, rounded, options.seeds, time.perf_counter() - started)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "fit.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
