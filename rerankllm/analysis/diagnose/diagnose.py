"""diagnose."""

import math
from collections.abc import Iterator
from typing import Any

from rerankllm.analysis.diagnose.probe import PROBES, Diagnosis, probe
from rerankllm.calibration.diagnostics import Share
from rerankllm.errors import CapabilityError, TemplateError
from rerankllm.notes import tell
from rerankllm.reranker import Reranker


def _prober(elicitation: str | None, shuffles: int, seed: int, **settings: Any) -> Reranker:
    """A reranker that asks all that a diagnosis can use, or what is left of it with this model.

    Raises:
        CapabilityError: The model can be asked nothing of the kind.
    """
    refused: dict[str, Exception] = {}
    for kinds in (tuple(PROBES), *((kind,) for kind in PROBES)):
        try:
            reranker = Reranker(probe(kinds, shuffles, elicitation, seed), **settings)
        except (CapabilityError, TemplateError) as error:
            refused["/".join(kind.__name__ for kind in kinds)] = error
        else:
            for left_out in (kind.__name__ for kind in PROBES if kind not in kinds):
                tell(f"{left_out} is not asked: {refused.get(left_out) or next(iter(refused.values()))}")
            return reranker
    raise CapabilityError("; ".join(f"{kind}: {error}" for kind, error in refused.items() if "/" not in kind))


def rows(diagnosis: Diagnosis) -> Iterator[tuple[str, str, str]]:
    """The table: what was measured, its value, and of what."""
    yield "measure", "value", "of"
    if (compared := diagnosis.compared) is not None:
        yield _share("order inconsistency", compared.inconsistent, "pairs")
        yield "mean margin A − B", _number(compared.margin), f"{len(compared.margins)} answers, in nats"
        yield "mean p(first shown wins)", _number(compared.first), "all answers; 0.5 is fair"
        for reading, share in compared.cycles.items():
            yield _share(f"non-transitive triads, {reading}", share, "triads")
        for form, distances in compared.distances.items():
            for names, distance in distances.items():
                yield f"Kendall distance, {form}: {names}", _number(distance), "0 same, 1 reversed"
        yield _share("malformed comparisons", compared.malformed, "answers")
    if (lists := diagnosis.lists) is not None:
        for place in lists.places:
            yield f"mean rank of place {place.place}", f"{place.rank:.2f}", f"{place.first:.0%} ranked first"
        yield "self-agreement under shuffles", _number(lists.agreement), "Kendall's τ; 1 is the same order"
        yield _share("malformed lists", lists.malformed, "answers")


def _share(name: str, share: Share, noun: str) -> tuple[str, str, str]:
    return name, _number(share.value), f"{share.count} of {share.of} {noun}"


def _number(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.3f}"
