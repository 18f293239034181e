"""The table of an experiment: one row for each system on each first stage of each dataset."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rerankllm.evaluation.as_tables import UNKNOWN, shown_p
from rerankllm.evaluation.comparison import Comparison, Difference
from rerankllm.evaluation.cost import KINDS
from rerankllm.evaluation.multiplicity import CORRECTIONS
from rerankllm.evaluation.tables import Table, as_markdown
from rerankllm.experiments.folder import Cell, System

VERSION = 1
UNSHOWN = "seconds"
"""The cost that differs at each measurement: results.md leaves it out, so that it changes only if results do."""


@dataclass(frozen=True)
class Group:
    """The systems on one first stage of one dataset.

    Attributes:
        dataset: Its name.
        first_stage: Its name; the baseline.
        comparison: Of all that ranked something.
        cells: Of every system.
        notes: What else the reader should know.
    """

    dataset: str
    first_stage: str
    comparison: Comparison
    cells: Mapping[str, Sequence[Cell]]
    notes: tuple[str, ...] = ()


def document(groups: Sequence[Group], systems: Mapping[str, System], measures: Sequence[str]) -> dict[str, Any]:
    """The table as results.json holds it.

    Args:
        groups: What was found.
        systems: What ran.
        measures: As they were asked for; collections may count other grades as relevant.
    """
    tests = [(i, each) for i, group in enumerate(groups) for each in group.comparison.tested]
    adjusted = CORRECTIONS["holm"]([each.fisher for _, each in tests])
    holm = {(i, each.system, each.measure): p for (i, each), p in zip(tests, adjusted, strict=True)}
    rows = [
        row
        for i, group in enumerate(groups)
        for row in _rows(group, systems, measures, lambda *key, i=i: holm.get((i, *key)))
    ]
    return {
        "version": VERSION,
        "measures": list(measures),
        "baseline": "the first stage of each",
        "tests": len(tests),
        "correction": "holm",
        "resamples": groups[0].comparison.design.resamples,
        "seed": groups[0].comparison.design.seed,
        "rows": rows,
        "notes": _notes(groups, len(tests)),
    }  # fmt: skip


def _rows(group: Group, systems: Mapping[str, System], measures: Sequence[str], holm: Any) -> Iterable[dict[str, Any]]:
    """The rows of one group: the first stage, the systems in their order, then the references."""
    comparison = group.comparison
    found = {each.name: each for each in comparison.systems}
    gaps = {(each.system, each.measure): each for each in comparison.differences}
    names = [*(name for name in found if found[name].reference), *group.cells]
    names.sort(key=lambda name: 0 if name == comparison.design.baseline else 1 if name in group.cells else 2)
    for name in names:
        cells, ranked = group.cells.get(name, ()), found.get(name)
        yield {
            "dataset": group.dataset,
            "first_stage": group.first_stage,
            "system": name,
            "strategy": systems[name].strategy if name in systems else None,
            "model": systems[name].model if name in systems else None,
            "reference": not cells,
            "status": _status(cells),
            "seeds": [cell.seed for cell in cells if cell.status in {"done", "partial"}],
            "seeds_asked": len(cells),
            "queries": len(comparison.pool.keys),
            "answered": 0.0 if ranked is None else ranked.answered,
            "judged_at_10": None if ranked is None else ranked.judged,
            "measures": {
                asked: None if ranked is None else {
                    **asdict(comparison.means[name, own]),
                    **_against(gaps.get((name, own)), holm(name, own)),
                }
                for asked, own in zip(measures, comparison.pool.names, strict=True)
            },
            "cost": None if ranked is None or ranked.cost is None else asdict(ranked.cost),
        }  # fmt: skip


def _against(gap: Difference | None, holm: float | None) -> dict[str, Any]:
    """The difference to the first stage, as a row has it."""
    if gap is None:
        return dict.fromkeys(("difference", "difference_low", "difference_high", "p", "p_holm"))
    return {
        "difference": gap.estimate.mean,
        "difference_low": gap.estimate.low,
        "difference_high": gap.estimate.high,
        "p": gap.fisher,
        "p_holm": holm,
    }


def _status(cells: Sequence[Cell]) -> str:
    """The worst status of a row's cells; done for rows without cells."""
    worst = ("failed", "missing", "partial")
    return next((status for status in worst if any(cell.status == status for cell in cells)), "done")


