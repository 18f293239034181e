"""A comparison, made into documents for programs."""

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from rerankllm.evaluation.as_tables import cheapest_best, notes
from rerankllm.evaluation.comparison import Comparison, Difference
from rerankllm.evaluation.cost import KINDS


def document(comparison: Comparison, axis: str) -> dict[str, Any]:
    """All of it, ready for JSON.

    Args:
        comparison: What was found.
        axis: The kind of cost that the Pareto front is drawn over.
    """
    design, pool, best = comparison.design, comparison.pool, cheapest_best(comparison, axis)
    return {
        "collections": {
            name: {"queries": sum(key[0] == name for key in pool.keys), "relevant_from": pool.levels[name]}
            for name in pool.qrels
        },
        "queries": len(pool.keys),
        "measures": pool.names,
        "baseline": design.baseline,
        "tests": [[each.system, each.measure] for each in comparison.tested],
        "correction": design.correction,
        "alternative": "two-sided" if design.margin is None else "equivalence",
        "margin": design.margin,
        "resamples": design.resamples,
        "seed": design.seed,
        "runs_resampled": design.resample_runs,
        "pareto": {"quality": pool.names[0], "cost": axis},
        "systems": [
            {
                "name": system.name,
                "reference": system.reference,
                "runs": system.runs,
                "answered": system.answered,
                "means": {measure: asdict(comparison.means[system.name, measure]) for measure in pool.names},
                "judged_at_10": system.judged,
                "rbp": system.rbp,
                "rbp_residual": system.residual,
                "cost": None if system.cost is None else asdict(system.cost),
                "on_pareto_front": system.name in best,
            }
            for system in comparison.systems
        ],
        "differences": [_difference(each) for each in comparison.differences],
        "notes": notes(comparison),
    }


def flat(comparison: Comparison, axis: str) -> list[dict[str, Any]]:
    """A row for each system and measure, all with the same columns; what does not apply is None."""
    whole = document(comparison, axis)
    found = {(each["system"], each["measure"]): each for each in whole["differences"]}
    rows = []
    for system in whole["systems"]:
        own = {k: v for k, v in system.items() if k not in ("name", "means", "cost")}
        cost = {f"cost_{kind}": (system["cost"] or {}).get(kind) for kind in KINDS}
        for measure, mean in system["means"].items():
            difference = found.get((system["name"], measure), {})
            against = {name: difference.get(name) for name in COLUMNS}
            rows.append({"system": system["name"], "measure": measure, **mean, **own, **cost,
                         "baseline": whole["baseline"], **against})  # fmt: skip
    return rows


def by_query(comparison: Comparison) -> Iterator[dict[str, Any]]:
    """A row for each query, measure and system: its value, and by how much it differs from the baseline's."""
    gaps = {(each.system, each.measure): each.by_query for each in comparison.differences}
    for system in comparison.systems:
        for measure in comparison.pool.names:
            values, gap = system.by_query(measure), gaps.get((system.name, measure))
            for i, (collection, query_id) in enumerate(comparison.pool.keys):
                yield {
                    "collection": collection,
                    "query_id": query_id,
                    "measure": measure,
                    "system": system.name,
                    "value": float(values[i]),
                    "difference": 0.0 if gap is None else float(gap[i]),
                }


COLUMNS = ("difference", "difference_low", "difference_high", "t", "df", "p_t", "p_randomization", "p_adjusted",
           "p_tost", "tost_low", "tost_high", "paired_d", "average_d", "wins", "ties", "losses",
           "detectable")  # fmt: skip
"""What is said of a difference."""


def _difference(each: Difference) -> dict[str, Any]:
    tost, student = each.equivalence, each.student
    bounds = (None, None, None) if tost is None else (tost.p, tost.low, tost.high)
    values = (each.estimate.mean, each.estimate.low, each.estimate.high, student.t, student.freedom, student.p,
              each.fisher, each.adjusted, *bounds, each.paired_d, each.average_d, *each.record,
              each.detectable)  # fmt: skip
    return {"system": each.system, "measure": each.measure, **dict(zip(COLUMNS, values, strict=True))}
