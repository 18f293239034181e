"""What a ranking will take, said before it runs."""

from dataclasses import dataclass
from typing import NamedTuple


class Bound(NamedTuple):
    """At least `low`, at most `high`; equal where the algorithm is fixed."""

    low: int
    high: int

    @classmethod
    def exactly(cls, value: int) -> "Bound":
        return cls(value, value)

    def __contains__(self, value: object) -> bool:
        return isinstance(value, int) and self.low <= value <= self.high


@dataclass(frozen=True, slots=True)
class Plan:
    """The cost of ranking one query.

    Attributes:
        calls: Judgements asked.
        rounds: Longest chain of judgements that wait for one another.
        slots: Passage copies sent; it is slots rather than calls that drive the cost of short answers.
    """

    calls: Bound
    rounds: Bound
    slots: Bound

    @classmethod
    def exactly(cls, calls: int, rounds: int, slots: int) -> "Plan":
        return cls(Bound.exactly(calls), Bound.exactly(rounds), Bound.exactly(slots))
