"""Pairwise ranking prompting."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

from rerankllm.calibration.order import TIE, agreement
from rerankllm.data import Candidate, Document, Query, Ranking
from rerankllm.errors import SpecError
from rerankllm.judgements import Compare, Steps, Unanswered, in_parallel, try_ask
from rerankllm.plan import Bound, Plan
from rerankllm.strategies.schedule import Span, earliest_rounds

Pair = tuple[Document, Document]


@dataclass(frozen=True, slots=True)
class Prp:
    """Compares two documents at a time, always in both orders, and sorts by the outcomes.

    Qin et al. 2023, "Large language models are effective text rankers with pairwise ranking prompting", sections
    3.2–3.4. A document wins when both orders say so; disagreement, and an answer that names neither, is a tie. Ties
    leave documents where they are.

    Cost in prompts, two a comparison, with k = min(top_k, n):

    - `allpair`: n(n−1), 1 round; every win counts 1 and every tie ½. Settles the whole list.
    - `heap`: heapsort, stopped after k documents: at most 2·(2(n−1) + 2(k−1)·⌊log₂ n⌋), about 490 for n = 100 and
      k = 10. The heap is built a level at a time, its subtrees in parallel.
    - `bubble`: k passes of neighbour swaps from the end: 2·Σ_{p<k}(n−1−p); a pass starts two steps behind the one
      before, so n = 100, k = 10 takes 108 rounds, not 945.

    Slots are twice the calls. `heap` and `bubble` settle k places; the rest follow in the order they had (`bubble`:
    the order the passes left).

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
        """Ranks every candidate."""
        docs = [candidate.document for candidate in candidates]
        sort = {"allpair": _allpair, "heap": _heap, "bubble": _bubble}[self.sort]
        return (yield from sort(query, docs, min(self.top_k, len(docs))))

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


def _verdicts(query: Query, pairs: Sequence[Pair]) -> Steps[list[float]]:
    """1, 0 or ½ for each pair, from both orders."""
    prompts = [Compare(query, *shown) for a, b in pairs for shown in ((a, b), (b, a))]
    answers = yield from try_ask(prompts)
    said = [TIE if isinstance(answer, Unanswered) else answer for answer in answers]
    return [agreement(ab, ba) for ab, ba in zip(said[::2], said[1::2], strict=True)]


def _allpair(query: Query, docs: list[Document], _: int) -> Steps[Ranking]:
    pairs = [(i, j) for i in range(len(docs)) for j in range(i + 1, len(docs))]
    verdicts = yield from _verdicts(query, [(docs[i], docs[j]) for i, j in pairs])
    wins = [0.0] * len(docs)
    for (i, j), verdict in zip(pairs, verdicts, strict=True):
        wins[i] += verdict
        wins[j] += 1.0 - verdict
    order = sorted(range(len(docs)), key=lambda i: -wins[i])
    return Ranking.of(query, [docs[i] for i in order], [wins[i] for i in order])


def _bubble(query: Query, docs: list[Document], k: int) -> Steps[Ranking]:
    for steps in earliest_rounds(_bubble_steps(len(docs), k)):
        pairs = [(docs[start], docs[start + 1]) for start, _ in steps]
        verdicts = yield from _verdicts(query, pairs)
        for (start, stop), verdict in zip(steps, verdicts, strict=True):
            if verdict < TIE:
                docs[start:stop] = docs[start + 1], docs[start]
    return Ranking.of(query, docs)


def _bubble_steps(n: int, k: int) -> list[Span]:
    return [(start, start + 2) for settled in range(k) for start in range(n - 2, settled - 1, -1)]


def _heap(query: Query, docs: list[Document], k: int) -> Steps[Ranking]:
    heap = list(docs)
    if k:
        for level in _parent_levels(len(heap)):
            yield from in_parallel(*(_sift_down(query, heap, root) for root in level))
    top: list[Document] = []
    while len(top) < k:
        if top:
            yield from _sift_down(query, heap, 0)
        heap[0], heap[-1] = heap[-1], heap[0]
        top.append(heap.pop())
    taken = {doc.doc_id for doc in top}
    return Ranking.of(query, [*top, *(doc for doc in docs if doc.doc_id not in taken)])


def _sift_down(query: Query, heap: list[Document], root: int) -> Steps[None]:
    """Swaps the document at `root` with its better child until neither child beats it."""
    while True:
        best = root
        for child in range(2 * root + 1, min(2 * root + 3, len(heap))):
            (verdict,) = yield from _verdicts(query, [(heap[child], heap[best])])
            if verdict > TIE:
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
