"""RESULTS.md, written from what the rows left in results/."""

import json
import statistics
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from eval.bench.harness import models
from eval.bench.harness.row import Line, Row
from eval.made import made_by

COLUMNS = ("row", "measured", "ours", "peer", "ratio (least–most)", "limit", "within")
THOUSAND, HUNDRED, ONE = 1000, 100, 1


def figure(value: float) -> str:
    """A figure, with three digits or so."""
    size = abs(value)
    if size >= THOUSAND:
        return f"{value:,.0f}"
    return f"{value:.0f}" if size >= HUNDRED else f"{value:.1f}" if size >= 10 * ONE else f"{value:.2f}"


def cells(name: str, line: Line) -> tuple[str, ...]:
    """A line of the table."""
    low, high = line.spread
    ours, theirs = statistics.median(line.ours), statistics.median(line.theirs)
    spread = f" ({low:.2f}–{high:.2f})" if len(line.ours) > 1 else ""
    within = {True: "yes", False: "**no**", None: "–"}[line.within]
    return (
        name, f"{line.what}, {line.unit}", figure(ours), f"{line.peer}: {figure(theirs)}",
        f"{line.ratio:.2f}{spread}", "–" if line.limit is None else str(line.limit), within,
    )  # fmt: skip


def row_of(name: str, line: dict[str, Any]) -> str:
    """A kept line as a row of the table."""
    return _row(cells(name, Line.of(line)))


def markdown(rows: Sequence[Row], results: Path) -> str:
    """The whole page: a table of all that was measured, what was not and why, and how each row was made."""
    kept = {row.name: _read(results / f"{row.name}.json") for row in rows}
    lines = [
        "# As fast as the hardware",
        "",
        made_by("-m eval.bench", seeds=(models.SEED,)),
        *INTRODUCTION,
        "",
        _row(COLUMNS),
        "|---|---|---:|---|---:|---|---|",
    ]
    for name, found in kept.items():
        lines += [row_of(name, line) for line in (found or {}).get("lines", ())]
    lines += ["", "## Not measured", ""]
    lines += [f"- {row.name}, {row.about}: {why}" for row in rows if (why := _missing(kept[row.name])) is not None]
    lines += ["", "## How each was made", ""]
    for row in rows:
        found = kept[row.name]
        if found and found["lines"]:
            lines.append(
                f"- **{row.name}** (item {row.item}), {row.about}. {' '.join([found['made'], *found['notes']])}"
            )
    return "\n".join([*lines, ""])


INTRODUCTION = (
    "A row at a time; every figure is a median over rounds in which ours and the peers took turns, each in a process",
    "of its own. The ratio is the median of the rounds' ratios, ours over the peer's. What each row was made with and",
    "when stands below.",
)


def _missing(found: dict[str, Any] | None) -> str | None:
    """Why a row has no figures; None where it has."""
    if found is None:
        return "not run yet"
    return None if found["lines"] else f"not run: {found['why']}"


def _read(path: Path) -> dict[str, Any] | None:
    if not path.is_file():
        return None
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def _row(given: Iterable[str]) -> str:
    return f"| {' | '.join(given)} |"
