"""What all workers share: a budget, the journal of earlier runs, and counts of workers that died."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rerankllm.drivers.budget import Admission, Amount, Budget, Limits
from rerankllm.journal.merge import Parcel, parcels
from rerankllm.journal.store import Journal


@dataclass(frozen=True, slots=True)
class Seat:
    """A worker's number among the others.

    Attributes:
        number: From 0; it stays the same when the worker's process dies and is started again.
        again: Whether its process died and was started again.
        starts: How often it was started since its engine was last ready, including this time.
    """

    number: int
    again: bool
    starts: int


class Coordinator:
    """An actor beside the command. With a limit, workers ask it before every call.

    Args:
        limits: What all workers together may spend.
        journal: The journal of earlier runs; all that it holds counts as spent.
    """

    def __init__(self, limits: Limits, journal: Path | None) -> None:
        self._budget = Budget(limits)
        self._journal = None if journal is None else Journal(journal, create=False)
        if self._journal is not None:
            self._budget.spend(Amount.of(*self._journal.spent()))
        self._seats: dict[str, int] = {}
        self._starts = Counter[str]()
        self._begun = Counter[Any]()
        self._aside: dict[str, Amount] = {}
        self._deaths = 0

    def join(self, worker: str) -> Seat:
        """Gives a worker its seat. Calls that it had under way when it died count as spent: they may have been sent."""
        again = worker in self._seats
        if again:
            self._deaths += 1
            lost = self._aside.pop(worker, Amount())
            self._budget.charge(lost, lost)
        number = self._seats.setdefault(worker, len(self._seats))
        self._starts[worker] += 1
        return Seat(number, again, self._starts[worker])

    def ready(self, worker: str) -> None:
        """Notes that a worker's engine is loaded."""
        self._starts[worker] = 0

    def begin(self, what: Any) -> int:
        """Notes that a shard or a query is begun; returns how often it has been begun."""
        self._begun[what] += 1
        return self._begun[what]

    def deaths(self) -> int:
        """How many times a worker's process died and was started again."""
        return self._deaths

    def known(self, keys: Sequence[str]) -> list[Parcel]:
        """What the journal of earlier runs holds of these queries."""
        return [] if self._journal is None else list(parcels(self._journal, keys))

    def reserve(self, worker: str, most: Amount) -> Admission | str:
        """As `Budget.reserve`."""
        answer = self._budget.reserve(most)
        if answer is Admission.SEND:
            self._aside[worker] = self._aside.get(worker, Amount()) + most
        return answer

    def charge(self, worker: str, most: Amount, took: Amount) -> None:
        """As `Budget.charge`."""
        self._aside[worker] = self._aside.get(worker, Amount()) - most
        self._budget.charge(most, took)

    def stop(self, reason: str) -> None:
        """Refuses every call from now on."""
        self._budget.stop(reason)

    def close(self) -> None:
        """Closes the journal, so that others can merge into it."""
        if self._journal is not None:
            self._journal.close()
            self._journal = None

    def stopped(self) -> str:
        """Why every call is refused; empty while calls may be sent."""
        return self._budget.stopped
