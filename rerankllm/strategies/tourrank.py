"""TourRank: a tournament with points, several times over."""

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from rerankllm.data import Candidate, Query, Ranking
from rerankllm.errors import SpecError
from rerankllm.judgements import Select, Steps, in_parallel
from rerankllm.plan import Plan
from rerankllm.strategies.questions.best_of_group import Choice

STAGES = ((0.5, 20), (0.2, 10), (0.1, 20), (0.05, 20), (0.02, 20))
"""Of each stage: the share of all documents that it leaves, and how many a group may hold."""


class Play(NamedTuple):
    """One group of one stage.

    Attributes:
        places: Of its documents, among those still in.
        winners: How many of them go on.
    """

    places: range
    winners: int


@dataclass(frozen=True, slots=True)
class TourRank:
    """Plays tournaments of several stages in which groups select their best; each selection gives a document a point.

    Chen et al. 2024, "TourRank: Utilizing large language models for documents ranking with a tournament-inspired
    strategy", section 3. The paper has 100 documents, of which 50, 20, 10, 5 and 2 remain; here as many of n in
    proportion, in as few groups as hold 20 (10 in the second stage) at most, the places shared out evenly. A group
    takes every g-th document of those still in, so that groups are equally strong, and is shuffled; the tournaments
    differ in the shuffling only and are played at the same time.

    Cost for n = 100: 13 calls a tournament, 185 slots, 5 rounds in all; n + ⌊n/2⌋ + … slots for others. One
    tournament settles the first place where one document remains at the end (n < 75); points tie, and ties keep the
    first stage's order. A selection that names too few is filled up from the first stage, points and all, and noted.

    Attributes:
        rounds: How many tournaments.
        seed: Of the shuffling.
    """

    rounds: int = 2
    seed: int = 0
    asks: ClassVar[tuple[type, ...]] = (Select,)

    def __post_init__(self) -> None:
        if self.rounds < 1:
            raise SpecError(f"tourrank: rounds should be at least 1, found {self.rounds}")

    def rank(self, query: Query, candidates: Sequence[Candidate]) -> Steps[Ranking]:
        """Ranks every candidate.

        Raises:
            QueryFailed: Half of the selections or more have no usable answer.
        """
        docs = [candidate.document for candidate in candidates]
        choice = Choice(query, docs)
        tournaments = (_tournament(choice, len(docs), f"{self.seed} {number}") for number in range(self.rounds))
        points = sum((yield from in_parallel(*tournaments)), Counter[int]())
        order = sorted(range(len(docs)), key=lambda i: -points[i])
        return Ranking.of(query, [docs[i] for i in order], [float(points[i]) for i in order], choice.notes())

    def plan(self, n: int) -> Plan:
        """Exact, or less where a later tournament shuffles a group as an earlier one did, which is not asked again."""
        stages = list(_stages(n))
        calls, slots = sum(map(len, stages)), sum(len(play.places) for stage in stages for play in stage)
        return Plan.exactly(self.rounds * calls, len(stages), self.rounds * slots).or_fewer(calls, len(stages), slots)

    def settles(self, n: int) -> int | None:
        """The first place, where one tournament ends with one document."""
        if n <= 1:
            return n
        *_, final = _stages(n)
        return 1 if self.rounds == 1 and sum(play.winners for play in final) == 1 else None


def _tournament(choice: Choice, n: int, seed: str) -> Steps[Counter[int]]:
    """The points of every document."""
    rng = random.Random(seed)  # noqa: S311
    points: Counter[int] = Counter()
    left = list(range(n))
    for stage in _stages(n):
        groups = [[left[place] for place in play.places] for play in stage]
        for group in groups:
            rng.shuffle(group)
        winners = yield from choice.select([(tuple(g), play.winners) for g, play in zip(groups, stage, strict=True)])
        left = sorted(i for group in winners for i in group)
        points.update(left)
    return points


def _stages(n: int) -> Iterator[list[Play]]:
    """Who plays in each stage that leaves fewer than it had."""
    size = n
    for share, most in STAGES:
        left = max(1, int(n * share + 0.5))
        if left >= size:
            continue
        groups = -(-size // most)
        yield [Play(range(g, size, groups), left // groups + (g < left % groups)) for g in range(groups)]
        size = left
