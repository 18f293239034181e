"""Cascade: strategies in sequence, over fewer and fewer documents."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import pairwise

from rerankllm.data import Candidate, Query, Ranking
from rerankllm.errors import SpecError
from rerankllm.judgements import Steps, within
from rerankllm.plan import Plan
from rerankllm.spec.stage import Stage


@dataclass(frozen=True, slots=True)
class Cascade:
    """Lets each stage rank the best of the stage before; documents that it does not rank stay behind, in that order.

    The multi-stage pipeline of Nogueira et al. 2019, "Multi-stage document ranking with BERT", section 3, with any
    strategies, elicitations and models: a cheap one for many documents, an expensive one for few. What a stage gets as
    first-stage scores are the scores of the stage before; where that gave an order only, its places, so that
    strategies that fuse or start from scores go by that order.

    Cost: the sum of the stages', each for as many documents as reach it. The scores of different stages cannot be
    compared, so the ranking has none. Settles what all stages together do: a place is settled if each stage settles
    it, or is given no more documents than the one before settled.

    Attributes:
        stages: In order, each with its own elicitation and model if it names them.
        depths: How many documents each stage ranks, none more than the one before. Candidates beyond the first are
            not read.
    """

    stages: tuple[Stage, ...]
    depths: tuple[int, ...]

    def __post_init__(self) -> None:
        if not self.stages or len(self.stages) != len(self.depths):
            raise SpecError(f"cascade: needs a depth for each stage, found {len(self.stages)} and {len(self.depths)}")
        if min(self.depths) < 1 or any(less > more for more, less in pairwise(self.depths)):
            raise SpecError(f"cascade: depths should be at least 1 and never grow, found {list(self.depths)}")

    @property
    def asks(self) -> tuple[type, ...]:
        """What the stages inside ask."""
        return tuple(dict.fromkeys(kind for stage in self.stages for kind in stage.strategy.asks))

    def rank(self, query: Query, candidates: Sequence[Candidate]) -> Steps[Ranking]:
        """Ranks every candidate."""
        order = list(candidates)
        notes = Counter[str]()
        for stage, depth in zip(self.stages, self.depths, strict=True):
            ranking = yield from within(stage, stage.strategy.rank(query, order[:depth]))
            order[:depth] = _as_candidates(ranking)
            notes.update(ranking.ledger.notes)
        return Ranking.of(query, [candidate.document for candidate in order], notes=notes)

    def plan(self, n: int) -> Plan:
        """The sum."""
        return reduce(Plan.then, (plan for _, plan in self.parts(n)))

    def parts(self, n: int) -> list[tuple[Stage, Plan]]:
        """What each stage takes."""
        pairs = zip(self.stages, self.depths, strict=True)
        return [(stage, stage.strategy.plan(min(n, depth))) for stage, depth in pairs]

    def aiming(self, top_k: int) -> "Cascade":
        """The last stage aims at `top_k`, every other at the depth of the next."""
        wanted = (*self.depths[1:], top_k)
        stages = tuple(stage.aiming(k) for stage, k in zip(self.stages, wanted, strict=True))
        return Cascade(stages, self.depths)

    def settles(self, n: int) -> int | None:
        """What no stage can spoil."""
        settled = n if n <= self.depths[0] else 0
        for i, (stage, depth) in enumerate(zip(self.stages, self.depths, strict=True)):
            ranked = min(n, depth)
            own = stage.strategy.settles(ranked) or 0
            if i == 0 or own < ranked:
                settled = min(settled, own)
        return settled or None


def _as_candidates(ranking: Ranking) -> list[Candidate]:
    """A stage's ranking, as the first stage of the next."""
    scores = [result.score for result in ranking]
    if None in scores:
        scores = [float(len(ranking) - i) for i in range(len(ranking))]
    return [Candidate(result.document, score) for result, score in zip(ranking, scores, strict=True)]
