"""Measurements in processes of their own, ours and the peers' in turn."""

import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
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
        environment: Variables that it is given besides ours.
    """

    script: str
    job: Mapping[str, Any]
    python: str = sys.executable
    environment: Mapping[str, str] = field(default_factory=dict)

    def measure(self) -> dict[str, Any]:
        """Does it once in a new process; adds its `peak_mib`.

        Raises:
            NotHereError: It failed; the message has the last line that it said.
        """
        with tempfile.TemporaryDirectory(prefix="bench-") as folder:
            job, said = Path(folder) / "job.json", Path(folder) / "stderr"
            job.write_text(json.dumps(self.job), encoding="utf-8")
            return run([self.python, str(WORKERS / self.script), str(job)], said, self.environment)


def run(command: list[str], said: Path, environment: Mapping[str, str] | None = None) -> dict[str, Any]:
    """The JSON object in the last line that a command prints, with the peak of its memory in MiB.

    Args:
        command: What to run, at the root of the checkout.
        said: Where its standard error goes.
        environment: Variables that it is given besides ours.

    Raises:
        NotHereError: It failed; the message has the last line that it said.
    """
    printed, peak = output(command, said, environment)
    last = (printed.strip().splitlines() or [""])[-1]
    try:
        found = json.loads(last)
    except json.JSONDecodeError:
        found = None
    if not isinstance(found, dict):
        raise NotHereError(f"{Path(command[1]).name} printed no JSON object as its last line: {last[:COMPLAINT]}")
    return {"peak_mib": peak, **found}


def output(command: list[str], said: Path, environment: Mapping[str, str] | None = None) -> tuple[str, float]:
    """What a command prints, and the peak of its memory in MiB; see `run`."""
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    given = {**os.environ, "PYTHONPATH": path, **(environment or {})}
    with said.open("wb") as errors, subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=errors, cwd=ROOT, env=given
    ) as process:  # fmt: skip
        printed = process.stdout.read() if process.stdout else b""
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        last = said.read_text(encoding="utf-8", errors="replace").strip().splitlines() or ["nothing said"]
        raise NotHereError(f"{Path(command[1]).name} failed with {process.returncode}: {last[-1][:COMPLAINT]}")
    return printed.decode(errors="replace"), usage.ru_maxrss / 1024


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
