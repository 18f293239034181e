"""Full context: the whole list in one prompt."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from rerankllm.data import Candidate, Query, Ranking
from rerankllm.errors import SpecError
from rerankllm.judgements import Permute, Steps, Unanswered, ask, try_ask
from rerankllm.plan import Bound, Plan
from rerankllm.strategies.questions.lists import NO_EVIDENCE, in_order, seeded


@dataclass(frozen=True, slots=True)
class Full:
    """Shows every document at once and asks for the first `top_k` places only.

    Liu et al. 2024, "Sliding windows are not the end: exploring full ranking with long-context LLMs", sections 3 and
    4. Answers get longer and less reliable with the list, so no more places are decoded than are wanted. One bad
    answer would spoil the whole list, hence the check: where an answer names fewer than half of the places asked for,
    the question is asked once more with the documents shuffled, and of the two answers the one that names more counts,
    the first if they name as many. Documents that were not named, and ties, keep the first stage's order.

    Cost: 1 call of n slots for n > 1; twice that, in 2 rounds, when asked again. Settles min(top_k, n) places.

    Attributes:
        top_k: How many places are asked for.
        seed: Of the shuffle before a second try.
    """

    top_k: int = 10
    seed: int = 0
    asks: ClassVar[tuple[type, ...]] = (Permute,)

    def __post_init__(self) -> None:
        if self.top_k < 1:
            raise SpecError(f"full: top_k should be at least 1, found {self.top_k}")

    def rank(self, query: Query, candidates: Sequence[Candidate]) -> Steps[Ranking]:
        """Ranks every candidate."""
        docs = [candidate.document for candidate in candidates]
        if len(docs) <= 1:
            return Ranking.of(query, docs)
        wanted = min(self.top_k, len(docs))
        (order,) = yield from ask([Permute(query, tuple(docs), wanted)])
        notes: dict[str, int] = {}
        if 0 < len(order.ranked) * 2 < wanted:
            shuffled = seeded(self.seed, query).sample(docs, len(docs))
            (again,) = yield from try_ask([Permute(query, tuple(shuffled), wanted)])
            notes["asked again, shuffled"] = 1
            if not isinstance(again, Unanswered):
                order = max(order, again, key=lambda found: len(found.ranked))
        if not order.ranked:
            notes[NO_EVIDENCE] = 1
        elif len(order.ranked) < wanted:
            notes["places not named"] = wanted - len(order.ranked)
        return Ranking.of(query, in_order(order, docs), notes=notes)

    def plan(self, n: int) -> Plan:
        """Between one try and two."""
        once = int(n > 1)
        return Plan(Bound(once, 2 * once), Bound(once, 2 * once), Bound(once * n, 2 * once * n))

    def settles(self, n: int) -> int:
        """The places asked for."""
        return min(self.top_k, n)
