"""Two documents at a time: the judge that sorts and tournaments of comparisons share."""

import random
from collections.abc import Sequence

from rerankllm.calibration.order import FORMS, TIE, Form
from rerankllm.data import Document, Query
from rerankllm.errors import QueryFailed
from rerankllm.judgements import Compare, Steps, Unanswered, try_ask

Pair = tuple[Document, Document]


class Pairs:
    """Asks which of two documents is better, in one order or both, and keeps count.

    Args:
        query: The query.
        calibrate: How two orders become one preference; one order alone counts as both of it and its mirror image.
        orders: 2 asks every pair both ways round; 1 only once.
        seed: Of chance, which says who of a pair is shown first where it is asked once: the same whenever the two meet
            again. None shows it as it is given.
    """

    def __init__(self, query: Query, calibrate: Form, orders: int = 2, seed: int | None = None) -> None:
        self._query = query
        self._form = FORMS[calibrate]
        self._orders = orders
        self._seed = seed
        self._pairs = self._ties = self._unanswered = 0

    def preferences(self, pairs: Sequence[Pair]) -> Steps[list[float]]:
        """p(the first of a pair wins): ½ for a tie, and where an answer cannot be used."""
        turned = [self._turned(a, b) for a, b in pairs]
        given = [pair[::-1] if turn else pair for pair, turn in zip(pairs, turned, strict=True)]
        orders = [((a, b), (b, a))[: self._orders] for a, b in given]
        answers = iter((yield from try_ask(Compare(self._query, *shown) for both in orders for shown in both)))
        preferred = [self._preference([next(answers) for _ in both]) for both in orders]
        found = [1 - p if turn else p for p, turn in zip(preferred, turned, strict=True)]
        self._pairs += len(found)
        self._ties += found.count(TIE)
        return found

    def notes(self) -> dict[str, int] | None:
        """What the ledger should say.

        Raises:
            QueryFailed: Half of the comparisons or more have no usable answer.
        """
        if self._unanswered * 2 >= self._pairs > 0:
            raise QueryFailed(f"{self._unanswered} of {self._pairs} comparisons have no usable answer")
        return {"tied comparisons": self._ties} if self._ties else None

    def _turned(self, first: Document, second: Document) -> bool:
        """Whether chance shows the second of a pair first."""
        if self._seed is None or self._orders > 1:
            return False
        low, high = sorted((first.doc_id, second.doc_id))
        toss = random.Random(f"{self._seed} {self._query.query_id} {low} {high}").random()  # noqa: S311
        return (toss < 0.5) != (first.doc_id == low)  # noqa: PLR2004

    def _preference(self, answers: Sequence[float | Unanswered]) -> float:
        """Of the answers to one pair, as given and, where it was asked, turned round."""
        usable = [answer for answer in answers if not isinstance(answer, Unanswered)]
        if len(usable) < len(answers):
            self._unanswered += 1
            return TIE
        return self._form(usable[0], usable[1] if self._orders == 2 else 1 - usable[0])  # noqa: PLR2004
