"""ListK: several pivots in every list, and only what may be among the first k goes on."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import ClassVar

from rerankllm.data import Candidate, Document, Query, Ranking
from rerankllm.errors import SpecError
from rerankllm.judgements import Permute, Steps, ask, in_parallel
from rerankllm.plan import Bound, Plan
from rerankllm.strategies.questions.answer_pool import Pool, asked_once
from rerankllm.strategies.questions.lists import in_order


@dataclass(frozen=True, slots=True)
class ListK:
    """Orders a few pivots, shows them beside every chunk of the others, and goes on with what lies before place k.

    Shin, Chang and Nargesian 2026, "ListK: semantic ORDER BY and LIMIT K with listwise prompting" (arXiv 2603.17223),
    section 4.1: multi-pivot quickselect and quicksort by lists. The pivots are ordered in one prompt, and all chunks of
    the others follow in one round, the pivots in front of each. A document belongs between the pivots that its answer
    puts above it, by their number, and the rest. The parts that hold the first `top_k` are ordered next: neighbouring
    ones together as far as they fit one prompt, a longer part by pivots of its own, all at the same time. What lies
    behind them keeps the order of the parts. The paper draws its pivots, or takes those at and behind place k by the
    similarity of vectors; here the first stage's order stands for that. Ties, and documents that an answer omits, stay
    in the order shown, the pivots first.

    Cost: 1 call of n slots when the list fits one window. Otherwise ⌈(n − pivots)/(window − pivots)⌉ calls and one for
    the pivots, and so on for what is left: for n = 100, 7 calls in 2 rounds and a last one at least. With simulated
    judges it is 9 or 10 calls in 4 rounds and 145 to 160 slots. Settles top_k places, all when one window holds the
    list.

    Attributes:
        window: Documents in one prompt, at least 2.
        pivots: How many of them are pivots, fewer than `window`.
        top_k: How many first places are wanted.
    """

    window: int = 20
    pivots: int = 3
    top_k: int = 10
    asks: ClassVar[tuple[type, ...]] = (Permute,)

    def __post_init__(self) -> None:
        for name, least in (("window", 2), ("pivots", 1), ("top_k", 1)):
            if getattr(self, name) < least:
                raise SpecError(f"listk: {name} should be at least {least}, found {getattr(self, name)}")
        if self.pivots >= self.window:
            raise SpecError(f"listk: pivots should be fewer than window={self.window}, found {self.pivots}")

    def rank(self, query: Query, candidates: Sequence[Candidate]) -> Steps[Ranking]:
        """Ranks every candidate."""
        docs = [candidate.document for candidate in candidates]
        lists = _Lists(query, docs)
        order = yield from asked_once(self._order(lists, list(range(len(docs))), self.top_k), Pool())
        return Ranking.of(query, [docs[i] for i in order], notes=+lists.notes)

    def _order(self, lists: "_Lists", items: list[int], k: int) -> Steps[list[int]]:
        """The items with the best k of them first, in order."""
        if len(items) <= self.window:
            return (yield from lists.one(items))
        parts = yield from self._parts(lists, items, k)
        groups = list(self._together(parts))
        starts = [0, *(sum(map(len, groups[: i + 1])) for i in range(len(groups)))]
        within = [(group, k - start) for group, start in zip(groups, starts, strict=False) if start < k]
        ordered = yield from in_parallel(*(self._order(lists, group, wanted) for group, wanted in within))
        return [*chain(*ordered), *chain(*groups[len(within) :])]

    def _parts(self, lists: "_Lists", items: list[int], k: int) -> Steps[list[list[int]]]:
        """The items as the pivots part them, best first; each pivot is a part of its own."""
        behind = min(k, len(items) - self.pivots)
        pivots = yield from lists.one(items[behind : behind + self.pivots])
        others = [*items[:behind], *items[behind + self.pivots :]]
        size = self.window - self.pivots
        chunks = [others[start : start + size] for start in range(0, len(others), size)]
        between: list[list[int]] = [[] for _ in range(self.pivots + 1)]
        for order in (yield from lists.all([[*pivots, *chunk] for chunk in chunks])):
            above = 0
            for item in order:
                if item in pivots:
                    above += 1
                else:
                    between[above].append(item)
        return [part for pair in zip(between, [*([pivot] for pivot in pivots), []], strict=True) for part in pair]

    def _together(self, parts: Sequence[list[int]]) -> Iterator[list[int]]:
        """Neighbouring parts in one, as long as they fit one prompt."""
        group: list[int] = []
        for part in parts:
            if group and len(group) + len(part) > self.window:
                yield group
                group = []
            group = [*group, *part]
        yield group

    def plan(self, n: int) -> Plan:
        """Bounds: from a first part that fits one prompt to pivots that part nothing from the rest, every time."""
        if n <= self.window:
            return Plan.exactly(int(n > 1), int(n > 1), n if n > 1 else 0)
        sizes = range(n, self.window, -self.pivots)
        chunks = [-(-(size - self.pivots) // (self.window - self.pivots)) for size in sizes]
        first, last, lists = int(self.pivots > 1), int(min(self.top_k, n) > self.pivots), min(self.top_k, n // 2)
        shown = [size + self.pivots * (count - 1 + first) for size, count in zip(sizes, chunks, strict=True)]
        return Plan(
            Bound(first + chunks[0] + last, sum(chunks) + first * len(sizes) + lists),
            Bound(first + 1 + last, (first + 1) * len(sizes) + 1),
            Bound(shown[0] + last * min(self.top_k, self.window - self.pivots + 1), sum(shown) + n),
        )

    def settles(self, n: int) -> int:
        """The top_k, all when one window holds the list."""
        return n if n <= self.window else min(self.top_k, n)


class _Lists:
    """Asks for orders of the documents of one query, and keeps count."""

    def __init__(self, query: Query, docs: Sequence[Document]) -> None:
        self._query, self._docs = query, docs
        self._place = {doc.doc_id: i for i, doc in enumerate(docs)}
        self.notes = Counter[str]()

    def one(self, items: list[int]) -> Steps[list[int]]:
        """These in order; one alone is not asked about."""
        if len(items) <= 1:
            return items
        (order,) = yield from self.all([items])
        return order

    def all(self, lists: Sequence[list[int]]) -> Steps[list[list[int]]]:
        """Each list in order, in one round."""
        shown = [[self._docs[i] for i in items] for items in lists]
        answers = yield from ask(Permute(self._query, tuple(docs)) for docs in shown)
        for answer in answers:
            self.notes["omitted documents"] += len(answer.omitted)
            self.notes["tied documents"] += sum(len(tied) for tied in answer.groups if len(tied) > 1)
        orders = (in_order(answer, docs) for answer, docs in zip(answers, shown, strict=True))
        return [[self._place[doc.doc_id] for doc in order] for order in orders]
