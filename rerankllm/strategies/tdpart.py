"""Top-down partitioning: find the few that can beat the k-th best, then rank those."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import ClassVar

from rerankllm.data import Candidate, Document, Query, Ranking
from rerankllm.errors import SpecError
from rerankllm.judgements import Permute, Steps, ask
from rerankllm.plan import Bound, Plan
from rerankllm.strategies.questions.lists import in_order


@dataclass(frozen=True, slots=True)
class TDPart:
    """Ranks the first window, and measures everything below it against the window's k-th document, the pivot.

    Parry et al. 2024, "Top-down partitioning for efficient list-wise ranking", section 3. The pivot is shown with
    each further chunk of window − 1 documents, all chunks at once; what an answer puts above it joins the k − 1 that
    were above it already, and the rest is left behind it. When none joined, the k best are known and in order, so it
    stops; otherwise those above the pivot are ranked in the same way, first the best of the head and of each chunk,
    then their second best, so that the next pivot is a strong one. Ties, and documents an answer omits, stay in
    the order shown, the pivot first: what ties with it is left behind, and a pivot that is itself omitted is beaten
    by everything the answer names. No document goes unread: the paper's limit on how many may join is left out.

    Cost: 1 call of n slots when the list fits one window. Otherwise at least 1 + ⌈(n − window)/(window − 1)⌉ calls in
    2 rounds, which is 6 calls and 105 slots for n = 100 with windows of 20; every pass in which some document joins
    adds another, shorter one. Settles top_k places, all when one window holds the list.

    Attributes:
        window: Documents in one prompt, at least 2.
        top_k: Which place the pivot has, at most `window`.
    """

    window: int = 20
    top_k: int = 10
    asks: ClassVar[tuple[type, ...]] = (Permute,)

    def __post_init__(self) -> None:
        if self.window < 2:  # noqa: PLR2004
            raise SpecError(f"tdpart: window should be at least 2, found {self.window}")
        if not 1 <= self.top_k <= self.window:
            raise SpecError(f"tdpart: top_k should be from 1 to window={self.window}, found {self.top_k}")

    def rank(self, query: Query, candidates: Sequence[Candidate]) -> Steps[Ranking]:
        """Ranks every candidate."""
        notes = Counter[str]()
        docs = yield from self._best_first(query, [candidate.document for candidate in candidates], notes)
        return Ranking.of(query, docs, notes=+notes)

    def _best_first(self, query: Query, docs: list[Document], notes: Counter[str]) -> Steps[list[Document]]:
        if len(docs) <= 1:
            return docs
        (head,) = yield from _windows(query, [docs[: self.window]], notes)
        if len(docs) <= self.window:
            return head
        above, pivot, behind = head[: self.top_k - 1], head[self.top_k - 1], head[self.top_k :]
        orders = yield from _windows(query, [[pivot, *chunk] for chunk in self._chunks(docs)], notes)
        joined: list[list[Document]] = []
        for order in orders:
            at = order.index(pivot)
            joined.append(order[:at])
            behind += order[at + 1 :]
        if any(joined):
            turns = zip_longest(above, *joined)
            again = [doc for turn in turns for doc in turn if doc is not None]
            above = yield from self._best_first(query, again, notes)
        return [*above, pivot, *behind]

    def _chunks(self, docs: list[Document]) -> list[list[Document]]:
        size = self.window - 1
        return [docs[start : start + size] for start in range(self.window, len(docs), size)]

    def plan(self, n: int) -> Plan:
        """Bounds: from no document joining to all of them, in every pass."""
        once, most = self._pass(n), self._pass(n)
        left = n
        while left > self.window:
            left -= self.window - self.top_k + 1  # the pivot, and those the window put behind it
            most = [total + more for total, more in zip(most, self._pass(left), strict=True)]
        return Plan(*(Bound(low, high) for low, high in zip(once, most, strict=True)))

    def _pass(self, n: int) -> list[int]:
        """Calls, rounds and slots of one pass over n documents."""
        if n <= self.window:
            return [int(n > 1), int(n > 1), n if n > 1 else 0]
        chunks = -(-(n - self.window) // (self.window - 1))
        return [1 + chunks, 2, n + chunks]

    def settles(self, n: int) -> int:
        """The places down to the pivot's."""
        return n if n <= self.window else self.top_k


def _windows(query: Query, windows: list[list[Document]], notes: Counter[str]) -> Steps[list[list[Document]]]:
    orders = yield from ask(Permute(query, tuple(docs)) for docs in windows)
    for order in orders:
        notes["omitted documents"] += len(order.omitted)
        notes["tied documents"] += sum(len(group) for group in order.groups if len(group) > 1)
    return [in_order(order, docs) for order, docs in zip(orders, windows, strict=True)]
