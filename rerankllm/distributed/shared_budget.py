"""A budget that is kept elsewhere, for all workers together."""

import time
from typing import Any

from rerankllm.drivers.budget import Admission, Amount, Budget, Limits

LATER = 0.05
"""Seconds until a worker with nothing under way asks again whether others have settled."""


class SharedBudget(Budget):
    """A worker's end of the coordinator's budget: what it admits was set aside there, so no limit is overshot.

    Args:
        limits: The limits, which all workers know.
        coordinator: The actor that keeps count.
        worker: Who asks.
    """

    def __init__(self, limits: Limits, coordinator: Any, worker: str) -> None:
        super().__init__(limits)
        self._coordinator, self._worker = coordinator, worker
        self._under_way = 0

    def reserve(self, most: Amount) -> Admission | str:
        """Asks the coordinator; waits here for other workers' calls where none of this one's is under way."""
        import ray  # noqa: PLC0415

        while not self._stopped:
            answer: Admission | str = ray.get(self._coordinator.reserve.remote(self._worker, most))
            if answer is not Admission.WAIT:
                self._under_way += answer is Admission.SEND
                return answer
            if self._under_way:
                return Admission.WAIT
            time.sleep(LATER)
        return self._stopped

    def charge(self, most: Amount, took: Amount) -> None:
        """Tells the coordinator, in the order in which calls are settled here."""
        self._under_way -= 1
        self._coordinator.charge.remote(self._worker, most, took)
