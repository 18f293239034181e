"""What the aggregations take: Newman's sweeps beside Zermelo's, every rule's time, and how good the searches are.

    OPENBLAS_NUM_THREADS=1 python eval/aggregation/run.py

Evidence is drawn from Bradley–Terry or Plackett–Luce models with standard normal log-strengths. Writes results.md.
"""

import argparse
import importlib.metadata
import os
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from rerankllm.aggregation.ballots import Ballots, by_place
from rerankllm.aggregation.best_path import held_karp, insertion_path
from rerankllm.aggregation.bradley_terry import newman
from rerankllm.aggregation.kemeny import Kemeny, disagreements, insertion_search
from rerankllm.aggregation.votes import Vote
from rerankllm.aggregation.zermelo import zermelo
from rerankllm.registry import AGGREGATIONS

Floats = NDArray[np.float64]
T = TypeVar("T")
RESULTS = Path(__file__).parent / "results.md"
COMMAND = "OPENBLAS_NUM_THREADS=1 python eval/aggregation/run.py"
COLUMNS = (
    *("evidence", "n", "Zermelo", "Newman", "ours", "Zermelo : Newman", "Zermelo : ours", "ms Zermelo", "ms ours"),
    "apart at 1e-12",
)
SWEEPS = """Sweeps until no log-strength moves by more than {}, prior {}; medians. Newman is the paper's iteration, one
item at a time; ours moves all items at once and shifts them together, which takes the same operations as a sweep of
Zermelo's. The last column is the largest difference of any log-strength.
"""
SIZES = (20, 50, 100)
PRIOR, LOOSE, TIGHT, BOUND = 1.0, 1e-6, 1e-12, 1_000_000


def all_pairs(chance: np.random.Generator, n: int) -> Floats:
    """All pairs, fractional: each compared once, with a probability."""
    worth = chance.normal(size=n)
    margin = worth[:, None] - worth + (noise := chance.normal(size=(n, n))) - noise.T
    return np.asarray(1 / (1 + np.exp(-margin))) * (1 - np.eye(n))


def few_pairs(chance: np.random.Generator, n: int) -> Floats:
    """Random pairs: six comparisons an item."""
    worth, wins = chance.normal(size=n), np.zeros((n, n))
    for _ in range(3 * n):
        i, j = chance.choice(n, 2, replace=False)
        winner, loser = (i, j) if chance.random() < 1 / (1 + np.exp(worth[j] - worth[i])) else (j, i)
        wins[winner, loser] += 1
    return wins


def blocks(chance: np.random.Generator, n: int) -> Floats:
    """Blocks, as of jointrank: each item in four of ten, ranked."""
    return wins_of(n, orders(chance, n, 10, 4))


def orders(chance: np.random.Generator, n: int, size: int, replicas: int) -> list[Vote]:
    """Plackett–Luce orders of blocks that deal the items out `replicas` times."""
    worth, found = chance.normal(size=n), []
    for _ in range(replicas):
        for dealt in chance.permutation(n).reshape(-1, size):
            ranked = dealt[np.argsort(-(worth[dealt] + chance.gumbel(size=size)))]
            found.append(Vote.of([str(item) for item in ranked]))
    return found


def wins_of(n: int, votes: list[Vote]) -> Floats:
    """The wins in votes on the items 0 to n - 1."""
    return Ballots.of(list(map(str, range(n))), votes).wins()


def one_by_one(wins: Floats, prior: float, tolerance: float, bound: int) -> tuple[Floats, int]:
    """Newman's iteration as the paper has it: one item at a time."""
    strength, sweeps = np.ones(len(wins)), 0
    while sweeps < bound:
        sweeps, before = sweeps + 1, strength.copy()
        for i in range(len(wins)):
            shares = 1 / (strength[i] + strength)
            up = (wins[i] * strength * shares).sum() + prior / (strength[i] + 1)
            strength[i] = up / ((wins[:, i] * shares).sum() + prior / (strength[i] + 1))
        if np.abs(np.log(strength / before)).max() <= tolerance:
            break
    return np.log(strength), sweeps


