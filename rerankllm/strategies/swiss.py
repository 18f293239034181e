"""Swiss: rounds of neighbours in the standing."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

from rerankllm.calibration.order import TIE, Form
from rerankllm.data import Candidate, Query, Ranking
from rerankllm.errors import SpecError
from rerankllm.judgements import Compare, Steps
from rerankllm.plan import Bound, Plan
from rerankllm.strategies.blocks.swiss_pairing import swiss_cost, swiss_pairs
from rerankllm.strategies.questions.pairs import Pairs


@dataclass(frozen=True, slots=True)
class Swiss:
    """Plays rounds in which neighbours in the standing that have not met are compared; each gains p(win) − ½ points.

    A sure win is half a point, a tie is none. Points count from even, so that nothing is gained by playing twice in a
    round, as one document does if n is odd. Equal points are ordered by Buchholz (the sum of the opponents' points),
    then by the first stage. Where pairs are shown in one order, who is shown first
    alternates.

    Cost: ⌈n/2⌉ comparisons a round until everyone has met everyone; for n = 100 in 7 rounds and one order 350 calls and
    700 slots. Settles nothing: even right answers may leave places wrong, as ⌈log₂ n⌉ rounds are too few for the whole
    order.

    Attributes:
        rounds: How many; ⌈log₂ n⌉ when none.
        orders: 2 asks every pair both ways round, 1 once.
        calibrate: What two orders mean together; see `rerankllm.calibration.order`.
    """

    rounds: int | None = None
    orders: Literal[1, 2] = 1
    calibrate: Form = "logodds"
    asks: ClassVar[tuple[type, ...]] = (Compare,)

    def __post_init__(self) -> None:
        if self.rounds is not None and self.rounds < 1:
            raise SpecError(f"swiss: rounds should be at least 1, found {self.rounds}")

    def rank(self, query: Query, candidates: Sequence[Candidate]) -> Steps[Ranking]:
        """Ranks every candidate.

        Raises:
            QueryFailed: Half of the comparisons or more have no usable answer.
        """
        docs = [candidate.document for candidate in candidates]
        judge = Pairs(query, self.calibrate, self.orders)
        points = [0.0] * len(docs)
        met: list[set[int]] = [set() for _ in docs]
        for number in range(self._rounds(len(docs))):
            games = swiss_pairs(_standing(points, met), met)
            games = [game if (number + at) % 2 else game[::-1] for at, game in enumerate(games)]
            wins = yield from judge.preferences([(docs[a], docs[b]) for a, b in games])
            for (a, b), win in zip(games, wins, strict=True):
                points[a] += win - TIE
                points[b] -= win - TIE
                met[a].add(b)
                met[b].add(a)
        order = _standing(points, met)
        return Ranking.of(query, [docs[i] for i in order], [points[i] for i in order], judge.notes())

    def plan(self, n: int) -> Plan:
        """Exact up to n/4 rounds (n/2 where n is even), bounds beyond."""
        rounds, games = swiss_cost(n, self._rounds(n))
        calls = Bound(self.orders * games.low, self.orders * games.high)
        return Plan(calls, rounds, Bound(2 * calls.low, 2 * calls.high))

    def settles(self, n: int) -> int | None:
        """Nothing where there is anything to order: equal documents may hold each other to ties."""
        return n if n < 2 else None  # noqa: PLR2004

    def _rounds(self, n: int) -> int:
        return self.rounds or max(0, n - 1).bit_length()


def _standing(points: list[float], met: list[set[int]]) -> list[int]:
    """By points, then by those of the opponents, then by the first stage."""
    return sorted(range(len(points)), key=lambda i: (-points[i], -sum(points[j] for j in met[i])))
