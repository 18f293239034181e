"""Two documents at a time: the judge that sorts and tournaments of comparisons share."""

from collections.abc import Sequence

from rerankllm.calibration.order import TIE, agreement
from rerankllm.data import Document, Query
from rerankllm.errors import QueryFailed
from rerankllm.judgements import Compare, Steps, Unanswered, try_ask

Pair = tuple[Document, Document]


class Pairs:
    """Asks which of two documents is better, in one order or both, and keeps count.

    Args:
        query: The query.
        orders: 2 asks every pair both ways round; 1 only as it is given.
    """

    def __init__(self, query: Query, orders: int = 2) -> None:
        self._query = query
        self._orders = orders
        self._pairs = self._ties = self._unanswered = 0

    def verdicts(self, pairs: Sequence[Pair]) -> Steps[list[float]]:
        """1 where the first of a pair wins, 0 where the second does, ½ for ties; both orders have to agree."""
        answers = yield from self._answers(pairs)
        return self._counted([TIE if answer is None else agreement(*answer) for answer in answers])

    def preferences(self, pairs: Sequence[Pair]) -> Steps[list[float]]:
        """p(the first of a pair wins), the mean over the orders asked."""
        answers = yield from self._answers(pairs)
        return self._counted([TIE if answer is None else (answer[0] + 1 - answer[1]) / 2 for answer in answers])

    def notes(self) -> dict[str, int] | None:
        """What the ledger should say.

        Raises:
            QueryFailed: Half of the comparisons or more have no usable answer.
        """
        if self._unanswered * 2 >= self._pairs > 0:
            raise QueryFailed(f"{self._unanswered} of {self._pairs} comparisons have no usable answer")
        return {"tied comparisons": self._ties} if self._ties else None

    def _answers(self, pairs: Sequence[Pair]) -> Steps[list[tuple[float, float] | None]]:
        """p(the one shown first wins) as given and turned round; None where one of them is unusable."""
        orders = [((a, b), (b, a))[: self._orders] for a, b in pairs]
        answers = iter((yield from try_ask(Compare(self._query, *shown) for both in orders for shown in both)))
        found: list[tuple[float, float] | None] = []
        for both in orders:
            ab, *rest = [next(answers) for _ in both]
            ba = rest[0] if rest else None
            usable = not isinstance(ab, Unanswered) and not isinstance(ba, Unanswered)
            found.append((ab, 1 - ab if ba is None else ba) if usable else None)
        self._unanswered += found.count(None)
        return found

    def _counted(self, results: list[float]) -> list[float]:
        self._pairs += len(results)
        self._ties += results.count(TIE)
        return results
