"""Single elimination: a bracket, seeded."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

from rerankllm.calibration.order import TIE, Form
from rerankllm.data import Candidate, Document, Query, Ranking
from rerankllm.judgements import Compare, Steps
from rerankllm.plan import Plan
from rerankllm.strategies.questions.pairs import Pairs


@dataclass(frozen=True, slots=True)
class Elimination:
    """Plays knock-out rounds of pairs: who goes out later ranks higher, then who won more clearly, then the seed.

    The seeded tournament of ArenaRL, on documents. Seeds 1 and 2 can meet in the final only, and where n is no power
    of two the best seeds have a bye in the first round; the public code pairs neighbours after dropping its byes,
    which undoes the seeding. The better seed wins a tie. Where pairs are shown in one order, who is shown first
    alternates, so that a liking for the first place favours neither seed.

    Cost: n − 1 comparisons in ⌈log₂ n⌉ rounds, and as many again, in one round, for seeding by `anchor`. For n = 100
    in one order: 198 calls, 8 rounds, 396 slots. Settles the first place only.

    Attributes:
        seeding: `anchor` seeds by how each document fares against the first stage's first; `first_stage` by the first
            stage's order.
        orders: 2 asks every pair both ways round, 1 once.
        calibrate: What two orders mean together; see `rerankllm.calibration.order`.
    """

    seeding: Literal["anchor", "first_stage"] = "anchor"
    orders: Literal[1, 2] = 1
    calibrate: Form = "logodds"
    asks: ClassVar[tuple[type, ...]] = (Compare,)

    def rank(self, query: Query, candidates: Sequence[Candidate]) -> Steps[Ranking]:
        """Ranks every candidate.

        Raises:
            QueryFailed: Half of the comparisons or more have no usable answer.
        """
        docs = [candidate.document for candidate in candidates]
        judge = Pairs(query, self.calibrate, self.orders)
        results: list[list[float]] = [[] for _ in docs]
        seeds = yield from self._seeds(judge, docs, results)
        seed = {item: number for number, item in enumerate(seeds)}
        lasted = dict.fromkeys(seeds, 0)
        bracket = [seeds[number] if number < len(seeds) else None for number in _bracket(len(seeds))]
        while len(bracket) > 1:
            meetings = list(zip(bracket[::2], bracket[1::2], strict=True))
            games = [(a, b) for a, b in meetings if a is not None and b is not None]
            shown = [game if number % 2 else game[::-1] for number, game in enumerate(games, len(bracket).bit_length())]
            yield from _play(judge, docs, shown, results)
            out = {min(game, key=lambda item: (results[item][-1], -seed[item])) for game in games}
            bracket = [a if b is None or b in out else b for a, b in meetings]
            lasted.update((item, lasted[item] + 1) for item in bracket if item is not None)
        order = sorted(seeds, key=lambda i: (-lasted[i], -sum(results[i]) / max(1, len(results[i]))))
        return Ranking.of(query, [docs[i] for i in order], notes=judge.notes())

    def plan(self, n: int) -> Plan:
        """Exact; where the anchor is seeded, less by the games of the anchor that seeding has shown already."""
        anchor = int(self.seeding == "anchor" and n > 1)
        games = max(0, n - 1) * (1 + anchor)
        rounds = anchor + max(0, n - 1).bit_length()
        exact = Plan.exactly(self.orders * games, rounds, 2 * self.orders * games)
        once = self.orders * max(0, n - 1)
        return exact.or_fewer(once, 1, 2 * once) if anchor else exact

    def settles(self, n: int) -> int:
        """The winner."""
        return min(1, n)

    def _seeds(self, judge: Pairs, docs: list[Document], results: list[list[float]]) -> Steps[list[int]]:
        """The documents, best seed first; the anchor stands between those that beat it and those that do not."""
        seeds = list(range(len(docs)))
        if self.seeding == "anchor":
            yield from _play(judge, docs, [(0, i) for i in seeds[1:]], results)
            seeds.sort(key=lambda i: -results[i][0] if i else -TIE)
        return seeds


def _play(judge: Pairs, docs: list[Document], games: list[tuple[int, int]], results: list[list[float]]) -> Steps[None]:
    """Adds p(win) to the results of both."""
    wins = yield from judge.preferences([(docs[a], docs[b]) for a, b in games])
    for (a, b), win in zip(games, wins, strict=True):
        results[a].append(win)
        results[b].append(1 - win)


def _bracket(n: int) -> list[int]:
    """Seeds, 0 the best, in the order of the bracket; its size is the next power of two."""
    order = [0] if n else []
    while len(order) < n:
        order = [seed for better in order for seed in (better, 2 * len(order) - 1 - better)]
    return order