def _notes(groups: Sequence[Group], tests: int) -> list[str]:
    pools = {group.dataset: group.comparison.pool for group in groups}
    design = groups[0].comparison.design
    sizes = ", ".join(f"{name} {len(pool.keys)}" for name, pool in pools.items())
    levels = ", ".join(f"{next(iter(pool.levels.values()))} in {name}" for name, pool in pools.items())
    found = [
        f"Judged queries: {sizes}; binary measures count grades from {levels}.",
        "A query that was not ranked counts as 0; `ranked`: how many were. Seeds are averaged query by query first.",
        f"[ ]: 95 % interval, percentile bootstrap over queries, {design.resamples} resamples, seed {design.seed}.",
        f"Δ: difference to the first stage; p: randomization test, Holm over the {tests} tests of this table.",
        "References (first stage, MiniLM, oracle) are not tested.",
        "Cost is of one query in the mean, rounds the longest chain. Seconds are in results.json.",
    ]
    found += [note for group in groups for note in group.notes]
    for group in groups:
        for cells in group.cells.values():
            found += [
                f"{cell.system} on {cell.dataset}, {cell.first_stage}, seed {cell.seed}: {cell.status}"
                + (f" ({cell.reason})" if cell.reason else "")
                for cell in cells
                if cell.status != "done"
            ]
    return list(dict.fromkeys(found))


def flat(results: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The rows without anything nested, all with the same columns."""
    found = []
    for row in results["rows"]:
        values = {
            (measure if name == "mean" else f"{measure}_{name}"): (row["measures"][measure] or {}).get(name)
            for measure in results["measures"]
            for name in ("mean", "low", "high", *_against(None, None))
        }
        cost = {f"cost_{kind}": (row["cost"] or {}).get(kind) for kind in KINDS}
        plain = {key: value for key, value in row.items() if key not in {"measures", "cost"}}
        found.append({**plain, "seeds": " ".join(map(str, row["seeds"])), **values, **cost})
    return found


def markdown(results: Mapping[str, Any]) -> str:
    """One table and its notes; the same bytes for the same results."""
    kinds = [kind for kind in KINDS if kind != UNSHOWN]
    head = ["dataset", "first stage", "system", "ranked"]
    for measure in results["measures"]:
        head += [measure, "Δ", "p"]
    rows = []
    for row in results["rows"]:
        cells = [row["dataset"], row["first_stage"], f"{row['system']}{_seeds(row)}", _ranked(row)]
        for measure in results["measures"]:
            cells += _shown(row["measures"][measure])
        cells += [_amount((row["cost"] or {}).get(kind)) for kind in kinds]
        rows.append(tuple(cells))
    table = Table("Results", (*head, *kinds), tuple(rows), words=3)
    return as_markdown([table], results["notes"]) + "\n"


def _seeds(row: Mapping[str, Any]) -> str:
    found, asked = len(row["seeds"]), row["seeds_asked"]
    if asked < 2:  # noqa: PLR2004
        return ""
    return f" ({asked} seeds)" if found == asked else f" ({found} of {asked} seeds)"


def _ranked(row: Mapping[str, Any]) -> str:
    whole = f"{row['answered']:g}/{row['queries']}"
    return row["status"] if row["status"] in {"failed", "missing"} and not row["answered"] else whole


def _shown(value: Mapping[str, Any] | None) -> list[str]:
    if value is None:
        return [UNKNOWN] * 3
    gap, p = value["difference"], value["p_holm"]
    return [
        f"{value['mean']:.4f} [{value['low']:.3f}, {value['high']:.3f}]",
        UNKNOWN if gap is None else f"{gap:+.4f}",
        UNKNOWN if p is None else shown_p(p),
    ]


def _amount(value: float | None) -> str:
    if value is None:
        return UNKNOWN
    return f"{value:.4g}" if value < 1000 else f"{value:.0f}"  # noqa: PLR2004
