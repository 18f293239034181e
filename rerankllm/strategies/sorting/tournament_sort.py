"""The best of groups by knock-out, and a heap of them: a sort that stops after k."""

from collections.abc import Sequence
from itertools import zip_longest

from rerankllm.calibration.order import TIE
from rerankllm.data import Document
from rerankllm.judgements import Steps
from rerankllm.plan import Bound, Plan
from rerankllm.strategies.questions.pairs import Pairs
from rerankllm.strategies.sorting.comparison_sorts import Known, Sorted, preferences_of
from rerankllm.strategies.sorting.heap import heap_cost, heapify, sift_down

Slots = list[int | None]


def tournament(judge: Pairs, docs: list[Document], k: int) -> Steps[Sorted]:
    """Groups of every k-th document play knock-out; their winners form a heap.

    Whoever leaves it is replaced by the next best of the group, who is found by playing again without those
    gone. Their places stay empty, so only the games on the last winner's way are new.
    """
    known: Known = {}

    def best_of(items: list[int]) -> Steps[int]:
        best, *others = items
        for other in others:
            if (yield from _winners(judge, docs, [(winners[best], winners[other])], known)) == [winners[other]]:
                best = other
        return best

    groups: list[Slots] = [list(range(start, len(docs), k)) for start in range(k)]
    winners = yield from _champions(judge, docs, groups, known)
    heap = list(range(k))
    yield from heapify(heap, 2, best_of)
    top: list[int] = []
    while len(top) < k:
        if top:
            group = groups[heap[0]]
            group[group.index(winners[heap[0]])] = None
            if any(item is not None for item in group):
                (winners[heap[0]],) = yield from _champions(judge, docs, [group], known)
            else:
                heap[0] = heap[-1]
                heap.pop()
            yield from sift_down(heap, 0, 2, best_of)
        top.append(winners[heap[0]])
    return [docs[i] for i in (*top, *sorted(set(range(len(docs))) - set(top)))], None


def tournament_plan(n: int, k: int) -> Plan:
    """Bounds: who is known from another game, and a sift that ends at once.

    No fewer than n − 1 different pairs show which document is best.
    """
    least, levels = max(0, n - 1), (-(-n // k) - 1).bit_length() if k else 0
    again = max(0, k - 1)
    sifts = max(0, k.bit_length() - 1) * 2
    most = n - k + heap_cost(k, min(k, 1), 2, lambda children: children).high + again * (max(0, levels - 1) + sifts)
    building = heap_cost(k, min(k, 1), 2, lambda children: children, in_rounds=True).high
    rounds = Bound(least.bit_length(), levels + building + again * (max(0, levels - 1) + sifts))
    return Plan(Bound(2 * least, 2 * most), rounds, Bound(4 * least, 4 * most))


def _champions(judge: Pairs, docs: list[Document], groups: Sequence[Slots], known: Known) -> Steps[list[int]]:
    """The winner of each group; neighbours play, and who has nobody to play goes on."""
    rounds = [list(group) for group in groups]
    while any(len(slots) > 1 for slots in rounds):
        meetings = [list(zip_longest(slots[::2], slots[1::2])) for slots in rounds]
        games = [(a, b) for pairs in meetings for a, b in pairs if a is not None and b is not None]
        played = iter((yield from _winners(judge, docs, games, known)))
        rounds = [[next(played) if None not in pair else _present(pair) for pair in pairs] for pairs in meetings]
    return [item for slots in rounds for item in slots if item is not None]


def _present(pair: tuple[int | None, int | None]) -> int | None:
    """Who of the two is there; None where neither is."""
    return pair[1] if pair[0] is None else pair[0]


def _winners(judge: Pairs, docs: list[Document], games: list[tuple[int, int]], known: Known) -> Steps[list[int]]:
    """Who wins each game; the first stage decides ties."""
    verdicts = yield from preferences_of(judge, docs, games, known)
    return [min(game) if verdict == TIE else game[verdict < TIE] for game, verdict in zip(games, verdicts, strict=True)]
