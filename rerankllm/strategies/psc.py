"""Permutation self-consistency: the same question with its documents in several orders."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from rerankllm.aggregation.base import Aggregation
from rerankllm.aggregation.borda import Borda
from rerankllm.aggregation.votes import Vote
from rerankllm.data import Candidate, Query, Ranking, float32
from rerankllm.errors import SpecError
from rerankllm.judgements import Permute, Steps, in_parallel, within
from rerankllm.plan import Plan
from rerankllm.spec.stage import Stage, inner_stages
from rerankllm.strategies.questions.lists import NO_EVIDENCE, seeded


@dataclass(frozen=True, slots=True)
class PermutationSelfConsistency:
    """Gives `stage` the candidates in several random orders, and takes the order in the middle of its answers.

    Tang et al. 2024, "Found in the middle: permutation self-consistency improves listwise ranking", section 2: what a
    model prefers for its place in the prompt cancels out. The paper takes the Kemeny order, `aggregate=kemeny` here;
    Borda's, the default, is close to it on complete orders and needs no search. The shuffles hide the first stage's
    order from `stage`, so a long list is better cut first: `cascade([sliding, psc(full)], depths=[100, 20])`.

    Cost: `shuffles` times that of `stage`, side by side, in as many rounds as the longest takes. Equal scores keep
    the first stage's order. Settles the whole list where `stage` does: a document at the edge of a shorter prefix is
    in it under some orders only.

    Attributes:
        stage: A strategy that asks for orders, with its own elicitation and model if it names them.
        shuffles: How many orders; the paper takes 20, and finds two thirds of the gain with 5.
        aggregate: What makes one order of them.
        seed: Of the shuffles.
    """

    stage: Stage
    shuffles: int = 20
    aggregate: Aggregation = field(default_factory=Borda)
    seed: int = 0

    def __post_init__(self) -> None:
        if self.shuffles < 1:
            raise SpecError(f"psc: shuffles should be at least 1, found {self.shuffles}")
        if tuple(self.stage.strategy.asks) != (Permute,) or inner_stages(self.stage.strategy):
            raise SpecError(f"psc: should wrap one strategy that asks for orders, such as full; found {self.stage}")

    @property
    def asks(self) -> Any:
        """What the stage inside asks."""
        return self.stage.strategy.asks

    def rank(self, query: Query, candidates: Sequence[Candidate]) -> Steps[Ranking]:
        """Ranks every candidate."""
        chance = seeded(self.seed, query)
        shuffled = [chance.sample(candidates, len(candidates)) for _ in range(self.shuffles)]
        tracks = (self.stage.strategy.rank(query, order) for order in shuffled)
        rankings = yield from within(self.stage, in_parallel(*tracks))
        notes = Counter[str]()
        for ranking in rankings:
            notes.update(ranking.ledger.notes)
        docs = [candidate.document for candidate in candidates]
        told = [ranking for ranking in rankings if NO_EVIDENCE not in ranking.ledger.notes]
        votes = [Vote.of(ranking.doc_ids) for ranking in told]
        scores = [float32(score) for score in self.aggregate.scores([doc.doc_id for doc in docs], votes)]
        order = sorted(range(len(docs)), key=lambda i: -scores[i])
        return Ranking.of(query, [docs[i] for i in order], [scores[i] for i in order], notes)

    def plan(self, n: int) -> Plan:
        """The stage's, so many times; few documents are shuffled into the same order again, which is asked once."""
        once = self.stage.strategy.plan(n)
        return once.side_by_side(self.shuffles).or_fewer(once.calls.low, once.rounds.low, once.slots.low)

    def settles(self, n: int) -> int | None:
        """All or nothing."""
        return n if self.stage.strategy.settles(n) == n else None
