"""Interpolation: a stage's order and the first stage's, fused."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rerankllm.aggregation.rrf import ReciprocalRankFusion
from rerankllm.aggregation.votes import Vote
from rerankllm.data import Candidate, Query, Ranking, float32
from rerankllm.errors import SpecError
from rerankllm.judgements import Steps, within
from rerankllm.plan import Plan
from rerankllm.spec.stage import Stage


@dataclass(frozen=True, slots=True)
class Interpolate:
    """Fuses the order of `stage` with the first stage's by weighted reciprocal ranks, k = 60.

    The model's errors and the retriever's are of different kinds, so the two together often beat either; ranks are
    used since the scales of the scores have nothing in common (Cormack et al. 2009, section 2). Without first-stage
    scores there is nothing to fuse, and the stage's own ranking is returned.

    Cost: that of `stage`. Settles nothing by itself: a perfect stage is still mixed with the first stage.

    Attributes:
        stage: What to fuse, with its own elicitation and model if it names them.
        weight: Share of the stage's vote; the first stage has 1 − weight.
    """

    stage: Stage
    weight: float = 0.5

    def __post_init__(self) -> None:
        if not 0 <= self.weight <= 1:
            raise SpecError(f"interpolate: weight should be from 0 to 1, found {self.weight}")

    @property
    def asks(self) -> Any:
        """What the stage inside asks."""
        return self.stage.strategy.asks

    def rank(self, query: Query, candidates: Sequence[Candidate]) -> Steps[Ranking]:
        """Ranks every candidate."""
        own = yield from within(self.stage, self.stage.strategy.rank(query, candidates))
        if any(candidate.score is None for candidate in candidates):
            return own
        votes = [Vote.of(own.doc_ids, self.weight), Vote(_first_stage(candidates), 1 - self.weight)]
        documents = [candidate.document for candidate in candidates]
        fused = ReciprocalRankFusion().scores([doc.doc_id for doc in documents], votes)
        scores = [float32(score) for score in fused]
        order = sorted(range(len(documents)), key=lambda i: -scores[i])
        notes = {**own.ledger.notes, f"fused with the first stage's scores, which count {1 - self.weight:.0%}": 1}
        return Ranking.of(query, [documents[i] for i in order], [scores[i] for i in order], notes)

    def plan(self, n: int) -> Plan:
        """That of the stage inside."""
        return self.stage.strategy.plan(n)

    def settles(self, n: int) -> int | None:
        """Nothing can be promised where the first stage has a say."""
        return self.stage.strategy.settles(n) if self.weight == 1 else None


def _first_stage(candidates: Sequence[Candidate]) -> tuple[tuple[str, ...], ...]:
    """The first stage's order as groups of equal scores."""
    groups: dict[float, list[str]] = {}
    for candidate in sorted(candidates, key=lambda c: -(c.score or 0.0)):
        groups.setdefault(candidate.score or 0.0, []).append(candidate.doc_id)
    return tuple(map(tuple, groups.values()))
