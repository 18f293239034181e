"""Which rows are wanted, and what becomes of them."""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from platformdirs import user_cache_path

from eval.bench.harness import table
from eval.bench.harness.row import NotHereError, Outcome, Row, Setting
from eval.made import made_by

HERE = Path(__file__).parents[1]
DATA = HERE.parents[1].parent / "shared" / "data" / "dl19-bm25"
SAMPLE = HERE.parents[1] / "rerankllm" / "sample"


def selected(rows: Sequence[Row], names: Sequence[str]) -> list[Row]:
    """The rows of these names, in their own order; all of them for none.

    Raises:
        SystemExit: There is none of that name.
    """
    unknown = sorted(set(names) - {row.name for row in rows})
    if unknown:
        raise SystemExit(f"no row {', '.join(unknown)}; there are {', '.join(row.name for row in rows)}")
    return [row for row in rows if not names or row.name in names]


def measured(row: Row, setting: Setting) -> dict[str, Any]:
    """What a row gave, ready for its file; where it cannot run here, why."""
    command = f"-m eval.bench {row.name}{' --quick' if setting.quick else ''}"
    command += "" if setting.device == "cpu" else f" --device {setting.device}"
    started = time.monotonic()
    try:
        outcome = row.measure(setting)
    except NotHereError as error:
        return {"row": row.name, "lines": [], "notes": [], "why": str(error), "made": made_by(command)}
    minutes = (time.monotonic() - started) / 60
    made = (
        f"{made_by(command, *outcome.packages, seeds=outcome.seeds)} {datetime.now(UTC):%Y-%m-%d}, {minutes:.1f} min."
    )
    return {"row": row.name, "made": made, **_plain(outcome)}


def _plain(outcome: Outcome) -> dict[str, Any]:
    return {"lines": [line.as_json() for line in outcome.lines], "notes": list(outcome.notes)}


def main(rows: Sequence[Row]) -> None:
    """Measures the rows wanted, one after the other, keeping what each gave, and writes the page."""
    parser = argparse.ArgumentParser(prog="python -m eval.bench", description=__doc__)
    parser.add_argument("rows", nargs="*", metavar="ROW", help="which; all of them where none is named")
    parser.add_argument("--list", action="store_true", help="what rows there are, and stop")
    parser.add_argument("--quick", action="store_true", help="a rehearsal: little, once, kept out of the results")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu", help="what the local rows compute on")
    parser.add_argument(
        "--data", type=Path, default=DATA if DATA.is_dir() else SAMPLE, help="run, queries, corpus, qrels"
    )
    parser.add_argument("--cache", type=Path, default=user_cache_path("rerankllm") / "bench", help="models and peers")
    parser.add_argument("--out", type=Path, default=HERE, help="where RESULTS.md and results/ are")
    given = parser.parse_args()
    chosen = selected(rows, given.rows)
    if given.list:
        for row in chosen:
            print(f"{row.name:<20} item {row.item}, {row.minutes:g} min: {row.about}")
        return
    setting = Setting(given.data.resolve(), given.cache.resolve(), given.quick, given.device)
    for row in chosen:
        print(f"{row.name}: {row.about}", file=sys.stderr, flush=True)
        found = measured(row, setting)
        keep(found, rows, None if given.quick else given.out)
        for line in found["lines"]:
            print(table.row_of(row.name, line), flush=True)
        if not found["lines"]:
            print(f"{row.name}: not run: {found['why']}", flush=True)


def keep(found: dict[str, Any], rows: Sequence[Row], out: Path | None) -> None:
    """Keeps what a row gave, and writes the page anew; a row that could not run leaves what was measured before."""
    if out is None:
        for note in found["notes"]:
            print(f"  {note}", file=sys.stderr)
        return
    kept = out / "results" / f"{found['row']}.json"
    kept.parent.mkdir(parents=True, exist_ok=True)
    if found["lines"] or not kept.is_file():
        kept.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    (out / "RESULTS.md").write_text(table.markdown(rows, kept.parent), encoding="utf-8")
