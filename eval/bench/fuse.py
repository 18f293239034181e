"""How long `rerankllm fuse` takes and what memory, beside ranx, over runs made at random.

    python eval/bench/fuse.py                      # 10 runs of 7,000 queries and 1,000 documents; ranx at a tenth
    python eval/bench/fuse.py --queries 0          # the comparison alone
    python eval/bench/fuse.py --compared 0         # ours alone

The runs lie in a temporary folder (about 3 GB) that is removed at the end. ranx is installed into an environment of its
own, --peer. Both read the runs' files, fuse, and write all documents of every query; ours and theirs alternate, each in
a new process whose seconds and peak memory are taken. Checks that both put the same documents first. Writes
results/fuse.md.
"""

import argparse
import importlib.metadata
import multiprocessing
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import TypeVar

import numpy as np

T = TypeVar("T")
DRAWN = 700
RESULTS = Path(__file__).parent / "results" / "fuse.md"
METHODS = {"rrf": ("rrf", "rrf", "None"), "combsum": ("combsum", "sum", "'min-max'")}
PEER = """
import sys
from ranx import Run, fuse
output, method, norm, *runs = sys.argv[1:]
loaded = [Run.from_file(path, kind="trec") for path in runs]
fuse(loaded, norm=None if norm == "None" else norm.strip("'"), method=method).save(output, kind="trec")
"""


