"""What judgements say of two documents: shown together, scored by the same judge, or linked by a chain."""

import math
from collections import defaultdict, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import combinations
from statistics import fmean
from typing import Literal, TypeAlias

from rerankllm.analysis.answers import Answers

Ground: TypeAlias = Literal["together", "strength", "scores", "others", "nothing"]
LONGEST_CHAIN = 4
"""Steps of a chain; more say little."""
ROUNDING = 1e-9
"""Strengths as small cancel out."""


@dataclass(frozen=True, slots=True)
class Pair:
    """What is known of two documents.

    Attributes:
        one: The first.
        other: The second.
        together: The judgements that showed both, each with its verdict: 1 for `one`, -1 for `other`, 0 for a tie,
            None where it does not tell them apart.
        scores: The mean score of each, where the same judge scored both; of several such, the last to be asked.
        chain: From the better to the worse, each judged better than the next; empty where none was looked for or
            found, or one as long says the opposite.
    """

    one: str
    other: str
    together: tuple[tuple[Answers, int | None], ...]
    scores: tuple[float, float] | None
    chain: tuple[str, ...]

    @property
    def net(self) -> int:
        """Verdicts for `one`, less those for `other`."""
        return sum(verdict or 0 for _, verdict in self.together)

    @property
    def strength(self) -> float:
        """The sum of p − ½ over their comparisons, p being the probability that `one` wins."""
        compared = [heard for heard, verdict in self.together if heard.kind == "Compare" and verdict is not None]
        return sum((float(h.answer) - 0.5) * (1 if h.of(h.docs[0]) == self.one else -1) for h in compared)

    @property
    def ground(self) -> Ground:
        """The most direct evidence that tells them apart: verdicts, the strength of comparisons, scores, a chain."""
        if self.net:
            return "together"
        if abs(self.strength) > ROUNDING:
            return "strength"
        if self.scores is not None and self.scores[0] != self.scores[1]:
            return "scores"
        return "others" if self.chain else "nothing"

    @property
    def better(self) -> str | None:
        """The document that this evidence speaks for; None for neither."""
        if self.ground == "together":
            return self.one if self.net > 0 else self.other
        if self.ground == "strength":
            return self.one if self.strength > 0 else self.other
        if self.ground == "scores" and self.scores is not None:
            return self.one if self.scores[0] > self.scores[1] else self.other
        return self.chain[0] if self.chain else None

    @property
    def orders(self) -> tuple[int, int]:
        """Of Compares in both orders, how often the two agreed on a winner, or on a tie, and how often they did not."""
        sides: dict[str, list[int]] = {self.one: [], self.other: []}
        for heard, verdict in self.together:
            if heard.kind == "Compare" and verdict is not None:
                sides[heard.of(heard.docs[0])].append(verdict)
        agreed = [first == second for first, second in zip(*sides.values(), strict=False)]
        return sum(agreed), len(agreed) - sum(agreed)


@dataclass(frozen=True)
class Evidence:
    """All judgements of one ranking; `pair` says what they tell of two documents."""

    judgements: Sequence[Answers] = field(default_factory=tuple)

    @cached_property
    def shown(self) -> Mapping[str, Sequence[Answers]]:
        """By document, the judgements that showed it."""
        found: dict[str, list[Answers]] = defaultdict(list)
        for each in self.judgements:
            for doc_id in dict.fromkeys(map(each.of, each.docs)):
                found[doc_id].append(each)
        return found

    @cached_property
    def scores(self) -> Mapping[str, Mapping[str, float]]:
        """The mean score of each document, by the judge and what was asked; of several passages, that of the best."""
        found: dict[str, dict[tuple[str, str], list[float]]] = defaultdict(lambda: defaultdict(list))
        for each in self.judgements:
            for shown, score in each.scores.items():
                found[f"{each.kind} {each.judge}"][each.of(shown), shown].append(score)
        best: dict[str, dict[str, float]] = {judge: {} for judge in found}
        for judge, passages in found.items():
            for (doc_id, _), scores in passages.items():
                best[judge][doc_id] = max(fmean(scores), best[judge].get(doc_id, -math.inf))
        return best

    @cached_property
    def beats(self) -> Mapping[str, set[str]]:
        """The documents that each document beats in most of the judgements that show both."""
        net: dict[tuple[str, str], int] = defaultdict(int)
        for each in self.judgements:
            levels = each.standing
            for one, other in combinations(sorted(levels), 2):
                if levels[one].named or levels[other].named:
                    net[one, other] += (levels[one].at < levels[other].at) - (levels[one].at > levels[other].at)
        found: dict[str, set[str]] = defaultdict(set)
        for (one, other), value in net.items():
            if value:
                found[one if value > 0 else other].add(other if value > 0 else one)
        return found

    def pair(self, one: str, other: str) -> Pair:
        """What is known of two documents; a chain is looked for only where nothing else tells them apart."""
        together = tuple((each, each.verdict(one, other)) for each in self.shown.get(one, ()) if each.shown(other))
        both = [(docs[one], docs[other]) for docs in self.scores.values() if one in docs and other in docs]
        found = Pair(one, other, together, both[-1] if both else None, ())
        if found.ground != "nothing":
            return found
        there, back = sorted((self._chain(one, other), self._chain(other, one)), key=len)
        chain = () if len(there) == len(back) else there or back  # of two that contradict each other, the shorter
        return Pair(one, other, together, found.scores, chain)

    def _chain(self, better: str, worse: str) -> tuple[str, ...]:
        """The shortest chain in which each document beats the next; of several, that of the smallest ids."""
        reached: dict[str, tuple[str, ...]] = {better: (better,)}
        waiting = deque([better])
        while waiting:
            doc_id = waiting.popleft()
            for beaten in sorted(self.beats.get(doc_id, ())):
                if beaten not in reached and len(reached[doc_id]) <= LONGEST_CHAIN:
                    reached[beaten] = (*reached[doc_id], beaten)
                    waiting.append(beaten)
            if worse in reached:
                return reached[worse]
        return ()
