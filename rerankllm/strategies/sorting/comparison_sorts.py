"""Sorts by comparing two documents at a time."""

from rerankllm.calibration.order import TIE
from rerankllm.data import Document
from rerankllm.judgements import Steps
from rerankllm.plan import Bound, Plan
from rerankllm.strategies.questions.pairs import Pairs
from rerankllm.strategies.sorting.heap import heap_cost, heapsort
from rerankllm.strategies.sorting.schedule import Span, earliest_rounds

Sorted = tuple[list[Document], list[float] | None]
"""Every document, best first, and their scores where the sort gives any."""
Known = dict[tuple[int, int], float]
"""Preferences between places in the first stage's order, the smaller place first."""


def allpair(judge: Pairs, docs: list[Document], _: int) -> Steps[Sorted]:
    """Every pair, in one round; a document scores the sum of its p(win)."""
    wins = yield from _round_robin(judge, docs, list(range(len(docs))), {})
    order = sorted(range(len(docs)), key=lambda i: -wins[i])
    return [docs[i] for i in order], [wins[i] for i in order]


def allpair_plan(n: int, _: int) -> Plan:
    """Exact."""
    return Plan.exactly(calls=n * (n - 1), rounds=int(n > 1), slots=2 * n * (n - 1))


def bubble(judge: Pairs, docs: list[Document], k: int) -> Steps[Sorted]:
    """Neighbour swaps from the end, k passes of them, each two steps behind the one before."""
    for steps in earliest_rounds(_bubble_steps(len(docs), k)):
        verdicts = yield from judge.preferences([(docs[start], docs[start + 1]) for start, _ in steps])
        for (start, stop), verdict in zip(steps, verdicts, strict=True):
            if verdict < TIE:
                docs[start:stop] = docs[start + 1], docs[start]
    return docs, None


def bubble_plan(n: int, k: int) -> Plan:
    """Exact but for neighbours that have met before: where nothing is swapped, later passes ask nothing new."""
    rounds = earliest_rounds(_bubble_steps(n, k))
    comparisons, first = sum(map(len, rounds)), max(0, n - 1)
    exact = Plan.exactly(calls=2 * comparisons, rounds=len(rounds), slots=4 * comparisons)
    return exact.or_fewer(calls=2 * first, rounds=first, slots=4 * first)


def _bubble_steps(n: int, k: int) -> list[Span]:
    return [(start, start + 2) for settled in range(k) for start in range(n - 2, settled - 1, -1)]


def heap(judge: Pairs, docs: list[Document], k: int) -> Steps[Sorted]:
    """Heapsort, stopped after k; the first stage decides ties."""

    def best_of(items: list[int]) -> Steps[int]:
        best, *children = items
        for child in children:
            (verdict,) = yield from judge.preferences([(docs[child], docs[best])])
            if verdict > TIE or (verdict == TIE and child < best):
                best = child
        return best

    order = yield from heapsort(len(docs), k, 2, best_of)
    return [docs[i] for i in order], None


def heap_plan(n: int, k: int) -> Plan:
    """Bounds: a sift compares two children a level, at best once, with the root's only; pairs may meet again.

    No fewer than n − 1 different pairs show which document is best.
    """
    pairs = max(0, n - 1)
    sifts = Plan(
        heap_cost(n, k, 2, lambda children: 2 * children),
        heap_cost(n, k, 2, lambda children: children, in_rounds=True),
        heap_cost(n, k, 2, lambda children: 4 * children),
    )
    return sifts.or_fewer(calls=2 * pairs, rounds=pairs.bit_length(), slots=4 * pairs)


def quickselect(judge: Pairs, docs: list[Document], k: int) -> Steps[Sorted]:
    """Partitions around a pivot until the top k are known, then compares each of those with each.

    The pivot is the document that the first stage puts at the place looked for: where the first stage is any good,
    most of the list falls away at once.
    """
    known: Known = {}
    top: list[int] = []
    active, wanted = list(range(len(docs))), k
    while 0 < wanted < len(active):
        pivot = active[wanted - 1]
        others = [i for i in active if i != pivot]
        beat = yield from preferences_of(judge, docs, [(i, pivot) for i in others], known)
        above = [i for i, verdict in zip(others, beat, strict=True) if verdict > TIE or (verdict == TIE and i < pivot)]
        if len(above) >= wanted:
            active = above
        else:
            top += [*above, pivot]
            active = [i for i in others if i not in set(above)]
            wanted -= len(above) + 1
    top = sorted([*top, *active[:wanted]])
    wins = yield from _round_robin(judge, docs, top, known)
    top.sort(key=lambda i: -wins[i])
    return [docs[i] for i in (*top, *(i for i in range(len(docs)) if i not in set(top)))], None


def quickselect_plan(n: int, k: int) -> Plan:
    """Bounds: a perfect first pivot, and one that parts nothing from the rest every time."""
    if k == n:
        return allpair_plan(n, k)
    unknown = (k - 1) * (k - 2) // 2
    low, high = n - 1 + unknown, n * (n - 1) // 2
    return Plan(Bound(2 * low, 2 * high), Bound(1 + (unknown > 0), n), Bound(4 * low, 4 * high))


def _round_robin(judge: Pairs, docs: list[Document], places: list[int], known: Known) -> Steps[dict[int, float]]:
    pairs = [(i, j) for at, i in enumerate(places) for j in places[at + 1 :]]
    verdicts = yield from preferences_of(judge, docs, pairs, known)
    wins = dict.fromkeys(places, 0.0)
    for (i, j), verdict in zip(pairs, verdicts, strict=True):
        wins[i] += verdict
        wins[j] += 1 - verdict
    return wins


def preferences_of(
    judge: Pairs, docs: list[Document], pairs: list[tuple[int, int]], known: Known
) -> Steps[list[float]]:
    """p(the first wins) for these pairs of places; those not known yet are asked, and known then."""
    unknown = [pair for pair in ((min(p), max(p)) for p in pairs) if pair not in known]
    verdicts = yield from judge.preferences([(docs[i], docs[j]) for i, j in unknown])
    known.update(zip(unknown, verdicts, strict=True))
    return [known[i, j] if i < j else 1 - known[j, i] for i, j in pairs]
