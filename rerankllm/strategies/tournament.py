"""ListT5's tournament sort: a tree of groups, replayed for every rank."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from rerankllm.data import Candidate, Query, Ranking
from rerankllm.errors import SpecError
from rerankllm.judgements import Select, Steps
from rerankllm.plan import Bound, Plan
from rerankllm.strategies.questions.best_of_group import Choice


@dataclass(frozen=True, slots=True)
class Tournament:
    """Plays a knock-out tournament of groups of m for the first place, then replays it without the winner for the next.

    Yoon et al. 2024, "ListT5: Listwise reranking with Fusion-in-Decoder improves zero-shot retrieval", section 3.
    The first groups are neighbours in the first stage's order. A group that stands as it did in an earlier replay
    is not asked again, so a replay costs the path from the last winner's group to the final only. Groups from which
    winners have gone play with those they have.

    Cost: the first play exactly, (n − 1) / (m − 1) groups or so for r = 1; every further rank at most one path of the
    tree, which is one group a level for r = 1 and a little more where neighbouring groups share a group above. For
    n = 100, m = 5 and k = 10: 52 calls and 30 rounds for r = 1; about 79 and 49 for r = 2, where the public code
    takes 87 to 103 calls.

    Settles top_k places; the rest follow in the first stage's order. Answers that name too few are filled up from
    the first stage and noted.

    Attributes:
        m: Documents in one prompt, at least 2.
        winners: How many of a group advance (r), fewer than m. More make up for wrong answers.
        top_k: How many first places are wanted.
    """

    m: int = 5
    winners: int = 2
    top_k: int = 10
    asks: ClassVar[tuple[type, ...]] = (Select,)

    def __post_init__(self) -> None:
        if not 1 <= self.winners < self.m:
            raise SpecError(f"tournament: winners should be from 1 to m - 1, found {self.winners} of {self.m}")
        if self.top_k < 1:
            raise SpecError(f"tournament: top_k should be at least 1, found {self.top_k}")

    def rank(self, query: Query, candidates: Sequence[Candidate]) -> Steps[Ranking]:
        """Ranks every candidate.

        Raises:
            QueryFailed: Half of the selections or more have no usable answer.
        """
        docs = [candidate.document for candidate in candidates]
        choice = Choice(query, docs)
        top: list[int] = []
        while len(top) < min(self.top_k, len(docs)):
            winner = yield from self._winner(choice, len(docs), set(top))
            top.append(winner)
        rest = (i for i in range(len(docs)) if i not in set(top))
        return Ranking.of(query, [docs[i] for i in (*top, *rest)], notes=choice.notes())

    def _winner(self, choice: Choice, n: int, gone: set[int]) -> Steps[int]:
        """Plays the tree without those gone; slots they leave stay empty, so that other groups stay as they are."""
        slots: list[int | None] = [None if i in gone else i for i in range(n)]
        while len(slots) > self.m:
            groups = [slots[start : start + self.m] for start in range(0, len(slots), self.m)]
            present = [[item for item in group if item is not None] for group in groups]
            playing = [group for group in present if len(group) > self.winners]
            played = iter((yield from choice.best(playing, self.winners)))
            through = [next(played) if len(group) > self.winners else group for group in present]
            slots = [
                item
                for group, best in zip(groups, through, strict=True)
                for item in _seated(best, min(self.winners, len(group)))
            ]
        final = [item for item in slots if item is not None]
        if len(final) == 1:
            return final[0]
        return (yield from choice.one(final))

    def plan(self, n: int) -> Plan:
        """The first play, and bounds on its replays: nothing anew, or the costliest path every time."""
        levels = self._levels(n)
        playing = [[group for group in level if group > self.winners] for level in levels[:-1]]
        playing.append([group for group in levels[-1] if group > 1])
        calls, rounds, slots = sum(map(len, playing)), sum(map(bool, playing)), sum(map(sum, playing))
        replays = max(0, min(self.top_k, n) - 1)
        paths = [self._path(levels, leaf) for leaf in range(len(levels[0]))]
        return Plan(
            Bound(calls, calls + replays * max(len(path) for path in paths)),
            Bound(rounds, rounds * (1 + replays)),
            Bound(slots, slots + replays * max(sum(path) for path in paths)),
        )

    def settles(self, n: int) -> int:
        """The top_k."""
        return min(self.top_k, n)

    def _levels(self, n: int) -> list[list[int]]:
        """The sizes of the groups of each level, the final last."""
        levels: list[list[int]] = []
        size = n
        while size > self.m:
            levels.append([min(self.m, size - start) for start in range(0, size, self.m)])
            size = sum(min(self.winners, group) for group in levels[-1])
        return [*levels, [size]]

    def _path(self, levels: list[list[int]], leaf: int) -> list[int]:
        """The sizes of the groups that may change when one group of the first level does."""
        first = last = leaf
        changed: list[int] = []
        for level in levels:
            changed += [group for group in level[first : last + 1] if group > 1]
            seats = [min(self.winners, group) for group in level]
            first, last = sum(seats[:first]) // self.m, (sum(seats[: last + 1]) - 1) // self.m
        return changed


def _seated(best: list[int], seats: int) -> list[int | None]:
    """In the first stage's order, so that a replay shows the same group in the same order."""
    return [*sorted(best), *[None] * (seats - len(best))]
