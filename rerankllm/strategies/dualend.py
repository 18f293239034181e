"""DualEnd: the best and the worst of what is left in one answer, until the middle is reached."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from rerankllm.data import Candidate, Query, Ranking
from rerankllm.errors import SpecError
from rerankllm.judgements import Ends, Steps, ask
from rerankllm.plan import Plan


@dataclass(frozen=True, slots=True)
class DualEnd:
    """Shows all documents that are left, asks for the best and the worst of them, and fills the ranking from both ends.

    Li et al. 2026, "Whole-pool setwise reranking with long-context language models" (arXiv 2606.01782), WP-DualEnd. It
    orders n documents by half as many calls as naming one at a time, each waiting for the one before; the prompts are
    long. After `top_k` calls as many places are filled at either end; the rest stay between them in the first stage's
    order. The paper goes on to the middle, which `top_k=50` does for 100 documents. An answer that cannot be used takes
    the first and the last that are left in the first stage's order, and is noted.

    Cost: min(top_k, ⌊n/2⌋) calls in as many rounds, the i-th of them n − 2(i − 1) slots: 10 calls and 910 slots for
    n = 100, and 50 and 2,550 for the whole order. Settles top_k places, all when the middle is reached.

    Attributes:
        top_k: How many first places are wanted.
    """

    top_k: int = 10
    asks: ClassVar[tuple[type, ...]] = (Ends,)

    def __post_init__(self) -> None:
        if self.top_k < 1:
            raise SpecError(f"dualend: top_k should be at least 1, found {self.top_k}")

    def rank(self, query: Query, candidates: Sequence[Candidate]) -> Steps[Ranking]:
        """Ranks every candidate."""
        left = {candidate.doc_id: candidate.document for candidate in candidates}
        first, last = [], []
        unnamed = 0
        for _ in range(self._calls(len(left))):
            shown = tuple(left.values())
            (answer,) = yield from ask([Ends(query, shown)])
            unnamed += not answer
            best, worst = answer or (shown[0].doc_id, shown[-1].doc_id)
            first.append(left.pop(best))
            last.append(left.pop(worst))
        notes = {"ends without an answer": unnamed} if unnamed else None
        return Ranking.of(query, [*first, *left.values(), *reversed(last)], notes=notes)

    def plan(self, n: int) -> Plan:
        """Exact."""
        calls = self._calls(n)
        return Plan.exactly(calls, calls, sum(range(n, n - 2 * calls, -2)))

    def settles(self, n: int) -> int:
        """The top_k, all when the middle is reached."""
        return n if self._calls(n) == n // 2 else self.top_k

    def _calls(self, n: int) -> int:
        return min(self.top_k, n // 2)
