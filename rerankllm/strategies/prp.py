"""Pairwise ranking prompting."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

from rerankllm.calibration.order import TIE, agreement
from rerankllm.data import Candidate, Document, Query, Ranking
from rerankllm.errors import QueryFailed, SpecError
from rerankllm.judgements import Compare, Steps, Unanswered, in_parallel, try_ask
from rerankllm.plan import Bound, Plan
from rerankllm.strategies.schedule import Span, earliest_rounds

Pair = tuple[Document, Document]
Sorted = tuple[list[Document], list[float] | None]
"""Every document, best first, and their scores where the sort gives any."""


@dataclass(frozen=True, slots=True)
class Prp:
    """Compares two documents at a time, always in both orders, and sorts by the outcomes.

    Qin et al. 2023, "Large language models are effective text rankers with pairwise ranking prompting", sections
    3.2–3.4. A document wins when both orders say so; disagreement, and an answer that names neither, is a tie. Ties
    keep the first stage's order.

    Cost in prompts, two a comparison, with k = min(top_k, n):

    - `allpair`: n(n−1), 1 round; every win counts 1 and every tie ½. Settles the whole list.
    - `heap`: heapsort, stopped after k documents: at most 2·(2(n−1) + 2(k−1)·⌊log₂ n⌋), about 490 for n = 100 and
      k = 10. The heap is built a level at a time, its subtrees in parallel.
    - `bubble`: k passes of neighbour swaps from the end: 2·Σ_{p<k}(n−1−p); a pass starts two steps behind the one
      before, so n = 100, k = 10 takes 108 rounds, not 945.

    Slots are twice the calls. `heap` and `bubble` settle k places; the rest follow in the first stage's order
    (`bubble`: in the order the passes left).

    Attributes:
        sort: Which comparisons are made.
        top_k: How many first places the sorts aim for; `allpair` orders all.
    """

    sort: Literal["allpair", "heap", "bubble"] = "heap"
    top_k: int = 10
    asks: ClassVar[tuple[type, ...]] = (Compare,)

    def __post_init__(self) -> None:
        if self.top_k < 1:
            raise SpecError(f"prp: top_k should be at least 1, found {self.top_k}")

    def rank(self, query: Query, candidates: Sequence[Candidate]) -> Steps[Ranking]:
        """Ranks every candidate.

        Raises:
            QueryFailed: Half of the comparisons or more have no answer in one of their orders.
        """
        docs = [candidate.document for candidate in candidates]
        sort = {"allpair": _allpair, "heap": _heap, "bubble": _bubble}[self.sort]
        judge = _BothOrders(query)
        order, scores = yield from sort(judge, docs, min(self.top_k, len(docs)))
        if judge.unanswered * 2 >= judge.pairs > 0:
            raise QueryFailed(f"{judge.unanswered} of {judge.pairs} comparisons have no usable answer")
        return Ranking.of(query, order, scores, {"tied comparisons": judge.ties} if judge.ties else None)

    def plan(self, n: int) -> Plan:
        """Exact for `allpair` and `bubble`, bounds for `heap`."""
        k = min(self.top_k, n)
        if self.sort == "allpair":
            return Plan.exactly(calls=n * (n - 1), rounds=int(n > 1), slots=2 * n * (n - 1))
        if self.sort == "bubble":
            rounds = earliest_rounds(_bubble_steps(n, k))
            comparisons = sum(map(len, rounds))
            return Plan.exactly(calls=2 * comparisons, rounds=len(rounds), slots=4 * comparisons)
        return _heap_plan(n, k)

    def settles(self, n: int) -> int:
        """Everything, or the top_k that the sort stops at."""
        return n if self.sort == "allpair" else min(self.top_k, n)


class _BothOrders:
    """Asks which of two documents is better, both ways, and keeps count."""

    def __init__(self, query: Query) -> None:
        self.query = query
        self.pairs = self.ties = self.unanswered = 0

    def verdicts(self, pairs: Sequence[Pair]) -> Steps[list[float]]:
        """1, 0 or ½ for each pair."""
        prompts = [Compare(self.query, *shown) for a, b in pairs for shown in ((a, b), (b, a))]
        answers = yield from try_ask(prompts)
        verdicts: list[float] = []
        for ab, ba in zip(answers[::2], answers[1::2], strict=True):
            unanswered = isinstance(ab, Unanswered) or isinstance(ba, Unanswered)
            verdicts.append(TIE if unanswered else agreement(ab, ba))
            self.unanswered += unanswered
        self.pairs += len(verdicts)
        self.ties += verdicts.count(TIE)
        return verdicts


def _allpair(judge: _BothOrders, docs: list[Document], _: int) -> Steps[Sorted]:
    pairs = [(i, j) for i in range(len(docs)) for j in range(i + 1, len(docs))]
    verdicts = yield from judge.verdicts([(docs[i], docs[j]) for i, j in pairs])
    wins = [0.0] * len(docs)
    for (i, j), verdict in zip(pairs, verdicts, strict=True):
        wins[i] += verdict
        wins[j] += 1.0 - verdict
    order = sorted(range(len(docs)), key=lambda i: -wins[i])
    return [docs[i] for i in order], [wins[i] for i in order]


def _bubble(judge: _BothOrders, docs: list[Document], k: int) -> Steps[Sorted]:
    for steps in earliest_rounds(_bubble_steps(len(docs), k)):
        verdicts = yield from judge.verdicts([(docs[start], docs[start + 1]) for start, _ in steps])
        for (start, stop), verdict in zip(steps, verdicts, strict=True):
            if verdict < TIE:
                docs[start:stop] = docs[start + 1], docs[start]
    return docs, None


def _bubble_steps(n: int, k: int) -> list[Span]:
    return [(start, start + 2) for settled in range(k) for start in range(n - 2, settled - 1, -1)]


def _heap(judge: _BothOrders, docs: list[Document], k: int) -> Steps[Sorted]:
    heap = list(range(len(docs)))  # places in the first stage's order
    if k:
        for level in _parent_levels(len(heap)):
            yield from in_parallel(*(_sift_down(judge, docs, heap, root) for root in level))
    top: list[int] = []
    while len(top) < k:
        if top:
            yield from _sift_down(judge, docs, heap, 0)
        heap[0], heap[-1] = heap[-1], heap[0]
        top.append(heap.pop())
    return [docs[i] for i in (*top, *sorted(heap))], None


def _sift_down(judge: _BothOrders, docs: list[Document], heap: list[int], root: int) -> Steps[None]:
    """Swaps the document at `root` with its better child until none beats it; the first stage decides ties."""
    while True:
        best = root
        for child in range(2 * root + 1, min(2 * root + 3, len(heap))):
            (verdict,) = yield from judge.verdicts([(docs[heap[child]], docs[heap[best]])])
            if verdict > TIE or (verdict == TIE and heap[child] < heap[best]):
                best = child
        if best == root:
            return
        heap[root], heap[best] = heap[best], heap[root]
        root = best


def _parent_levels(n: int) -> list[range]:
    """The nodes with children, deepest level first: subtrees under one level do not share a node."""
    parents = n // 2
    return [range(2**d - 1, min(2 ** (d + 1) - 1, parents)) for d in reversed(range(parents.bit_length()))]


def _heap_plan(n: int, k: int) -> Plan:
    """Bounds: a sift compares two children a level, at best once, with the root's only."""
    levels = [[_sift_bounds(root, n) for root in level] for level in _parent_levels(n)]
    sifts = [_sift_bounds(0, size) for size in range(n - 1, n - k, -1)] if k else []
    build_rounds = (
        sum(max(b.low for b in lv) for lv in levels),
        sum(max(b.high for b in lv) for lv in levels),
    )
    low = sum(b.low for lv in levels for b in lv) + sum(b.low for b in sifts)
    high = sum(b.high for lv in levels for b in lv) + sum(b.high for b in sifts)
    rounds = Bound(build_rounds[0] + sum(b.low for b in sifts), build_rounds[1] + sum(b.high for b in sifts))
    return Plan(Bound(2 * low, 2 * high), rounds, Bound(4 * low, 4 * high))


def _sift_bounds(root: int, size: int) -> Bound:
    children = max(0, min(2, size - (2 * root + 1)))
    if not children:
        return Bound(0, 0)
    depth = (size // (root + 1)).bit_length() - 1
    return Bound(children, 2 * depth)