def sweeps(seeds: int) -> list[str]:
    """Sweeps to the tolerance by each iteration, and how far apart they end when run on."""
    lines = [
        f"| {' | '.join(COLUMNS)} |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for make in (all_pairs, few_pairs, blocks):
        for n in SIZES:
            rows: list[tuple[float, ...]] = []
            for seed in range(seeds):
                wins = make(np.random.default_rng([seed, n]), n)
                slow_ms, (_, slow) = timed(lambda w=wins: zermelo(w, PRIOR, LOOSE, BOUND))
                fast_ms, (_, fast) = timed(lambda w=wins: newman(w, PRIOR, LOOSE, BOUND))
                paper = one_by_one(wins, PRIOR, LOOSE, BOUND)[1]
                apart = np.abs(zermelo(wins, PRIOR, TIGHT, BOUND)[0] - newman(wins, PRIOR, TIGHT, BOUND)[0]).max()
                rows.append((slow, paper, fast, slow / paper, slow / fast, slow_ms, fast_ms, float(apart)))
            *middle, _ = (statistics.median(column) for column in zip(*rows, strict=True))
            shown = [f"{value:.0f}" for value in middle[:3]] + [f"{value:.1f}" for value in middle[3:]]
            worst = max(row[-1] for row in rows)
            lines.append(f"| {(make.__doc__ or '').partition(':')[0]} | {n} | {' | '.join(shown)} | {worst:.0e} |")
            print(lines[-1], flush=True)
    return lines


def speeds() -> list[str]:
    """Milliseconds a query of every rule."""
    chance = np.random.default_rng(0)
    cases = {
        "20 orders of 20": (20, orders(chance, 20, 20, 20)),
        "20 orders of 100": (100, orders(chance, 100, 100, 20)),
        "20 blocks of 20 from 100": (100, orders(chance, 100, 20, 4)),
    }
    lines = [f"| ms a query | {' | '.join(cases)} |", "|---|" + "---:|" * len(cases)]
    for name in AGGREGATIONS:
        rule, row = AGGREGATIONS[name](), []
        for n, votes in cases.values():
            items = list(map(str, range(n)))
            rule.scores(items, votes)
            times = [timed(lambda i=items, v=votes, r=rule: r.scores(i, v))[0] for _ in range(5)]
            row.append(statistics.median(times))
        lines.append(f"| {name} | {' | '.join(f'{value:.2f}' for value in row)} |")
        print(lines[-1], flush=True)
    return lines


def searches(seeds: int) -> list[str]:
    """How much worse than the best the local searches are."""
    lines = ["| search | n | runs at the best | mean excess of cost | ms exact, longest | ms search, longest |"]
    lines += ["|---|---:|---:|---:|---:|---:|"]
    for n in (10, 20, 30, 40):
        rows = []
        for seed in range(seeds):
            wins = wins_of(n, orders(np.random.default_rng([seed, n]), n, n, 5))
            margins = wins - wins.T
            exact_ms, groups = timed(lambda m=margins, n=n: Kemeny(exact=n).groups(m))
            search_ms, order = timed(lambda m=margins: insertion_search(m))
            best = disagreements(wins, by_place(groups, n))
            rows.append((disagreements(wins, by_place([[i] for i in order], n)) / best - 1, exact_ms, search_ms))
        lines.append(excess(f"kemeny, 5 orders | {n}", rows))
        print(lines[-1], flush=True)
    for n in (8, 14):
        rows = []
        for seed in range(seeds):
            shares = all_pairs(np.random.default_rng([seed, n]), n)
            exact_ms, best_path = timed(lambda s=shares: held_karp(s))
            search_ms, path = timed(lambda s=shares: insertion_path(s))
            most, found = (shares[p[:-1], p[1:]].sum() for p in (best_path, path))
            rows.append((1 - found / most, exact_ms, search_ms))
        lines.append(excess(f"best_path, all pairs | {n}", rows))
    return lines


def excess(label: str, rows: list[tuple[float, float, float]]) -> str:
    """One line of the table of searches."""
    worse, exact, search = zip(*rows, strict=True)
    hit = sum(value < 1e-9 for value in worse)  # noqa: PLR2004
    return f"| {label} | {hit} of {len(rows)} | {statistics.mean(worse):.2%} | {max(exact):.1f} | {max(search):.1f} |"


def timed(call: Callable[[], T]) -> tuple[float, T]:
    """Milliseconds of processor time, and what came of it."""
    started = time.process_time()
    found = call()
    return 1000 * (time.process_time() - started), found


def main() -> None:
    """Measures and writes the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=10)
    options = parser.parse_args()
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in ("rerankllm", "numpy", "scipy"))
    found = [
        *("# Aggregations", "", f"Written by `{COMMAND}`, seeds 0 to {options.seeds - 1};"),
        f"{versions}; Python {platform.python_version()}; {os.cpu_count()} cores of {processor()}.",
        *("", SWEEPS.format(f"{LOOSE:g}", f"{PRIOR:g}"), *sweeps(options.seeds)),
        *("", "Processor time, medians of 5; Plackett–Luce votes without scores:", "", *speeds()),
        *("", "Local search beside the exact answer:", "", *searches(options.seeds)),
        *("", f"Load average at the end {os.getloadavg()[0]:.1f}."),
    ]
    RESULTS.write_text("\n".join(found) + "\n")


def processor() -> str:
    """The processor's name."""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor()


if __name__ == "__main__":
    main()