def make_runs(folder: Path, runs: int, queries: int, documents: int, seed: int) -> list[str]:
    """Writes the runs: for each query, noisy views of one pool of thrice as many documents.

    More than 700 queries, which should be a multiple of it, are these again under other ids.
    """
    chance = np.random.default_rng(seed)
    paths = [folder / f"run{i}.txt" for i in range(runs)]
    files = [path.open("w") for path in paths]
    for query in range(min(queries, DRAWN)):
        pool = chance.choice(8_841_823, 3 * documents, replace=False)
        worth = chance.normal(size=len(pool))
        for i, file in enumerate(files):
            scores = worth + chance.normal(size=len(pool))
            best = np.argsort(-scores)[:documents]
            rows = enumerate(zip(pool[best].tolist(), scores[best].tolist(), strict=True), 1)
            file.writelines(f"{query + 1} Q0 {doc} {rank} {score:.6f} system{i}\n" for rank, (doc, score) in rows)
    for file, path in zip(files, paths, strict=True):
        file.close()
        size = path.stat().st_size
        with path.open("ab") as repeated:
            for copy in range(1, queries // DRAWN):
                with path.open("rb") as drawn:
                    left = size
                    while left > 0:  # in pieces: a child starts with its parent's peak memory
                        lines = drawn.readlines(min(left, 1 << 20))
                        left -= sum(map(len, lines))
                        repeated.writelines(b"%d-%s" % (copy, line) for line in lines)
    return [str(path) for path in paths]


def measured(command: list[str]) -> tuple[float, float, float]:
    """Seconds, seconds of processor time, and peak MiB of one command."""
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.perf_counter() - started
    if process.returncode:
        raise SystemExit(f"failed: {' '.join(command[:3])}")
    return seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def apart(work: Callable[..., T], *arguments: object) -> T:
    """Does it in a process of its own: what this one holds would count as the memory of those it starts."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(work, *arguments).result()


def ours(method: str, runs: list[str], output: Path) -> list[str]:
    """Our command."""
    listed = [part for run in runs for part in ("--run", run)]
    return [sys.executable, "-m", "rerankllm", "fuse", *listed, "--method", METHODS[method][0], "-o", str(output)]


def theirs(peer: Path, method: str, runs: list[str], output: Path) -> list[str]:
    """The same by ranx."""
    return [str(peer / "bin" / "python"), "-c", PEER, str(output), *METHODS[method][1:], *runs]


def best_of(path: Path, depth: int = 10) -> Iterator[tuple[str, list[tuple[str, float]]]]:
    """Each query's first documents with the scores written."""
    best: dict[str, list[tuple[str, float]]] = {}
    with path.open() as file:
        for line in file:
            query_id, _, doc_id, _, score, _ = line.split()
            best.setdefault(query_id, []).append((doc_id, float(score)))
    for query_id, found in best.items():
        yield query_id, sorted(found, key=lambda pair: -pair[1])[:depth]


def agreement(one: Path, other: Path) -> float:
    """The mean overlap of the first ten documents."""
    theirs_best = dict(best_of(other))
    shares = [
        len({d for d, _ in found} & {d for d, _ in theirs_best[query_id]}) / len(found)
        for query_id, found in best_of(one)
    ]
    return statistics.mean(shares)


def install(peer: Path) -> str | None:
    """Installs ranx into its own environment; its version, or None where that fails."""
    if not (peer / "bin" / "python").exists():
        subprocess.run([sys.executable, "-m", "venv", str(peer)], check=True)
    done = subprocess.run([str(peer / "bin" / "python"), "-m", "pip", "install", "--quiet", "ranx"], check=False)
    if done.returncode:
        return None
    ask = "import importlib.metadata as m; print(m.version('ranx'), m.version('numpy'), m.version('numba'))"
    return subprocess.check_output([str(peer / "bin" / "python"), "-c", ask], text=True).strip()


def compare(folder: Path, options: argparse.Namespace, peer: str | None) -> list[str]:
    """The table of both at a tenth of the size."""
    queries = options.compared
    runs = apart(make_runs, folder, options.runs, queries, options.documents, options.seed)
    tiny = apart(make_runs, Path(tempfile.mkdtemp(dir=folder)), 2, 3, 10, options.seed)
    lines = ["| method | tool | seconds, median (all) | processor seconds | peak MiB |", "|---|---|---:|---:|---:|"]
    for method in METHODS:
        outputs = {"rerankllm": folder / "ours.txt", "ranx": folder / "theirs.txt"}
        commands = {"rerankllm": ours(method, runs, outputs["rerankllm"])}
        if peer is not None:
            for _ in range(2):  # the first time it may compile
                start = measured(theirs(options.peer, method, tiny, outputs["ranx"]))[1]
            commands["ranx"] = theirs(options.peer, method, runs, outputs["ranx"])
        taken: dict[str, list[tuple[float, float, float]]] = {tool: [] for tool in commands}
        for _ in range(options.repeat):
            for tool, command in commands.items():
                taken[tool].append(measured(command))
                print(method, tool, *taken[tool][-1], flush=True)
        for tool, found in taken.items():
            every = ", ".join(f"{seconds:.1f}" for seconds, _, _ in found)
            seconds, processor_time, peak = (statistics.median(column) for column in zip(*found, strict=True))
            lines.append(f"| {method} | {tool} | {seconds:.1f} ({every}) | {processor_time:.1f} | {peak:.0f} |")
        if peer is not None:
            share = apart(agreement, *outputs.values())
            lines.append(f"| | documents shared by both first tens | {share:.4f} | | |")
            lines.append(f"| | ranx on 3 queries of 10 documents | | {start:.1f} | |")
    return lines


def whole(folder: Path, options: argparse.Namespace) -> list[str]:
    """The table of ours at full size."""
    runs = apart(make_runs, folder, options.runs, options.queries, options.documents, options.seed)
    size = sum(Path(run).stat().st_size for run in runs) / 2**30
    lines = [
        f"{size:.1f} GiB of runs.",
        "",
        "| method | seconds | processor seconds | million lines a processor second | peak MiB |",
        "|---|---:|---:|---:|---:|",
    ]
    for method in METHODS:
        seconds, processor_time, peak = measured(ours(method, runs, folder / "ours.txt"))
        print(method, seconds, processor_time, peak, flush=True)
        rate = options.runs * options.queries * options.documents / processor_time / 1e6
        lines.append(f"| {method} | {seconds:.1f} | {processor_time:.1f} | {rate:.2f} | {peak:.0f} |")
    return lines


def main() -> None:
    """Makes the runs, measures, and writes the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--queries", type=int, default=7000, help="of the full size; 0 leaves it out")
    parser.add_argument("--compared", type=int, default=700, help="queries of the comparison with ranx")
    parser.add_argument("--documents", type=int, default=1000)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--peer", type=Path, default=Path(tempfile.gettempdir()) / "venv-ranx")
    options = parser.parse_args()
    peer = install(options.peer)
    size = f"{options.runs} runs × {{}} queries × {options.documents} documents, all written"
    lines = ["# Fusing runs", "", *circumstances(options, peer)]
    folder = Path(tempfile.mkdtemp(prefix="fuse-"))
    try:
        if options.queries:
            lines += ["", f"{size.format(options.queries)}, once:", "", *whole(folder, options)]
            write(lines)
        if options.compared:
            lines += ["", f"{size.format(options.compared)}, alternating:", "", *compare(folder, options, peer)]
            write(lines)
    finally:
        shutil.rmtree(folder)


def circumstances(options: argparse.Namespace, peer: str | None) -> list[str]:
    """What produced the results, and where."""
    version = importlib.metadata.version("rerankllm")
    beside = f"ranx, numpy, numba {peer}" if peer else "ranx could not be installed"
    python = platform.python_version()
    return [
        f"Written by `python eval/bench/fuse.py --compared {options.compared} --repeat {options.repeat}`,",
        f"seed {options.seed}; rerankllm {version}, numpy {np.__version__}, Python {python}; {beside};",
        f"{os.cpu_count()} cores of {processor()}.",
    ]


def write(lines: list[str]) -> None:
    """Writes what there is."""
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text("\n".join([*lines, "", f"Load average at the end {os.getloadavg()[0]:.1f}."]) + "\n")


def processor() -> str:
    """The processor's name."""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor()


if __name__ == "__main__":
    main()
