"""Rows that other commands of eval/bench measure: items 1, 2 and 8, and how long an import takes."""

import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from eval.bench.harness.measure import ROOT, run
from eval.bench.harness.row import Line, NotHereError, Outcome, Row, Setting

BENCH = ROOT / "eval" / "bench"


def told(command: str, options: Callable[[Setting], tuple[str, ...]], *packages: str) -> Callable[[Setting], Outcome]:
    """A row that a command of eval/bench measures, which prints `{"lines": […], "notes": […]}` for --json.

    Args:
        command: The file.
        options: What it is given besides.
        packages: Whose versions its figures depend on.
    """

    def measure(setting: Setting) -> Outcome:
        path = BENCH / command
        if not path.is_file():
            raise NotHereError(f"eval/bench/{command} is not there")
        with tempfile.TemporaryDirectory(prefix="bench-") as folder:
            found = run([sys.executable, str(path), "--json", *options(setting)], Path(folder) / "stderr")
        return Outcome(_lines(found, command), found.get("notes", ()), packages)

    return measure


def _lines(found: Mapping[str, Any], command: str) -> list[Line]:
    if not found.get("lines"):
        raise NotHereError(f"eval/bench/{command} --json printed no lines")
    return [Line.of(line) for line in found["lines"]]


def _makespan(setting: Setting) -> tuple[str, ...]:
    return ("--runs", str(1 if setting.quick else 5), "--data", str(setting.data))


def _nothing(_: Setting) -> tuple[str, ...]:
    return ()


ROWS = (
    Row(
        "makespan", 1, "43 queries × sliding 20/10 over an API of 64 slots", 2, told("makespan.py", _makespan, "openai")
    ),
    Row("driver", 2, "what the drivers themselves take a call", 1, told("driver.py", _nothing)),
    Row("prompts", 2, "tokens encoded beside tokens sent", 1, told("prompts.py", _nothing)),
    Row("memory", 8, "peak memory of each engine beside its weights", 2, told("memory.py", _nothing)),
    Row("import", 8, "`import rerankllm` beside nothing", 1, told("import_time.py", _nothing)),
)
"""Items 1, 2 and 8."""
