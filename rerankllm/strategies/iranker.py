"""Iterative elimination: the worst goes, until one is left."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from rerankllm.data import Candidate, Query, Ranking
from rerankllm.judgements import Select, Steps, Unanswered, try_ask
from rerankllm.plan import Plan


@dataclass(frozen=True, slots=True)
class IRanker:
    """Removes the worst of all documents that are left, one by one; the ranking is the order of removal, reversed.

    Feng et al. 2025, "IRanker: towards ranking foundation model", section 3: each decision is small enough to be
    learnt. It is slow, since every call waits for the one before. Where an answer names nobody, the last in the
    first stage's order goes.

    Cost: n − 1 calls in n − 1 rounds and n(n+1)/2 − 1 slots: 99 and 5,049 for n = 100. Settles the whole list.
    """

    asks: ClassVar[tuple[type, ...]] = (Select,)

    def rank(self, query: Query, candidates: Sequence[Candidate]) -> Steps[Ranking]:
        """Ranks every candidate."""
        left = [candidate.document for candidate in candidates]
        removed: list[int] = []
        docs = dict(enumerate(left))
        unnamed = 0
        while len(docs) > 1:
            (answer,) = yield from try_ask([Select(query, tuple(docs.values()), worst=True)])
            unusable = isinstance(answer, Unanswered)
            unnamed += unusable
            worst = max(docs) if unusable else next(i for i, doc in docs.items() if doc.doc_id == answer[0])
            removed.append(worst)
            del docs[worst]
        order = [*docs, *reversed(removed)]
        notes = {"removed without an answer": unnamed} if unnamed else None
        return Ranking.of(query, [left[i] for i in order], notes=notes)

    def plan(self, n: int) -> Plan:
        """Exact."""
        calls = max(0, n - 1)
        return Plan.exactly(calls, calls, max(0, n * (n + 1) // 2 - 1))

    def settles(self, n: int) -> int:
        """All of them."""
        return n
