"""What other files of eval/bench measure, as rows: items 1, 2, 7 and 8, and how long an import takes."""

import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from eval.bench import import_time
from eval.bench.harness import models
from eval.bench.harness.measure import ROOT, column, output, run
from eval.bench.harness.peers import environment_of, python_of
from eval.bench.harness.row import Limit, Line, NotHereError, Outcome, Row, Setting
from eval.bench.rows.local import VLLM_CACHE, VLLM_CONTEXT, dtype
from eval.tables import Table, parse_tables, read_tables

BENCH = ROOT / "eval" / "bench"
WITHIN = Limit("≤", 1.0)
CHAINS = "longest chains of calls"
ENCODED, CALL, WINDOW = Limit("≤", 1.05), 12.0, 60.0
"""Tokens encoded over tokens sent; microseconds that a driver may take a call, and a window of 20."""
ASKED = {"pointwise": (CALL, WITHIN), "sliding": (WINDOW, WITHIN)}
SERVED, SERVED_WITHIN = 250.0, 300.0
"""Requests a second before the server was looked at; milliseconds in which 99 of 100 are to be answered."""


def api(setting: Setting) -> Outcome:
    """Ours and a bare client, each over the longest chain of calls that it met."""
    from eval.bench import makespan  # noqa: PLC0415 - it changes sys.path

    lines = list[Line]()
    for shown, host in makespan.HOSTS.items():
        found = makespan.compared(*host, 1 if setting.quick else 5, setting.data)
        mine, bare = tuple(found["ours"]), tuple(found["bare client"])
        lines += [
            Line(shown, CHAINS, mine, "the chain itself", (1.0,), Limit("≤", makespan.LIMIT)),
            Line(shown, CHAINS, mine, "bare client", bare),
        ]  # fmt: skip
    return Outcome(lines, packages=("openai",))


def driver(_: Setting) -> Outcome:
    """The table that driver.py prints: a row a strategy and driver."""
    (table, *_) = parse_tables(_said("driver.py"))
    where = _column(table, "µs a call", "driver.py")
    lines = list[Line]()
    for row in table.rows:
        asked, limit = ASKED.get(row[0], (CALL, None))
        lines.append(Line(", ".join(row[:2]), "µs a call", (_number(row[where]),), "asked", (asked,), limit))
    said = "A call of `sliding` is a window of 20; of `prp`, a third is the sort itself, a comparison at a time."
    return Outcome(lines, [said], seeds=(0,))


def server(setting: Setting) -> Outcome:
    """What eval/server/run.py measures without hang-ups: 64 clients that stay connected, each answer checked."""
    command = [sys.executable, str(ROOT / "eval" / "server" / "run.py"), "--json", "--seconds"]
    found = list[dict[str, Any]]()
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        for _ in range(setting.rounds):
            found.append(run([*command, "3" if setting.quick else "20"], Path(folder) / "stderr"))
    lines = [
        Line("requests", "a second", column(found, "a_second"), "as it was", (SERVED,), Limit("≥", 2.0)),
        Line("p99", "ms", column(found, "p99"), "asked", (SERVED_WITHIN,), WITHIN),
        Line("the server's CPU", "ms a request", column(found, "cpu_ms"), "of one core", (1000 / (2 * SERVED),)),
    ]
    return Outcome(
        lines,
        ["64 clients in a process of their own, lists of 20, an engine that takes 2 ms a batch."],
        ("fastapi", "uvicorn", "h11"),
        tuple(range(64)),
    )


def prompts(_: Setting) -> Outcome:
    """The table that prompts.py leaves: of each tokenizer and length of passages the strategy that does worst."""
    _said("prompts.py")
    (table, *_) = read_tables(BENCH / "results" / "prompts.md")
    sent, encoded = (_column(table, name, "prompts.py") for name in ("tokens sent", "encoded"))
    lines = dict[str, Line]()
    for row in table.rows:
        one = Line(f"{row[0]}, {row[1]} passages: {row[2]}", "tokens encoded", (_number(row[encoded]),), "sent",
                   (_number(row[sent]),), ENCODED)  # fmt: skip
        group = one.what.partition(":")[0]
        lines[group] = max(one, lines.get(group, one), key=lambda line: line.ratio)
    return Outcome(list(lines.values()), ["Of the strategies the one that does worst."], ("transformers", "tokenizers"))


def memory(setting: Setting) -> Outcome:
    """What memory.py says of each engine; ours is the whole process, interpreter and torch included."""
    folder, kind = models.smollm2(setting), dtype(setting)
    engines = {"llamacpp:smollm2": "llamacpp:smollm2", "embed:minilm": "embed:minilm",
               "cross-encoder:MiniLM": f"cross-encoder:{models.cross_encoder(setting)}",
               f"hf:SmolLM2, {kind}": f"hf:{folder}?dtype={kind}"}  # fmt: skip
    found, notes = {name: _json("memory.py", model) for name, model in engines.items()}, list[str]()
    try:
        found[f"vllm:SmolLM2, {kind}, {VLLM_CACHE >> 20} MiB of them its cache"] = _json(
            "memory.py",
            f"vllm:{folder}?dtype={kind}&max_model_len={VLLM_CONTEXT}&kv_cache_memory_bytes={VLLM_CACHE}",
            python=python_of("vllm", setting),
            environment=environment_of("vllm"),
        )
    except NotHereError as error:
        notes.append(f"Without vLLM: {error}.")
    if any(not {"peak", "weights"} <= set(one) for one in found.values()):
        raise NotHereError("eval/bench/memory.py says no `peak` or no `weights`")
    lines = [Line(name, "MiB", (one["peak"],), "its weights", (one["weights"],)) for name, one in found.items()]
    return Outcome(lines, notes, ("torch", "transformers"))


def imported(setting: Setting) -> Outcome:
    """`import rerankllm`, less an empty process."""
    taken = tuple(
        import_time.median_ms("import rerankllm") - import_time.median_ms("pass") for _ in range(setting.rounds)
    )
    return Outcome([Line("import rerankllm", "ms", taken, "asked", (float(import_time.LIMIT_MS),), WITHIN)])


def _column(table: Table, name: str, command: str) -> int:
    """Which of a table's columns has this name."""
    if name not in table.columns:
        raise NotHereError(f"eval/bench/{command} prints no column '{name}'")
    return table.columns.index(name)


def _number(cell: str) -> float:
    return float(cell.replace(",", ""))


def _path(command: str) -> str:
    path = BENCH / command
    if not path.is_file():
        raise NotHereError(f"eval/bench/{command} is not there")
    return str(path)


def _json(
    command: str, *options: str, python: str = sys.executable, environment: Mapping[str, str] | None = None
) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        return run([python, _path(command), *options], Path(folder) / "stderr", environment)


def _said(command: str) -> str:
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        return output([sys.executable, _path(command)], Path(folder) / "stderr")[0]


ROWS = (
    Row("makespan", 1, "43 queries × sliding 20/10 over an API of 64 slots", 2, api),
    Row("driver", 2, "what the drivers themselves take", 1, driver),
    Row("server", 7, "`rerankllm serve`'s app under 64 clients", 2, server),
    Row("prompts", 2, "tokens encoded beside tokens sent", 1, prompts),
    Row("memory", 8, "peak memory of each engine beside its weights", 2, memory),
    Row("import", 8, "`import rerankllm` beside nothing", 1, imported),
)
"""Items 1, 2, 7 and 8."""
