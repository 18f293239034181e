"""Heapsort stopped after k, for any question that finds the best of a node and its children."""

from collections.abc import Callable, Iterator

from rerankllm.judgements import Steps, in_parallel
from rerankllm.plan import Bound

BestOf = Callable[[list[int]], Steps[int]]
"""Which of these items is best? The node comes first, its children after it."""


def heapsort(n: int, k: int, arity: int, best_of: BestOf) -> Steps[list[int]]:
    """Orders items 0 to n - 1: the best k, best first, then the rest as they were."""
    heap = list(range(n))
    if k:
        yield from heapify(heap, arity, best_of)
    top: list[int] = []
    while len(top) < k:
        if top:
            yield from sift_down(heap, 0, arity, best_of)
        heap[0], heap[-1] = heap[-1], heap[0]
        top.append(heap.pop())
    return [*top, *sorted(heap)]


def heap_cost(n: int, k: int, arity: int, cost: Callable[[int], int], *, in_rounds: bool = False) -> Bound:
    """Bounds on what `heapsort` takes.

    Args:
        n: How many items.
        k: How many are extracted.
        arity: Children of a node.
        cost: Of finding the best of a node and so many children.
        in_rounds: Whether what runs in parallel counts once.
    """

    def sift(root: int, size: int) -> Bound:
        children = max(0, min(arity, size - (arity * root + 1)))
        depth, node = 0, arity * root + 1
        while node < size:
            depth, node = depth + 1, arity * node + 1
        return Bound(cost(children) if children else 0, depth * cost(arity))

    levels = [[sift(root, n) for root in level] for level in _parent_levels(n, arity)] if k else []
    merge = max if in_rounds else sum
    parts = [Bound(merge(b.low for b in level), merge(b.high for b in level)) for level in levels]
    parts += [sift(0, size) for size in range(n - 1, n - k, -1)]
    return Bound(sum(part.low for part in parts), sum(part.high for part in parts))


def heapify(heap: list[int], arity: int, best_of: BestOf) -> Steps[None]:
    """Makes a heap of a list, a level at a time, deepest first.

    Subtrees under one level share no node, so they are sifted in parallel.
    """
    for level in _parent_levels(len(heap), arity):
        yield from in_parallel(*(sift_down(heap, root, arity, best_of) for root in level))


def sift_down(heap: list[int], root: int, arity: int, best_of: BestOf) -> Steps[None]:
    """Swaps the item at `root` with the best of its children until it beats them."""
    while True:
        children = range(arity * root + 1, min(arity * root + 1 + arity, len(heap)))
        if not children:
            return
        best = yield from best_of([heap[root], *(heap[child] for child in children)])
        if best == heap[root]:
            return
        place = heap.index(best, children.start, children.stop)
        heap[root], heap[place] = heap[place], heap[root]
        root = place


def _parent_levels(n: int, arity: int) -> Iterator[range]:
    """The nodes with children, deepest level first."""
    parents = -(-(n - 1) // arity)
    levels: list[range] = []
    start, width = 0, 1
    while start < parents:
        levels.append(range(start, min(start + width, parents)))
        start, width = start + width, width * arity
    return reversed(levels)
