"""A worker's share of the budget that the coordinator keeps for all workers."""

import time
from typing import Any

from rerankllm.drivers.budget import Admission, Amount, Budget, Limits

LATER = 0.05
"""Seconds until a worker without running calls asks again whether those of others have settled."""


class SharedBudget(Budget):
    """Admits a call after the coordinator has set aside the most that it can take, so that no limit is overshot.

    Args:
        limits: The limits of all workers together.
        coordinator: The actor that keeps count.
        worker: The name of this worker.
    """

    def __init__(self, limits: Limits, coordinator: Any, worker: str) -> None:
        super().__init__(limits)
        self._coordinator, self._worker = coordinator, worker
        self._under_way = 0

    def reserve(self, most: Amount) -> Admission | str:
        """Asks the coordinator; without running calls of its own, waits for those of other workers to settle."""
        import ray  # noqa: PLC0415

        while not self.stopped:
            answer: Admission | str = ray.get(self._coordinator.reserve.remote(self._worker, most))
            if answer is not Admission.WAIT:
                self._under_way += answer is Admission.SEND
                return answer
            if self._under_way:
                return Admission.WAIT
            time.sleep(LATER)
        return self.stopped

    def charge(self, most: Amount, took: Amount) -> None:
        """Tells the coordinator what a call took, in the order in which calls settle here."""
        self._under_way -= 1
        self._coordinator.charge.remote(self._worker, most, took)
