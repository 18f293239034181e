"""What other files of eval/bench measure, as rows: items 1, 2 and 8, and how long an import takes."""

import re
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from eval.bench import import_time, makespan
from eval.bench.harness import models
from eval.bench.harness.measure import ROOT, output, run
from eval.bench.harness.row import Limit, Line, NotHereError, Outcome, Row, Setting
from eval.bench.rows.local import dtype
from eval.tables import parse_tables

BENCH = ROOT / "eval" / "bench"
WITHIN = Limit("≤", 1.0)
CHAINS = "longest chains of calls"
STEP = 5.0
"""Microseconds that a step of a driver may take."""


def api(setting: Setting) -> Outcome:
    """Ours and a bare client, each over the longest chain of calls that it met."""
    lines = list[Line]()
    for shown, sigma in (("200 ms", 0.0), ("lognormal, median 200 ms, σ = .8", 0.8)):
        found = makespan.compared(sigma, 1 if setting.quick else 5, setting.data)
        mine, bare = tuple(found["ours"]), tuple(found["bare client"])
        lines += [
            Line(shown, CHAINS, mine, "the chain itself", (1.0,), Limit("≤", makespan.LIMIT)),
            Line(shown, CHAINS, mine, "bare client", bare),
        ]  # fmt: skip
    return Outcome(lines, packages=("openai",))


def driver(_: Setting) -> Outcome:
    """The table that driver.py prints: a row a strategy and driver."""
    (table, *_) = parse_tables(_said("driver.py"))
    where = table.columns.index("µs a call")
    lines = [
        Line(", ".join(row[:2]), "µs a call", (float(row[where].replace(",", "")),), "asked of a step", (STEP,))
        for row in table.rows
    ]
    return Outcome(lines, ["A call is several steps: admitting, answering, reading, moving the query on."], seeds=(0,))


def prompts(_: Setting) -> Outcome:
    """What prompts.py says for --json: `{"lines": […], "notes": […]}`."""
    found = _json("prompts.py", "--json")
    if not found.get("lines"):
        raise NotHereError("eval/bench/prompts.py --json printed no lines")
    return Outcome([Line.of(line) for line in found["lines"]], found.get("notes", ()))


def memory(setting: Setting) -> Outcome:
    """What memory.py says of each engine: the one figure that speaks of a peak, and the one of weights."""
    engines = ("llamacpp:smollm2", f"hf:{models.smollm2(setting)}?dtype={dtype(setting)}", "embed:minilm")
    lines = list[Line]()
    for engine in engines:
        found = _json("memory.py", engine)
        peak, weights = (_figure(found, word) for word in ("peak", "weight"))
        lines.append(Line(re.sub(r":.*/", ":", engine), "MiB", (peak,), "its weights", (weights,)))
    return Outcome(lines, packages=("torch", "transformers"))


def imported(setting: Setting) -> Outcome:
    """`import rerankllm`, less an empty process."""
    taken = tuple(
        import_time.median_ms("import rerankllm") - import_time.median_ms("pass") for _ in range(setting.rounds)
    )
    return Outcome([Line("import rerankllm", "ms", taken, "asked", (float(import_time.LIMIT_MS),), WITHIN)])


def _figure(found: Mapping[str, Any], word: str) -> float:
    """The value of the one name with `word` in it, in MiB."""
    named = {name: value for name, value in found.items() if word in name and isinstance(value, int | float)}
    named.pop("peak_mib", None) if len(named) > 1 else None  # what the harness itself saw
    if len(named) != 1:
        raise NotHereError(f"eval/bench/memory.py says {len(named)} figures of '{word}'")
    ((name, value),) = named.items()
    return float(value) / (2**20 if name.endswith("bytes") else 1)


def _path(command: str) -> str:
    path = BENCH / command
    if not path.is_file():
        raise NotHereError(f"eval/bench/{command} is not there")
    return str(path)


def _json(command: str, *options: str) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        return run([sys.executable, _path(command), *options], Path(folder) / "stderr")


def _said(command: str) -> str:
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        return output([sys.executable, _path(command)], Path(folder) / "stderr")[0]


ROWS = (
    Row("makespan", 1, "43 queries × sliding 20/10 over an API of 64 slots", 2, api),
    Row("driver", 2, "what the drivers themselves take", 1, driver),
    Row("prompts", 2, "tokens encoded beside tokens sent", 1, prompts),
    Row("memory", 8, "peak memory of each engine beside its weights", 2, memory),
    Row("import", 8, "`import rerankllm` beside nothing", 1, imported),
)
"""Items 1, 2 and 8."""
