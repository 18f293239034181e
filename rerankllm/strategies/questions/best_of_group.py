"""The best of a group: the judge that setwise sorts and tournaments of groups share."""

import random
from collections import Counter
from collections.abc import Sequence
from itertools import islice

from rerankllm.data import Document, Query
from rerankllm.errors import QueryFailed
from rerankllm.judgements import Answer, Select, Steps, Unanswered, try_ask

Group = tuple[int, ...]


class Choice:
    """Asks which of a group are best, and keeps count.

    Documents are places in the first stage's order, which decides where an answer does not: a group whose answer is
    unusable goes to its first-stage best, and an answer that names too few is filled up with them.

    Args:
        query: The query.
        docs: In the first stage's order.
        permutations: Above 1, every group is shown so many times, each time shuffled, and the most votes win.
        seed: Of the shuffling.
    """

    def __init__(self, query: Query, docs: Sequence[Document], permutations: int = 1, seed: int = 0) -> None:
        self._query = query
        self._docs = docs
        self._permutations = permutations
        self._seed = seed
        self._known: dict[tuple[Group, int], list[int]] = {}
        self._groups = self._unanswered = self._padded = 0

    def one(self, group: Sequence[int]) -> Steps[int]:
        """The best of one group, asked once."""
        ((best,),) = yield from self.best([group])
        return best

    def best(self, groups: Sequence[Sequence[int]], m: int = 1) -> Steps[list[list[int]]]:
        """The m best of each group, best first; a group that was asked before, in the same order, is not again."""
        wanted = [(tuple(group), m) for group in groups]
        unknown = [group for group in dict.fromkeys(wanted) if group not in self._known]
        self._known.update(zip(unknown, (yield from self.select(unknown)), strict=True))
        return [self._known[group] for group in wanted]

    def select(self, groups: Sequence[tuple[Group, int]]) -> Steps[list[list[int]]]:
        """For each group and number, so many best, best first; all groups in one round."""
        ballots = [(shown, m) for group, m in groups for shown in self._shown(group)]
        answers = yield from try_ask(
            Select(self._query, tuple(self._docs[i] for i in shown), m) for shown, m in ballots
        )
        votes = iter(map(self._places, (shown for shown, _ in ballots), answers))
        return [self._decide(group, m, list(islice(votes, self._permutations))) for group, m in groups]

    def notes(self) -> dict[str, int] | None:
        """What the ledger should say.

        Raises:
            QueryFailed: Half of the groups or more have no usable answer.
        """
        if self._unanswered * 2 >= self._groups > 0:
            raise QueryFailed(f"{self._unanswered} of {self._groups} selections have no usable answer")
        notes = {"unanswered selections": self._unanswered, "selections filled up": self._padded}
        return {note: count for note, count in notes.items() if count} or None

    def _shown(self, group: Group) -> list[Group]:
        if self._permutations == 1:
            return [group]
        rng = random.Random(f"{self._seed} {group}")  # noqa: S311
        return [tuple(rng.sample(group, len(group))) for _ in range(self._permutations)]

    def _places(self, shown: Group, answer: Answer) -> list[int]:
        """The documents an answer names; none where it is unusable."""
        if isinstance(answer, Unanswered):
            return []
        places = {self._docs[i].doc_id: i for i in shown}
        return [places[doc_id] for doc_id in answer]

    def _decide(self, group: Group, m: int, votes: list[list[int]]) -> list[int]:
        """Those with the most votes; one vote in its own order, several and what is missing in the first stage's."""
        count = Counter(i for vote in votes for i in vote)
        self._groups += 1
        self._unanswered += not count
        self._padded += 0 < len(count) < m
        named = list(count) if self._permutations == 1 else sorted(count)
        named.sort(key=lambda i: -count[i])
        return [*named, *sorted(set(group) - set(named))][:m]
