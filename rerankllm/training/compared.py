"""How sure a judge was that one document of two is better, heard while it ranks."""

from collections.abc import Sequence
from statistics import fmean

from rerankllm.calibration.order import margin, sigmoid
from rerankllm.drivers.events import Event, Judged
from rerankllm.judgements import Compare


class Compared:
    """Listens to a ranking, and keeps how likely one document of two was said to be better."""

    def __init__(self) -> None:
        self._margins: dict[str, dict[tuple[str, str], list[float]]] = {}

    def __call__(self, event: Event) -> None:
        """Keeps the answer of a comparison."""
        if isinstance(event, Judged) and isinstance(event.judgement, Compare) and isinstance(event.answer, float | int):
            first, second = (document.doc_id for document in event.judgement.docs)
            own = self._margins.setdefault(event.query.query_id, {})
            own.setdefault((first, second), []).append(margin(event.answer))

    def chances(self, query_id: str, order: Sequence[str]) -> dict[tuple[str, str], float]:
        """How likely the first of two is better, of the pairs of this order that were compared."""
        ranks = {doc_id: rank for rank, doc_id in enumerate(order)}
        both: dict[tuple[str, str], list[float]] = {}
        for (first, second), margins in self._margins.get(query_id, {}).items():
            if first in ranks and second in ranks:
                turned = ranks[first] > ranks[second]
                pair = (second, first) if turned else (first, second)
                both.setdefault(pair, []).extend(-each if turned else each for each in margins)
        return {pair: sigmoid(fmean(margins)) for pair, margins in sorted(both.items())}
