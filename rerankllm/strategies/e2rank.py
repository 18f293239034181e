"""E2Rank: a list of documents, embedded together with the query, is what documents are compared with."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from rerankllm.data import Candidate, Query, Ranking
from rerankllm.errors import SpecError
from rerankllm.judgements import Embed, Steps
from rerankllm.plan import Plan
from rerankllm.strategies.embed import by_cosine


@dataclass(frozen=True, slots=True)
class E2Rank:
    """Embeds the query in one prompt with the first stage's best documents, and sorts all by cosine to that vector.

    Liu et al. 2025, "E2Rank: your text embedding can also be an effective and efficient listwise reranker", section 3:
    the listwise prompt is a query with pseudo relevance feedback, and one forward pass reads all of its documents in
    each other's context. Made for models trained for it; others read a long query there. Equal cosines keep the first
    stage's order. What of the prompt does not fit the model is cut or left out, and noted.

    Cost: 1 call, 1 round, n + feedback slots: 120 for n = 100, of which 20 are the prompt's and 100 the documents' own
    vectors; those are remembered, so that what was embedded before costs nothing. Settles nothing: a vector is no
    judgement that could be right.

    Attributes:
        feedback: Documents in the prompt, from the first on.
    """

    feedback: int = 20
    asks: ClassVar[tuple[type, ...]] = (Embed,)

    def __post_init__(self) -> None:
        if self.feedback < 1:
            raise SpecError(f"e2rank: feedback should be at least 1, found {self.feedback}; without it, use embed")

    def rank(self, query: Query, candidates: Sequence[Candidate]) -> Steps[Ranking]:
        """Ranks every candidate.

        Raises:
            QueryFailed: A vector has a component that is no finite number.
        """
        docs = tuple(candidate.document for candidate in candidates)
        ranking = yield from by_cosine(Embed(query, docs, feedback=min(self.feedback, len(docs))))
        return ranking

    def plan(self, n: int) -> Plan:
        """Exact."""
        return Plan.exactly(min(n, 1), min(n, 1), n + min(n, self.feedback))

    def settles(self, n: int) -> None:
        """Nothing can be promised."""
        del n
