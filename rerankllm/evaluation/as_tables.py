"""A comparison, made into tables and notes for people."""

import math
from collections.abc import Callable, Sequence

from rerankllm.evaluation.comparison import Comparison, Difference
from rerankllm.evaluation.cost import KINDS
from rerankllm.evaluation.pareto import front
from rerankllm.evaluation.systems import JUDGED, System
from rerankllm.evaluation.tables import Table

UNKNOWN = "–"
SMALLEST_P = 0.0001


def tables(comparison: Comparison, axis: str) -> list[Table]:
    """Quality, differences to the baseline and, where any is known, cost.

    Args:
        comparison: What was found.
        axis: The kind of cost that the Pareto front is drawn over.
    """
    found = [_quality(comparison)]
    if comparison.differences:
        found.append(differences(comparison))
    if any(system.cost is not None for system in comparison.systems):
        found.append(_costs(comparison, axis))
    return found


def cheapest_best(comparison: Comparison, axis: str) -> set[str]:
    """Names of the systems on the Pareto front of the first measure over a kind of cost; oracles have none."""
    first = comparison.pool.names[0]
    known = [
        (system.name, (float(spent), comparison.means[system.name, first].mean))
        for system in comparison.systems
        if system.cost is not None and (spent := getattr(system.cost, axis)) is not None
    ]
    return {known[i][0] for i in front([point for _, point in known])}


def usual_axis(systems: Sequence[System]) -> str:
    """Tokens where all that cost anything counted theirs, else slots."""
    known = [system.cost for system in systems if system.cost is not None]
    return "tokens" if all(cost.tokens is not None for cost in known) else "slots"


def notes(comparison: Comparison) -> list[str]:
    """How the numbers came about, and what they cannot say."""
    pool, design, n = comparison.pool, comparison.design, len(comparison.pool.keys)
    sizes = {name: sum(key[0] == name for key in pool.keys) for name in pool.qrels}
    drawn = "queries within their collection" if len(sizes) > 1 else "queries"
    drawn += " and runs" if design.resample_runs else ""
    sizes_shown = ", ".join(f"{name} {size}" for name, size in sizes.items())
    intervals = f"percentile bootstrap over {drawn}, {design.resamples} resamples, seed {design.seed}"
    found = [f"{n} judged queries ({sizes_shown}). [ ]: 95 % interval, {intervals}."]
    unjudged = "+ what it could gain if all that nobody judged were relevant"
    found.append(f"RBP: rank-biased precision, p = .8, relevant from grade {_levels(comparison)}; {unjudged}.")
    if any(system.runs > 1 for system in comparison.systems) and not design.resample_runs:
        found.append("Several runs of a system are averaged query by query first.")
    found += [
        f"{system.name} lacks {n - system.answered:g} of {n} judged queries: they count as 0."
        for system in comparison.systems
        if system.answered < n
    ]
    return found + (_tests(comparison) if comparison.differences else [])


def _tests(comparison: Comparison) -> list[str]:
    design, inside = comparison.design, comparison.tested
    found = ["Nothing was declared to be tested."]
    if inside:
        what = "the randomization test's p" if design.margin is None else "p (TOST)"
        names, measures = (", ".join(dict.fromkeys(getattr(e, of) for e in inside)) for of in ("system", "measure"))
        found = [f"{_correction(comparison)}: {what} adjusted over the family of {len(inside)}: {names} on {measures}."]
    if design.margin is not None:
        found.append(
            f"Equivalence: two one-sided t-tests, margin ±{design.margin:g}; shown where the 90 % interval lies within."
        )
    for measure in dict.fromkeys(each.measure for each in comparison.differences):
        least = [each.detectable for each in inside or comparison.differences if each.measure == measure]
        known = [value for value in least if not math.isnan(value)]
        if known:
            span = f"{min(known):.3f}" if len(known) == 1 else f"{min(known):.3f} to {max(known):.3f}"
            found.append(
                f"Detectable: with {len(comparison.pool.keys)} queries that vary like these, a true difference in "
                f"{measure} of {span} is found 4 times in 5 (80 % power, two-sided .05, paired t)."
            )
    return found


def _quality(comparison: Comparison) -> Table:
    names, n = comparison.pool.names, len(comparison.pool.keys)
    rows = []
    for system in comparison.systems:
        cells = [comparison.means[system.name, measure] for measure in names]
        rows.append(
            (
                system.name if system.runs == 1 else f"{system.name} ({system.runs} runs)",
                *(f"{cell.mean:.4f} [{cell.low:.3f}, {cell.high:.3f}]" for cell in cells),
                f"{system.judged:.3f}",
                f"{system.rbp:.3f} + {system.residual:.3f}",
                f"{system.answered:g}/{n}",
            )
        )
    return Table("Quality", ("system", *names, JUDGED, "RBP", "queries"), tuple(rows))


def differences(comparison: Comparison) -> Table:
    """How each system differs from the baseline: chance, effect size, and what could have been detected."""
    design = comparison.design
    columns: dict[str, Callable[[Difference], str]] = {
        "system": lambda each: each.system,
        "measure": lambda each: each.measure,
        "difference": lambda each: f"{each.estimate.mean:+.4f} [{each.estimate.low:+.3f}, {each.estimate.high:+.3f}]",
    }
    if design.margin is None:
        columns["p (t)"] = lambda each: shown_p(each.student.p)
        columns["p (rand.)"] = lambda each: shown_p(each.fisher)
    else:
        columns["90 % interval"] = _within
        columns["p (TOST)"] = lambda each: shown_p(math.nan if each.equivalence is None else each.equivalence.p)
    columns[_correction(comparison)] = lambda each: UNKNOWN if each.adjusted is None else shown_p(each.adjusted)
    columns["d"] = lambda each: shown_number(each.paired_d, "+.2f")
    columns["W/T/L"] = lambda each: "/".join(map(str, each.record))
    columns["detectable"] = lambda each: shown_number(each.detectable, ".3f")
    rows = tuple(tuple(cell(each) for cell in columns.values()) for each in comparison.differences)
    return Table(f"Differences to {design.baseline}", tuple(columns), rows, words=2)


def _costs(comparison: Comparison, axis: str) -> Table:
    best = cheapest_best(comparison, axis)
    rows = []
    for system in comparison.systems:
        values = [None if system.cost is None else getattr(system.cost, kind) for kind in KINDS]
        shown = [UNKNOWN if value is None else f"{value:.4g}" if value < 1000 else f"{value:.0f}" for value in values]  # noqa: PLR2004
        rows.append((system.name, *shown, "*" if system.name in best else ""))
    return Table("Cost a query (rounds: the longest chain)",
                 ("system", *KINDS, f"best for its {axis}"), tuple(rows))  # fmt: skip


def _correction(comparison: Comparison) -> str:
    return f"p ({comparison.design.correction.capitalize()})"


def _levels(comparison: Comparison) -> str:
    levels = comparison.pool.levels
    if len(set(levels.values())) == 1:
        return str(next(iter(levels.values())))
    return ", ".join(f"{level} in {name}" for name, level in levels.items())


def _within(each: Difference) -> str:
    found = each.equivalence
    return UNKNOWN if found is None or math.isnan(found.low) else f"[{found.low:+.4f}, {found.high:+.4f}]"


def shown_p(value: float) -> str:
    """A p value as it stands in a table."""
    if math.isnan(value):
        return UNKNOWN
    return f"<{SMALLEST_P}" if value < SMALLEST_P else f"{value:.4f}"


def shown_number(value: float, form: str) -> str:
    """A number as it stands in a table."""
    return UNKNOWN if math.isnan(value) else f"{value:{form}}"
