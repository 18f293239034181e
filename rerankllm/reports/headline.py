"""Which system, how sure, at what cost: a comparison in a few sentences."""

from collections.abc import Sequence

from rerankllm.evaluation.comparison import Comparison
from rerankllm.evaluation.pairwise import Pair
from rerankllm.evaluation.systems import System

SURE = 0.05
UNITS = {
    "calls": ("call", "calls"),
    "rounds": ("round", "rounds"),
    "slots": ("passage slot", "passage slots"),
    "tokens": ("token", "tokens"),
    "seconds": ("second", "seconds"),
    "usd": ("US dollar", "US dollars"),
}
"""Of a query's cost, by its kind: for one and for many."""


def headline(comparison: Comparison, pairs: Sequence[Pair], axis: str) -> list[str]:
    """Up to four sentences; none where there are only references.

    Args:
        comparison: What was found.
        pairs: Every two systems on its first measure.
        axis: The kind of cost to say.
    """
    measure = comparison.pool.names[0]
    ranked = [system for system in comparison.systems if not system.reference]
    if not ranked:
        return []
    means = {system.name: comparison.means[system.name, measure] for system in comparison.systems}
    best, *others = sorted(ranked, key=lambda system: -means[system.name].mean)
    found = means[best.name]
    n = len(comparison.pool.keys)
    over = "1 query" if n == 1 else f"{n} queries"
    sentences = [f"{best.name} ranks best: {measure} {found.mean:.3f} [{found.low:.3f}, {found.high:.3f}] over {over}."]
    if others:
        sentences.append(_lead(_pair(pairs, best.name, others[0].name), others[0].name))
    if (spent := _spent(best, axis)) is not None:
        rounds = None if axis == "rounds" else _spent(best, "rounds")
        chain = "" if rounds is None else f", in at most {_amount(rounds, 'rounds')}"
        sentences.append(f"It takes {_amount(spent, axis)} a query{chain}.")
    cheaper = _cheaper(best, others, pairs, axis)
    if cheaper is not None and (price := _spent(cheaper, axis)) is not None:
        loss, p = _pair(pairs, cheaper.name, best.name)
        sentences.append(
            f"{cheaper.name} takes {_amount(price, axis)}, and these queries do not tell it from {best.name} "
            f"({_signed(loss)}, {_chance(p)}), which does not prove it as good."
        )
    return sentences


def _lead(against: tuple[float, float], name: str) -> str:
    gap, p = against
    verdict = "more than chance explains" if p < SURE else "which chance could explain"
    return f"That is {gap:.3f} above the next, {name}, {verdict} ({_chance(p)})."


def _cheaper(best: System, others: Sequence[System], pairs: Sequence[Pair], axis: str) -> System | None:
    """The cheapest that costs less than the best and is not told apart from it."""
    limit = _spent(best, axis)
    known = [
        (spent, system.name, system)
        for system in others
        if limit is not None and (spent := _spent(system, axis)) is not None and spent < limit
        if _pair(pairs, best.name, system.name)[1] >= SURE
    ]
    return min(known, key=lambda each: each[:2])[2] if known else None


def _pair(pairs: Sequence[Pair], one: str, other: str) -> tuple[float, float]:
    """The difference of one to the other, and its adjusted p."""
    for pair in pairs:
        if {pair.one, pair.other} == {one, other}:
            return (pair.estimate.mean if pair.one == one else -pair.estimate.mean), pair.adjusted
    raise LookupError(f"{one} and {other} were not compared")


def _spent(system: System, axis: str) -> float | None:
    spent: float | None = None if system.cost is None else getattr(system.cost, axis)
    return spent


def _amount(value: float, axis: str) -> str:
    one, many = UNITS[axis]
    shown = f"{value:,.0f}" if value >= 10 else f"{value:.3g}"  # noqa: PLR2004
    return f"{shown} {one if shown == '1' else many}"


def _signed(value: float) -> str:
    return f"{value:+.3f}".replace("-", "−")


def _chance(p: float) -> str:
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"  # noqa: PLR2004
