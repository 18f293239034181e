"""What a diagnosis means, in sentences, and what to do about it."""

import math
from collections.abc import Iterator

from rerankllm.analysis.diagnose.probe import Compared, Findings, Lists

RARE, OFTEN = 0.1, 0.3
"""Shares of pairs that change their winner: up to the first one order will do, from the second on pairs say little."""
LEANS = 0.05
"""How far p(first shown wins) may lie from ½ before it counts as a preference for a place."""
AGREES, DISAGREES = 0.6, 0.3
"""Kendall's τ of two lists about the same documents: from the first on stable, below the second mostly order."""
UNUSABLE = 0.1
"""Share of answers that had to be repaired or could not be used, from which it is a problem of its own."""


def conclusion(findings: Findings) -> list[str]:
    """A sentence or two on pairs, on lists, and on answers that could not be read."""
    found = [f"Asked about {findings.queries} {'query' if findings.queries == 1 else 'queries'}, this judge shows:"]
    if findings.compared is not None:
        found += _pairs(findings.compared)
    if findings.lists is not None:
        found += _lists(findings.lists)
    return found


def _pairs(compared: Compared) -> Iterator[str]:
    yield from _unreadable("comparisons", compared.malformed.value)
    share = compared.inconsistent
    if math.isnan(share.value):
        yield "Pairs: no pair was answered in both orders, so nothing can be said of them."
        return
    leaning = compared.first - 0.5
    leans = ""
    if abs(leaning) > LEANS:
        place = "first" if leaning > 0 else "second"
        leans = f" It prefers the passage shown {place}: the first one wins with p = {compared.first:.2f}; .5 is fair."
    change = (
        f"{share.count} of {share.of} pairs ({share.value:.0%}) change their winner when shown the other way round."
    )
    if share.value <= RARE:
        advice = "Pairs can be trusted: `prp` is worth its calls."
    elif share.value < OFTEN:
        advice = "Ask every pair in both orders, as `prp` does, and do not read one order alone."
    else:
        advice = (
            "Single comparisons say little: prefer `pointwise`, or combine several sorters with `rankfusion`, or take "
            "another model."
        )
    yield f"Pairs: {change}{leans} {advice}"


def _lists(lists: Lists) -> Iterator[str]:
    yield from _unreadable("lists", lists.malformed.value)
    if math.isnan(lists.agreement):
        yield "Lists: no list was answered in two orders, so nothing can be said of them."
        return
    told = f"two answers about the same passages in different orders agree by τ = {lists.agreement:.2f} (1: the same)."
    if lists.agreement >= AGREES:
        advice = "Lists can be trusted: `sliding` or `full` will do."
    elif lists.agreement >= DISAGREES:
        advice = "Average several orders with `psc`, or ask more than once with `group(regroupings=3)`."
    else:
        advice = "The order shown decides more than the passages do: prefer `pointwise`, or take another model."
    yield f"Lists: {told} {advice}"


def _unreadable(what: str, share: float) -> Iterator[str]:
    if share > UNUSABLE:
        yield (
            f"{share:.0%} of its {what} had to be repaired or could not be read: look at them with `rerankllm journal "
            "FILE --calls`, or ask for labels instead of text (`--elicitation labels`)."
        )
