"""Sliding window: listwise answers over a list longer than one prompt."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from rerankllm.data import Candidate, Query, Ranking
from rerankllm.errors import SpecError
from rerankllm.judgements import Permute, Steps, ask
from rerankllm.plan import Plan
from rerankllm.strategies.sorting.schedule import Span, count_slots, earliest_rounds


@dataclass(frozen=True, slots=True)
class Sliding:
    """Orders a window at the end of the list, moves it up by a stride, and so carries the best to the top.

    Sun et al. 2023, "Is ChatGPT good at search?" (RankGPT), section 3.2; the same loop with other weights is
    RankVicuna, RankZephyr and Rank-K, and with label log-probabilities FIRST (Reddy et al. 2024). Where n does not fit
    the stride, the last window is moved to the start of the list. rank_llm shortens it instead (`last=shortened`, to
    compare with runs made by it), and RankGPT drops it, which leaves the first places unread. Documents that an answer
    omits, and ties, stay in the order in which the window showed them.

    Cost: max(0, ⌈(n − window) / stride⌉) + 1 calls a pass for n > 1, min(n, window) slots each. Passes are pipelined:
    a window waits only for earlier ones that overlap it, so three passes over 100 documents take 13 rounds, not 27.
    Each pass settles window − stride places; with a shortened last window the first pass does.

    Attributes:
        window: Documents in one prompt, at least 2.
        stride: How far the window moves, from 1 to `window`, so that no document is left out between two windows.
        passes: How often it sweeps the list.
        last: What happens to the last window where fewer than `window` places are left for it.
    """

    window: int = 20
    stride: int = 10
    passes: int = 1
    last: Literal["moved", "shortened"] = field(default="moved", metadata={"unsaid": True})
    asks: ClassVar[tuple[type, ...]] = (Permute,)

    def __post_init__(self) -> None:
        if self.window < 2:  # noqa: PLR2004
            raise SpecError(f"sliding: window should be at least 2, found {self.window}")
        if not 1 <= self.stride <= self.window:
            raise SpecError(
                f"sliding: stride should be from 1 to window={self.window}, found {self.stride}; the usual is "
                f"sliding(window={self.window}, stride={self.window // 2})"
            )
        if self.passes < 1:
            raise SpecError(f"sliding: passes should be at least 1, found {self.passes}")

    def rank(self, query: Query, candidates: Sequence[Candidate]) -> Steps[Ranking]:
        """Ranks every candidate."""
        docs = [candidate.document for candidate in candidates]
        notes = Counter[str]()
        for spans in earliest_rounds(self._windows(len(docs), self.passes)):
            orders = yield from ask(Permute(query, tuple(docs[start:stop])) for start, stop in spans)
            for (start, stop), order in zip(spans, orders, strict=True):
                shown = {doc.doc_id: doc for doc in docs[start:stop]}
                notes["omitted documents"] += len(order.omitted)
                ranked = order.ranked
                if len(order.groups) < len(ranked):
                    notes["tied documents"] += sum(len(group) for group in order.groups if len(group) > 1)
                docs[start:stop] = [shown[doc_id] for doc_id in (*ranked, *order.omitted)]
        return Ranking.of(query, docs, notes=+notes)

    def plan(self, n: int) -> Plan:
        """Exact; with several passes, less by windows that a pass finds as the one before left them."""
        once, two = (earliest_rounds(self._windows(n, passes)) for passes in (1, 2))
        calls, slots, rounds = sum(map(len, once)), count_slots(once), len(once)
        lag = len(two) - rounds  # of a pass behind the one before, however many there are
        exact = Plan.exactly(calls * self.passes, rounds + (self.passes - 1) * lag, slots * self.passes)
        return exact.or_fewer(calls, rounds, slots)

    def settles(self, n: int) -> int:
        """The best window − stride of each pass, or everything when one window holds it."""
        passes = self.passes if self.last == "moved" else 1
        return n if n <= self.window else min(n, passes * max(0, self.window - self.stride))

    def _windows(self, n: int, passes: int) -> Iterator[Span]:
        for _ in range(passes if n > 1 else 0):
            stop = n
            while True:
                start = max(0, stop - self.window)
                yield start, min(n, start + self.window) if self.last == "moved" else stop
                if start == 0:
                    break
                stop -= self.stride
