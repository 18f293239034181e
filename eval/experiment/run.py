"""An experiment of 4 strategies × 2 datasets × 3 models, killed twice on its way, completed, and run once more.

    python eval/experiment/run.py

Needs ../shared/data beside the project. Answers for the strategies nobody recorded are recorded first, of a simulated
judge (record.yaml). Then `rerankllm experiment experiment.yaml` is started and ended with kill -9, once among the
quick models and once inside the embedded one. `Experiment.run` completes it, and is called once more. What the journals
held at each kill is compared with what they hold at the end: a call that was repeated would be there with another
number and another time.

Writes eval/experiment/results.md; everything else goes to eval/experiment/scratch.
"""

import argparse
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from rerankllm import Experiment, __version__
from rerankllm.files import open_for_writing
from rerankllm.formats import recordings
from rerankllm.journal.export import export
from rerankllm.journal.store import Journal

sys.path.insert(0, str(Path(__file__).parents[1]))
from made import made_by

HERE = Path(__file__).parent
WORK = HERE / "scratch"
FOLDER = WORK / "experiment"
PUBLISHED = 0.6682
"""nDCG@10 of RankVicuna on DL19's BM25 candidates, as recorded."""
Calls = dict[str, set[tuple[object, ...]]]


def calls() -> Calls:
    """Every call the journals hold, with its number and its time, by journal."""
    found: Calls = {}
    for path in sorted(FOLDER.glob("runs/*/*/*.journal")):
        database = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=30)
        try:
            rows = database.execute("SELECT key, step, item, id, at FROM calls").fetchall()
        except sqlite3.OperationalError:  # its tables are being made
            rows = []
        finally:
            database.close()
        found[path.relative_to(FOLDER).as_posix()] = set(rows)
    return found


def count(held: Calls) -> int:
    """How many they are."""
    return sum(map(len, held.values()))


def record() -> None:
    """Makes the recordings."""
    experiment = Experiment.load(HERE / "record.yaml", WORK / "record")
    if experiment.run(quiet=True).unfinished:
        sys.exit(f"what is to be recorded is not done: see {experiment.folder}/experiment.json")
    (WORK / "recordings").mkdir()
    for cell in experiment.manifest.cells:
        strategy = cell.system.partition("@")[0]
        journal = Journal(experiment.folder / str(cell.journal), create=False)
        try:
            found = export(journal, __version__)
        finally:
            journal.close()
        with open_for_writing(WORK / "recordings" / f"{cell.dataset}-{strategy}.jsonl") as file:
            recordings.write(file, found.header, found.records)


def until(killed: Callable[[Calls], bool]) -> tuple[Calls, float]:
    """Starts the experiment and kills it as soon as `killed` says so; what its journals held, and after how long."""
    started = time.monotonic()
    command = [sys.executable, "-m", "rerankllm", "experiment", HERE / "experiment.yaml", "--output", FOLDER, "--quiet"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    while process.poll() is None and not killed(calls()):
        time.sleep(0.05)
    process.kill()
    if process.wait() != -signal.SIGKILL:
        sys.exit("it ended before it was killed")
    return calls(), time.monotonic() - started


def complete() -> tuple[int, float, int]:
    """Runs the experiment to its end; cells that are not done then, seconds, and calls made."""
    before, started = count(calls()), time.monotonic()
    results = Experiment.load(HERE / "experiment.yaml", FOLDER).run(quiet=True)
    return len(results.unfinished), time.monotonic() - started, count(calls()) - before


def contents() -> dict[str, bytes]:
    """The runs and the tables."""
    paths = [*FOLDER.glob("runs/*/*/*.txt"), *FOLDER.glob("results.*")]
    return {path.relative_to(FOLDER).as_posix(): path.read_bytes() for path in paths}


def report(kills: list[tuple[Calls, float]], ends: list[tuple[int, float, int]], *, seed: int, same: bool) -> str:
    """The results as they are written."""
    after, held, rows = calls(), 0, []
    for number, (there, took) in enumerate(kills, 1):
        repeated = sum(len(there[name] - after[name]) for name in there)
        rows.append((f"run {number}, kill -9", f"{took:.0f}", held, count(there) - held, repeated, "–"))
        held = count(there)
    for name, (left, took, made) in zip(("completed", "the same again"), ends, strict=True):
        rows.append((f"run {len(rows) + 1}, {name}", f"{took:.0f}", held, made, 0, left))
        held += made
    lines = [
        "# An experiment, killed twice, completed, and run again",
        "",
        made_by("experiment/run.py", "llama-cpp-python", "sentence-transformers", seeds=[seed]),
        "",
        "Recorded answers: of RankVicuna, as published, for `sliding` on DL19; others were exported from a run of a",
        "simulated judge (record.yaml): they show what recordings do, not what a model does. The embedded model reads",
        "4 candidates of 32 tokens.",
        "",
        "| | seconds | calls held before | calls made | held, and made again | cells not done |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
        *(f"| {' | '.join(map(str, row))} |" for row in rows),
        "",
        "Held, and made again: calls in a journal at a kill that are not there unchanged at the end. After the",
        f"last run, runs and tables are {'the same bytes as' if same else 'OTHER than'} before it.",
        "",
        (FOLDER / "results.md").read_text(encoding="utf-8"),
    ]
    return "\n".join(lines)


def main() -> None:
    """Runs it all and writes the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=0, help="Of when it is killed.")
    seed = parser.parse_args().seed
    shutil.rmtree(WORK, ignore_errors=True)
    WORK.mkdir()
    record()
    rng = random.Random(seed)
    early, late = rng.randrange(2000, 6000), rng.randrange(1, 60)
    kills = [
        until(lambda held: count(held) >= early),
        until(lambda held: count({name: rows for name, rows in held.items() if "@embedded" in name}) >= late),
    ]
    done = complete()
    before = contents()
    again = complete()
    same = contents() == before
    (HERE / "results.md").write_text(report(kills, [done, again], seed=seed, same=same), encoding="utf-8")
    rows = Experiment.open(FOLDER).results.rows
    (vicuna,) = (row for row in rows if (row["dataset"], row["system"]) == ("dl19", "sliding@recorded"))
    found = vicuna["measures"]["nDCG@10"]["mean"]
    print(f"RankVicuna on DL19: nDCG@10 {found:.4f}, published {PUBLISHED}")
    if round(found, 4) != PUBLISHED or again != (0, again[1], 0) or not same or done[0]:
        sys.exit("not as it should be: see results.md")


if __name__ == "__main__":
    main()
