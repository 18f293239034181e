"""Interpolation: a stage's order or scores and the first stage's, mixed."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import fmean, pstdev
from typing import Any, Literal

from rerankllm.aggregation.rrf import ReciprocalRankFusion
from rerankllm.aggregation.votes import Vote
from rerankllm.data import Candidate, Query, Ranking, float32
from rerankllm.errors import QueryFailed, SpecError
from rerankllm.judgements import Steps, within
from rerankllm.plan import Plan
from rerankllm.spec.stage import Stage


@dataclass(frozen=True, slots=True)
class Interpolate:
    """Fuses the order of `stage` with the first stage's by weighted reciprocal ranks, k = 60.

    The model's errors and the retriever's are of different kinds, so the two together often beat either; ranks are
    used since the scales of the scores have nothing in common (Cormack et al. 2009, section 2). Without first-stage
    scores there is nothing to fuse, and the stage's own ranking is returned.

    Where scores are to be mixed, as published, `by` says on what scale: `score` takes them as they are, the stage's own
    divided by `per` (GroupRank: `interpolate(group(pool=mean), weight=0.6, by=score, per=10)` over a retriever's scores
    from 0 to 1), `minmax` as shares of their range (Rank-R1, weight .9), `zscore` in standard deviations from their
    mean (ERank, weight .8). A document that the stage gives no score counts as its lowest.

    Cost: that of `stage`. Settles nothing by itself: a perfect stage is still mixed with the first stage.

    Attributes:
        stage: What to fuse, with its own elicitation and model if it names them.
        weight: Share of the stage's vote; the first stage has 1 − weight.
        by: What is mixed: `rank`s, or scores: `score`, `minmax`, `zscore`.
        per: With `score`: what the stage's scores are divided by, such as 10 for grades up to 10.
    """

    stage: Stage
    weight: float = 0.5
    by: Literal["rank", "score", "minmax", "zscore"] = field(default="rank", metadata={"unsaid": True})
    per: float = field(default=1.0, metadata={"unsaid": True})

    def __post_init__(self) -> None:
        if not 0 <= self.weight <= 1:
            raise SpecError(f"interpolate: weight should be from 0 to 1, found {self.weight}")
        if self.per <= 0 or (self.per != 1 and self.by != "score"):
            raise SpecError(f"interpolate: per divides what by=score mixes, and is above 0; found {self.per}")

    @property
    def asks(self) -> Any:
        """What the stage inside asks."""
        return self.stage.strategy.asks

    def rank(self, query: Query, candidates: Sequence[Candidate]) -> Steps[Ranking]:
        """Ranks every candidate."""
        own = yield from within(self.stage, self.stage.strategy.rank(query, candidates))
        if any(candidate.score is None for candidate in candidates):
            return own
        documents = [candidate.document for candidate in candidates]
        notes = {**own.ledger.notes, f"fused with the first stage's scores, which count {1 - self.weight:.0%}": 1}
        if self.by == "rank":
            votes = [Vote.of(own.doc_ids, self.weight), Vote(_first_stage(candidates), 1 - self.weight)]
            fused = ReciprocalRankFusion().scores([doc.doc_id for doc in documents], votes)
        else:
            fused, lacking = self._mixed(own, candidates)
            notes |= {"documents without a score, which count as the lowest": lacking} if lacking else {}
        scores = [float32(score) for score in fused]
        order = sorted(range(len(documents)), key=lambda i: -scores[i])
        return Ranking.of(query, [documents[i] for i in order], [scores[i] for i in order], notes)

    def _mixed(self, own: Ranking, candidates: Sequence[Candidate]) -> tuple[list[float], int]:
        """Both scores of each candidate in one, and how many the stage gave none.

        Raises:
            QueryFailed: The stage scores nothing.
        """
        known = {result.doc_id: result.score for result in own if result.score is not None}
        if candidates and not known:
            raise QueryFailed(f"interpolate(by={self.by}) mixes scores, and {self.stage} gives none: use by=rank")
        lowest = min(known.values(), default=0.0)
        judged = [known.get(candidate.doc_id, lowest) / self.per for candidate in candidates]
        first = [candidate.score or 0.0 for candidate in candidates]
        pairs = zip(_scaled(judged, self.by), _scaled(first, self.by), strict=True)
        return [self.weight * a + (1 - self.weight) * b for a, b in pairs], len(candidates) - len(known)

    def plan(self, n: int) -> Plan:
        """That of the stage inside."""
        return self.stage.strategy.plan(n)

    def settles(self, n: int) -> int | None:
        """Nothing can be promised where the first stage has a say."""
        return self.stage.strategy.settles(n) if self.weight == 1 else None


def _scaled(scores: Sequence[float], by: str) -> list[float]:
    """Scores on a scale; all 0 where they are all the same."""
    if by == "score":
        return list(scores)
    middle, width = (min(scores), max(scores) - min(scores)) if by == "minmax" else (fmean(scores), pstdev(scores))
    return [(score - middle) / width if width else 0.0 for score in scores]


def _first_stage(candidates: Sequence[Candidate]) -> tuple[tuple[str, ...], ...]:
    """The first stage's order as groups of equal scores."""
    groups: dict[float, list[str]] = {}
    for candidate in sorted(candidates, key=lambda c: -(c.score or 0.0)):
        groups.setdefault(candidate.score or 0.0, []).append(candidate.doc_id)
    return tuple(map(tuple, groups.values()))
