"""Pointwise: every document on its own."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from rerankllm.data import Candidate, Query, Ranking, float32s
from rerankllm.judgements import Score, Steps, ask
from rerankllm.plan import Plan
from rerankllm.strategies.questions.lists import by_score, shown_scores


@dataclass(frozen=True, slots=True)
class Pointwise:
    """Scores each document by itself and sorts; equal scores keep the first stage's order.

    A document whose answer cannot be used keeps its place, and has no score.

    The elicitation decides what a score is: the likelihood of the query given the document (Sachan et al. 2022, "UPR",
    section 2.2), the probability of a relevance label (Nogueira et al. 2020, "monoT5"), or the expected grade over
    several labels (Zhuang et al. 2023, "Beyond yes and no", section 3.2).

    Cost: n calls, 1 round, n slots. Settles the whole list.
    """

    asks: ClassVar[tuple[type, ...]] = (Score,)

    def rank(self, query: Query, candidates: Sequence[Candidate]) -> Steps[Ranking]:
        """Ranks every candidate."""
        docs = [candidate.document for candidate in candidates]
        scores = yield from ask(Score(query, doc) for doc in docs)
        scores = float32s(scores)
        order = by_score(scores)
        return Ranking.of(query, [docs[i] for i in order], shown_scores(scores, order))

    def plan(self, n: int) -> Plan:
        """Exact."""
        return Plan.exactly(calls=n, rounds=min(n, 1), slots=n)

    def settles(self, n: int) -> int:
        """All of them."""
        return n
