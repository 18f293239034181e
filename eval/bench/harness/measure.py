"""Measurements in processes of their own, ours and the peers' in turn."""

import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from eval.bench.harness.row import NotHereError

T = TypeVar("T")
ROOT = Path(__file__).parents[3]
WORKERS = Path(__file__).parents[1] / "workers"
COMPLAINT = 300


@dataclass(frozen=True, slots=True)
class Worker:
    """A script that does one measurement: reads a job's file, prints one JSON object as its last line.

    Attributes:
        script: Its name in workers/.
        job: What it is to do.
        python: The interpreter of its environment.
    """

    script: str
    job: Mapping[str, Any]
    python: str = sys.executable

    def measure(self) -> dict[str, Any]:
        """Does it once in a new process; adds its `peak_mib`.

        Raises:
            NotHereError: It failed; the message has the last line that it said.
        """
        with tempfile.TemporaryDirectory(prefix="bench-") as folder:
            job, said = Path(folder) / "job.json", Path(folder) / "stderr"
            job.write_text(json.dumps(self.job), encoding="utf-8")
            return run([self.python, str(WORKERS / self.script), str(job)], said)


def run(command: list[str], said: Path) -> dict[str, Any]:
    """The JSON object in the last line that a command prints, with the peak of its memory in MiB.

    Raises:
        NotHereError: It failed.
    """
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    with said.open("wb") as errors, subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=errors, cwd=ROOT, env=os.environ | {"PYTHONPATH": path}
    ) as process:  # fmt: skip
        printed = process.stdout.read() if process.stdout else b""
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    lines = printed.decode(errors="replace").strip().splitlines()
    if process.returncode or not lines:
        last = said.read_text(encoding="utf-8", errors="replace").strip().splitlines() or ["nothing said"]
        raise NotHereError(f"{' '.join(command[1:2])} failed with {process.returncode}: {last[-1][:COMPLAINT]}")
    try:
        found = json.loads(lines[-1])
    except json.JSONDecodeError:
        raise NotHereError(f"{command[1]} printed no JSON as its last line: {lines[-1][:COMPLAINT]}") from None
    return {**found, "peak_mib": usage.ru_maxrss / 1024}


def apart(work: Callable[..., T], *arguments: object) -> T:
    """Does it in a process of its own: what this one held at its peak would count for every process it starts."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(work, *arguments).result()


def in_turn(workers: Mapping[str, Worker], rounds: int) -> dict[str, list[dict[str, Any]]]:
    """What each worker measured in each round; in every round each of them once, the order turned every time."""
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in workers}
    for number in range(rounds):
        names = list(workers) if number % 2 == 0 else list(reversed(workers))
        for name in names:
            found[name].append(workers[name].measure())
            said = {key: value for key, value in found[name][-1].items() if isinstance(value, int | float)}
            print(f"  {name}: {json.dumps(said)}", file=sys.stderr, flush=True)
    return found


def column(found: list[dict[str, Any]], *names: str) -> tuple[float, ...]:
    """One figure of every round; with two names the first over the second."""
    first, *second = names
    return tuple(one[first] / (one[second[0]] if second else 1) for one in found)
