"""What a form found in an answer."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from rerankllm.elicitation.reading.lexer import UNKNOWN


@dataclass(frozen=True, slots=True)
class Candidate:
    """An order, as one form reads it at one place of an answer.

    Attributes:
        form: The form's name.
        groups: Indices of the labels, best first, ties together, as written: labels may come again or be UNKNOWN.
        start: Where it starts in the plain text.
        end: Where it ends.
        alone: Whether it fills its lines, so that nothing but an announcement stands before it.
        ascending: Whether it is written from the worst to the best, and `groups` is that reversed.
        repairs: What was made good, besides labels unknown, repeated or missing.
    """

    form: str
    groups: tuple[tuple[int, ...], ...]
    start: int
    end: int
    alone: bool = True
    ascending: bool = False
    repairs: Counter[str] = field(default_factory=Counter)

    @property
    def named(self) -> int:
        """How many of the labels shown it names."""
        return len({index for group in self.groups for index in group} - {UNKNOWN})

    @property
    def order(self) -> tuple[tuple[int, ...], ...]:
        """The groups, each label once and in one way."""
        seen: set[int] = {UNKNOWN}
        order: list[tuple[int, ...]] = []
        for group in self.groups:
            fresh = sorted(set(group) - seen)
            seen.update(group)
            if fresh:
                order.append(tuple(fresh))
        return tuple(order)


def as_shown(indices: Sequence[int]) -> bool:
    """Whether several labels come in the order in which they were shown."""
    return len(indices) > 1 and all(a < b for a, b in pairwise(indices)) and indices[0] >= 0
