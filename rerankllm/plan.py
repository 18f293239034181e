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

    def plus(self, other: "Bound") -> "Bound":
        """Of the sum of two numbers so bounded."""
        return Bound(self.low + other.low, self.high + other.high)

    def times(self, count: int) -> "Bound":
        """Of so many times a number so bounded."""
        return Bound(self.low * count, self.high * count)

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

    def or_fewer(self, calls: int, rounds: int, slots: int) -> "Plan":
        """The same, or as little as this: of judgements that a query has asked already nothing is sent."""
        return Plan(
            Bound(min(calls, self.calls.low), self.calls.high),
            Bound(min(rounds, self.rounds.low), self.rounds.high),
            Bound(min(slots, self.slots.low), self.slots.high),
        )

    def then(self, other: "Plan") -> "Plan":
        """The one after the other."""
        return Plan(self.calls.plus(other.calls), self.rounds.plus(other.rounds), self.slots.plus(other.slots))

    def side_by_side(self, count: int) -> "Plan":
        """So many of it at the same time."""
        return Plan(self.calls.times(count), self.rounds, self.slots.times(count))
