"""Runs of a million rows: item 6."""

import json
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from eval.bench import fuse
from eval.bench.harness.measure import Worker, column, in_turn, run
from eval.bench.harness.peers import python_of
from eval.bench.harness.row import Limit, Line, NotHereError, Outcome, Row, Setting

QUERIES, TENTH = 10_000, 1_000
BOUNDED, NO_SLOWER = Limit("≤", 1.5), Limit("≥", 1.0)
RANX, PANDAS = "ranx", "pandas"
TIMED = """
import json, subprocess, sys, time
started = time.perf_counter()
done = subprocess.run(sys.argv[1:], check=True, stdout=subprocess.PIPE, text=True)
print(json.dumps({"seconds": time.perf_counter() - started, "said": done.stdout}))
"""


@contextmanager
def collections(setting: Setting, *sizes: int) -> Iterator[list[Path]]:
    """Folders of collections of so many queries; removed at the end."""
    with tempfile.TemporaryDirectory(prefix="bench-") as work:
        folders = [Path(work) / str(size) for size in sizes]
        for folder, size in zip(folders, sizes, strict=True):
            folder.mkdir()
            Worker("bigdata.py", {"folder": str(folder), "queries": size // (10 if setting.quick else 1)}).measure()
        yield folders


def command(*given: str, folder: Path) -> dict[str, Any]:
    """One of our commands: seconds, peak memory and what it said."""
    return run([sys.executable, "-c", TIMED, sys.executable, "-m", "rerankllm", *given], folder / "stderr")


def rerank(setting: Setting) -> Outcome:
    """The oracle over a tenth of it and over all of it."""
    with collections(setting, TENTH, QUERIES) as folders:
        found = [_reranked(folder) for folder in folders]
    (less,), (all_of_it,) = ([one] for one in found)
    peaks = [one["peak_mib"] for one in found]
    lines = [
        Line("peak memory", "MiB", (peaks[1],), "a tenth of the run", (peaks[0],), BOUNDED),
        Line("speed", "rows/s", (all_of_it["rows"] / all_of_it["seconds"],), "a tenth of the run",
             (less["rows"] / less["seconds"],)),
    ]  # fmt: skip
    return Outcome(lines, [f"{all_of_it['rows']:,} rows in {all_of_it['seconds']:.0f} s, once."], seeds=(1,))


def _reranked(folder: Path) -> dict[str, Any]:
    files = {option: str(folder / name) for option, name in
             {"--run": "run.txt", "--queries": "queries.tsv", "--corpus": "corpus.jsonl", "--qrels": "qrels.txt",
              "--output": "reranked.txt"}.items()}  # fmt: skip
    given = [part for pair in files.items() for part in pair]
    found = command("rerank", *given, "--model", f"oracle:{files['--qrels']}", "--strategy", "pointwise", folder=folder)
    with Path(files["--output"]).open("rb") as file:
        return {**found, "rows": sum(1 for _ in file)}


def runs(setting: Setting) -> Outcome:
    """Reading and writing."""
    with collections(setting, QUERIES, 10) as (folder, small):
        job = {"run": str(folder / "run.txt"), "qrels": str(folder / "qrels.txt"), "output": str(folder / "again.txt"),
               "small": [str(small / "run.txt"), str(small / "qrels.txt")]}  # fmt: skip
        workers, notes = {"ours": Worker("runs_ours.py", job)}, list[str]()
        for peer in (PANDAS, RANX):
            try:
                workers[peer] = Worker(f"runs_{peer}.py", job, python_of(peer, setting))
            except NotHereError as error:
                notes.append(f"Without {peer}: {error}.")
        found = in_turn(workers, setting.rounds)
    mine = found.pop("ours")
    lines = [
        Line(what, "rows/s", column(mine, "rows", what), peer, column(theirs, "rows", what), NO_SLOWER)
        for what in ("read", "write")
        for peer, theirs in found.items()
    ]
    lines += [
        Line("peak memory", "MiB", column(mine, "peak_mib"), peer, column(theirs, "peak_mib"))
        for peer, theirs in found.items()
    ]
    return Outcome(lines, notes + _versions(found.values()), ("numpy",), seeds=(1,))


def evaluate(setting: Setting) -> Outcome:
    """`eval` on a million rows, and its memory beside a tenth of them."""
    with collections(setting, QUERIES, TENTH, 10) as (folder, tenth, small):
        job = {"run": str(folder / "run.txt"), "qrels": str(folder / "qrels.txt"), "output": str(folder / "again.txt"),
               "small": [str(small / "run.txt"), str(small / "qrels.txt")]}  # fmt: skip
        ranx = Worker("runs_ranx.py", job, python_of(RANX, setting))
        mine, theirs = list[dict[str, Any]](), list[dict[str, Any]]()
        for _ in range(setting.rounds):
            mine.append(_evaluated(folder))
            theirs.append(ranx.measure())
        less = _evaluated(tenth)
    value = json.loads(mine[0]["said"])[0]["mean"]["nDCG@10"]
    lines = [
        Line("seconds, ours the whole command", "s", column(mine, "seconds"), RANX, column(theirs, "eval"),
             Limit("≤", 1.0)),
        Line("peak memory", "MiB", column(mine, "peak_mib"), RANX, column(theirs, "peak_mib")),
        Line("peak memory", "MiB", column(mine, "peak_mib")[:1], "a tenth of the run", (less["peak_mib"],), BOUNDED),
    ]  # fmt: skip
    notes = [f"nDCG@10 {value:.4f}, by ranx {theirs[0]['ndcg']:.4f} (its ties and gains are its own)."]
    return Outcome(lines, notes + _versions([theirs]), ("ir-measures",), seeds=(1,))


def _evaluated(folder: Path) -> dict[str, Any]:
    return command(
        "eval", "--run", str(folder / "run.txt"), "--qrels", str(folder / "qrels.txt"), "--json", folder=folder
    )


def fused(setting: Setting) -> Outcome:
    """Two runs of a million rows, and ranx on the same."""
    peer, queries = Path(python_of(RANX, setting)).parents[1], QUERIES // (20 if setting.quick else 1)
    with tempfile.TemporaryDirectory(prefix="bench-") as work:
        folder = Path(work)
        files = fuse.apart(fuse.make_runs, folder, 2, queries // fuse.DRAWN * fuse.DRAWN or queries, 100, 1)
        tiny = Path(tempfile.mkdtemp(dir=folder))
        fuse.measured(fuse.theirs(peer, "rrf", fuse.apart(fuse.make_runs, tiny, 2, 3, 10, 1), folder / "theirs.txt"))
        mine, theirs = list[tuple[float, float, float]](), list[tuple[float, float, float]]()
        for _ in range(setting.rounds):
            mine.append(fuse.measured(fuse.ours("rrf", files, folder / "ours.txt")))
            theirs.append(fuse.measured(fuse.theirs(peer, "rrf", files, folder / "theirs.txt")))
        shared = fuse.apart(fuse.agreement, folder / "ours.txt", folder / "theirs.txt")
    columns = [tuple(zip(*found, strict=True)) for found in (mine, theirs)]
    lines = [
        Line("reciprocal rank fusion", "s", columns[0][0], RANX, columns[1][0], Limit("≤", 1.0)),
        Line("peak memory", "MiB", columns[0][2], RANX, columns[1][2]),
    ]
    return Outcome(lines, [f"The first ten documents agree by {shared:.4f}."], ("numpy",), seeds=(1,))


def _versions(found: "Sequence[list[dict[str, Any]]] | Any") -> list[str]:
    return [f"{one[0]['versions']}." for one in found if "versions" in one[0]]


ROWS = (
    Row("rerank-million", 6, "`rerank` with the oracle, 10,000 queries × 100", 3, rerank),
    Row("runs", 6, "reading and writing a run of a million rows", 2, runs),
    Row("eval", 6, "`eval` of a run of a million rows", 2, evaluate),
    Row("fuse", 6, "`fuse` of two runs of a million rows", 2, fused),
)
"""Item 6."""
