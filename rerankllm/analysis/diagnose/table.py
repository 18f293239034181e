"""A diagnosis as a table for people."""

import math
from collections.abc import Iterator

from rerankllm.analysis.diagnose.probe import Findings
from rerankllm.calibration.diagnostics import Share
from rerankllm.evaluation.tables import Table


def table(findings: Findings) -> Table:
    """What was measured, its value, and of what."""
    return Table("What was measured", ("measure", "value", "of"), tuple(rows(findings)), prose=True)


def rows(findings: Findings) -> Iterator[tuple[str, str, str]]:
    """The rows: what was measured, its value, and of what."""
    if (compared := findings.compared) is not None:
        yield _share("order inconsistency", compared.inconsistent, "pairs")
        yield "mean margin A − B", _number(compared.margin), f"{len(compared.margins)} answers, in nats"
        yield "mean p(first shown wins)", _number(compared.first), "all answers; 0.5 is fair"
        for reading, share in compared.cycles.items():
            yield _share(f"non-transitive triads, {reading}", share, "triads")
        for form, distances in compared.distances.items():
            for names, distance in distances.items():
                yield f"Kendall distance, {form}: {names}", _number(distance), "0 same, 1 reversed"
        yield _share("malformed comparisons", compared.malformed, "answers")
    if (lists := findings.lists) is not None:
        for place in lists.places:
            yield f"mean rank of place {place.place}", f"{place.rank:.2f}", f"{place.first:.0%} ranked first"
        yield "self-agreement under shuffles", _number(lists.agreement), "Kendall's τ; 1 is the same order"
        yield _share("malformed lists", lists.malformed, "answers")
        yield _share("only the order shown", lists.as_shown, "orders of 4 or more; 0.042 or less by chance")


def _share(name: str, share: Share, noun: str) -> tuple[str, str, str]:
    return name, _number(share.value), f"{share.count} of {share.of} {noun}"


def _number(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.3f}"
