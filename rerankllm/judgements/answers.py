"""What a judge answers, or why it does not, and how its answer read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import chain
from typing import Any, TypeAlias


@dataclass(frozen=True, slots=True)
class WeakOrder:
    """The answer to `Permute`: exactly the documents shown, none invented.

    Attributes:
        groups: Document ids that were ranked, best first; several in one group are tied.
        omitted: Ids that were shown and not ranked, in the order shown. To say where they belong is the strategy's
            business, so that an aggregation never sees evidence nobody gave.
    """

    groups: tuple[tuple[str, ...], ...]
    omitted: tuple[str, ...] = ()

    @property
    def ranked(self) -> tuple[str, ...]:
        """The ranked ids, ties in the order the answer named them."""
        return tuple(chain.from_iterable(self.groups))


@dataclass(frozen=True, slots=True)
class Assessment:
    """The answer to `Assess`.

    Attributes:
        grades: One a criterion, in order; NaN for no grade.
        rationales: Why, one a criterion; "" where the answer gives no reason.
    """

    grades: tuple[float, ...]
    rationales: tuple[str, ...]


Answer: TypeAlias = Any
"""A float, a `WeakOrder`, a tuple of ids, of floats or of criteria, a text, an `Assessment` or an array: see each."""


class Failure(StrEnum):
    """Whose fault it is that a judgement has no answer."""

    CALL = "call"
    """No answer came: refused connection, timeout, error status, budget of the run. Asking again may help."""
    REFUSED = "refused"
    """It was not sent: what its query may spend is used up, or the query's deadline over."""
    ANSWER = "answer"
    """The model answered, but nothing in it can be used."""


@dataclass(frozen=True, slots=True)
class Unanswered:
    """A judgement that could not be answered.

    Attributes:
        reason: One line.
        failure: Whether the call failed or the answer was unusable.
        instead: An answer that is no evidence, with which a strategy goes on that needs one; None: the query fails.
    """

    reason: str
    failure: Failure = Failure.CALL
    instead: Answer | None = field(default=None, compare=False)


class Status(StrEnum):
    """How an answer read."""

    PARSED = "parsed"
    REPAIRED = "repaired"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class ParseReport:
    """How an answer read.

    Attributes:
        status: Whether it was complete as it was.
        repairs: Each kind of repair it needed, with how often.
        form: The form it was written in, such as `chain` or `json`; None where it is not known, or nothing was read.
    """

    status: Status = Status.PARSED
    repairs: Mapping[str, int] = field(default_factory=dict)
    form: str | None = None


TELLING = 4
"""Documents in an order that is the order shown once in 24 times by chance, or more rarely."""


def gives_back(shown: Sequence[str], order: WeakOrder) -> bool:
    """Whether an order names the first of the documents, as many as it names, in the order shown and without ties."""
    ranked = order.ranked
    return len(ranked) == len(order.groups) and ranked == tuple(shown[: len(ranked)])
