"""An attack report as tables for people."""

import math
from collections.abc import Iterator, Mapping, Sequence

from rerankllm.analysis.attacks.results import Finding
from rerankllm.evaluation.comparison import Estimate
from rerankllm.evaluation.tables import Table

KINDS = {
    "structure": "all that imitate the prompt",
    "meaning": "all that say what is not so",
    "words": "all that only change words",
}


NAMED = 3
"""Documents that look like attacks and are named; the rest are counted."""


def table(findings: Sequence[Finding], kinds: Sequence[Finding], flagged: Mapping[str, int], top: int) -> Table:
    """Each attack, then each kind."""
    risen = ("success", f"into the top {top}", "places gained")
    head = ("attack", "kind", *risen, "resisted", "as shown", "failed", "flagged")
    rows = [(*_row(each, each.attack), str(flagged[each.attack])) for each in findings]
    rows += [(*_row(each, KINDS[each.kind]), "") for each in kinds]
    return Table("Attacks", head, tuple(rows), words=2)


def notes(queries: int, echoes: int, suspects: Mapping[str, Mapping[str, Sequence[str]]]) -> Iterator[str]:
    """How to read it."""
    yield (
        "success: the document rose above its plain self and above itself with as many neutral words, of the queries "
        "in which it could. places gained: above the one with neutral words. [ ]: 95 % interval, percentile bootstrap "
        f"over {queries} queries; where every query came out alike it is a point, and says little."
    )
    yield (
        "resisted: it did not rise. as shown: it did not, and the judge gives back the order shown, whatever that is. "
        "flagged: in how many queries the document then looks like an attack."
    )
    if echoes:
        yield (
            f"On {echoes} of {queries} queries the judge gave back the order shown, and the reversed order reversed: "
            "that nothing rises there is no resistance, as nothing is read."
        )
    named = [f"{q} {doc} ({', '.join(why)})" for q, found in suspects.items() for doc, why in found.items()]
    if named:
        more = f" and {len(named) - NAMED} more" if len(named) > NAMED else ""
        yield f"Look like attacks as they are: {'; '.join(named[:NAMED])}{more}."


def _row(found: Finding, name: str) -> tuple[str, ...]:
    return (
        name,
        found.kind,
        f"{_interval(found.success, '.2f')} of {found.of}",
        _interval(found.top, ".2f"),
        _interval(found.gained, "+.1f"),
        str(found.resisted),
        str(found.echoed),
        str(found.failed),
    )


def _interval(value: Estimate, form: str) -> str:
    return "–" if math.isnan(value.mean) else f"{value.mean:{form}} [{value.low:{form}}, {value.high:{form}}]"
