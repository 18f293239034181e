"""SNOW: a document that the model writes is the pivot of every window, so that all are ranked at once."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from rerankllm.data import Candidate, Document, Query, Ranking
from rerankllm.errors import SpecError
from rerankllm.judgements import Draft, Permute, Steps, ask
from rerankllm.plan import Bound, Plan
from rerankllm.strategies.questions.lists import in_order
from rerankllm.strategies.sliding import Sliding


@dataclass(frozen=True, slots=True)
class Snow:
    """Lets the model write a passage of middling relevance, ranks it in every window, and then ranks what beats it.

    Sinhababu et al. 2026, "Dynamic ranked list truncation for reranking pipelines via LLM-generated
    reference-documents" (arXiv 2604.09492): shared non-overlapping windows. The written passage is the pivot that
    TDPart looks for among the documents: it is shown last in every window, all windows at the same time. What is ranked
    above it goes on to a sliding window, one prompt if it fits, and the rest follows, window by window, as ranked
    there. The paper leaves the last documents of a list unread that fill no window; here they are a shorter one. A tie
    with the pivot stays above it. If the passage cannot be read the query fails: there is nothing to measure by.

    Cost: 1 call of n slots when the list fits one window. Otherwise 1 call to write, ⌈n / (window − 1)⌉ with n slots
    and one more each, and those of the sliding window over what was above: for n = 100, 7 calls in 2 rounds, then 1 to
    9. Settles a list that fits one window; otherwise the passage may be better than the last of the places wanted.

    Attributes:
        window: Documents in one prompt, the pivot among them, at least 2.
        grade: What the passage should deserve, from 0, not relevant, to 3, highly relevant.
    """

    window: int = 20
    grade: int = 2
    asks: ClassVar[tuple[type, ...]] = (Draft, Permute)

    def __post_init__(self) -> None:
        if self.window < 2:  # noqa: PLR2004
            raise SpecError(f"snow: window should be at least 2, found {self.window}")
        if not 0 <= self.grade <= 3:  # noqa: PLR2004
            raise SpecError(f"snow: grade should be from 0 to 3, found {self.grade}")

    def rank(self, query: Query, candidates: Sequence[Candidate]) -> Steps[Ranking]:
        """Ranks every candidate."""
        docs = [candidate.document for candidate in candidates]
        if len(docs) <= self.window:
            return (yield from self._sliding.rank(query, candidates))
        (text,) = yield from ask([Draft(query, self.grade)])
        pivot = Document(_new_id({doc.doc_id for doc in docs}), text)
        size = self.window - 1
        windows = [[*docs[start : start + size], pivot] for start in range(0, len(docs), size)]
        orders = yield from ask(Permute(query, tuple(shown)) for shown in windows)
        above: list[Document] = []
        below: list[Document] = []
        for order, shown in zip(orders, windows, strict=True):
            ranked = in_order(order, shown)
            above += ranked[: ranked.index(pivot)]
            below += ranked[ranked.index(pivot) + 1 :]
        best = yield from self._sliding.rank(query, [Candidate(doc) for doc in above])
        notes = Counter(best.ledger.notes)
        notes["omitted documents"] += sum(len(order.omitted) for order in orders)
        notes["documents above the pivot"] = len(above)
        return Ranking.of(query, [*(result.document for result in best), *below], notes=+notes)

    def plan(self, n: int) -> Plan:
        """Exact for one window; else from nothing above the pivot to everything."""
        if n <= self.window:
            return self._sliding.plan(n)
        windows, most = -(-n // (self.window - 1)), self._sliding.plan(n)
        return Plan(
            Bound(1 + windows, 1 + windows + most.calls.high),
            Bound(2, 2 + most.rounds.high),
            Bound(n + windows, n + windows + most.slots.high),
        )

    def settles(self, n: int) -> int | None:
        """Everything, when one window holds it."""
        return n if n <= self.window else None

    @property
    def _sliding(self) -> Sliding:
        return Sliding(self.window, max(1, self.window // 2))


def _new_id(taken: set[str]) -> str:
    """An id that no document has."""
    name = "pivot"
    while name in taken:
        name += "'"
    return name
