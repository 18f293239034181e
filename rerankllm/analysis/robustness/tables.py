"""The robustness of a system as tables and notes for people."""

import math
from collections.abc import Mapping

from rerankllm.analysis.robustness.results import Agreement, Order, Robustness, Variation
from rerankllm.evaluation.as_tables import UNKNOWN
from rerankllm.evaluation.comparison import Estimate
from rerankllm.evaluation.cost import Cost
from rerankllm.evaluation.tables import Table

NAMED = 5
"""Missing queries that are named; the rest are counted."""


def tables(found: Robustness, costs: Mapping[str, Cost | None] | None = None) -> list[Table]:
    """Each order, how far their rankings agree, and how quality varies.

    Args:
        found: What was found.
        costs: What a query cost, by order, where that is known.
    """
    shown = [_orders(found, costs or {})]
    if found.families:
        head = ("orders", "Kendall's τ", f"top {found.settings.depth}", "RBO", "documents", "queries")
        shown.append(Table("Agreement of the rankings", head, tuple(map(_agreement, found.families))))
    varied = [(what, each) for what, each in (("same candidates", found.same), ("first stages", found.stages)) if each]
    if varied:
        head = ("over", "orders", "range of means", "mean range", "mean SD", f"range > {found.settings.notable:g}")
        shown.append(Table(f"Spread of {found.settings.measure}", head, tuple(_variation(*row) for row in varied)))
    return shown


def notes(found: Robustness) -> list[str]:
    """How to read the numbers, how they were computed, and which queries are missing."""
    settings = found.settings
    drawn = f"percentile bootstrap over queries, {settings.resamples} resamples, seed {settings.seed}"
    said = [
        "Where the order of the same candidates does not matter, τ, overlap and RBO are 1 and every range is 0.",
        f"[ ]: 95 % interval, {drawn}. RBO: p = {settings.persistence:g}, extrapolated.",
    ]
    if any(order.kept is not None for order in found.orders):
        said.append("kept: τ of what went in with what came out; 1 in every order is a judge that repeats its input.")
    averaged = {
        family: [order.name for order in found.orders if order.family == family]
        for family in dict.fromkeys(order.family for order in found.orders)
    }
    said += [
        f"{family}: {', '.join(names)}, averaged query by query." for family, names in averaged.items() if names[1:]
    ]
    if found.judged is not None and found.judged < len(found.by_query):
        said.append(
            f"{found.judged} of {len(found.by_query)} queries have judgements: quality and spread are of those."
        )
    return said + [_missing(order) for order in found.orders if order.missing]


def _missing(order: Order) -> str:
    named = ", ".join(order.missing[:NAMED]) + (" …" if len(order.missing) > NAMED else "")
    return (
        f"{order.name} lacks {len(order.missing)} queries ({named}): they count as 0 in its mean, and are left out of "
        "agreement and spread."
    )


def _orders(found: Robustness, costs: Mapping[str, Cost | None]) -> Table:
    columns = ["order", "queries"]
    judged = found.judged is not None
    known = any(cost is not None for cost in costs.values())
    columns += [found.settings.measure] if judged else []
    columns += ["kept", *(["calls", "slots", "tokens"] if known else [])]
    rows = []
    for order in found.orders:
        cost = costs.get(order.name) or Cost()
        cells = [order.name, f"{order.queries}/{order.queries + len(order.missing)}"]
        cells += [_interval(order.quality, 4)] if judged else []
        cells += [_interval(order.kept, 3, "+")]
        cells += [_number(value, ".4g") for value in (cost.calls, cost.slots, cost.tokens)] if known else []
        rows.append(tuple(cells))
    return Table(f"Orders{' (cost of a query)' if known else ''}", tuple(columns), tuple(rows))


def _agreement(each: Agreement) -> tuple[str, ...]:
    between = f"{each.first}, {each.second}" if each.first != each.second else f"{each.first}, each other"
    rest = (_number(each.overlap, ".3f"), _number(each.rbo, ".3f"), _number(each.documents, ".4g"))
    return between, _interval(each.tau, 3), *rest, str(each.queries)


def _variation(what: str, each: Variation) -> tuple[str, ...]:
    return (
        what,
        str(len(each.orders)),
        _number(each.range_of_means, ".4f"),
        _interval(each.mean_range, 4),
        _number(each.mean_deviation, ".4f"),
        f"{each.varying}/{each.queries}",
    )


def _interval(value: Estimate | None, digits: int, sign: str = "") -> str:
    if value is None or math.isnan(value.mean):
        return UNKNOWN
    return f"{value.mean:{sign}.{digits}f} [{value.low:{sign}.3f}, {value.high:{sign}.3f}]"


def _number(value: float | None, form: str) -> str:
    return UNKNOWN if value is None or math.isnan(value) else f"{value:{form}}"
