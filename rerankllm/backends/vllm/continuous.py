"""Continuous batching: work joins what an engine is computing at any step, and leaves it when it is done."""

import itertools
from abc import abstractmethod
from collections.abc import Mapping, Sequence

from rerankllm.backends.batching import BatchBackend, _Waiter
from rerankllm.calls import Outcome, Request
from rerankllm.errors import BackendError


class ContinuousBackend(BatchBackend[Request]):
    """A batch backend whose engine advances by steps. Subclasses write `admit`, `step` and `withdraw`.

    A round of a thousand requests is taken in as one batch; a single request that comes while it is computed joins
    it at the next step and is answered when it is done, whoever else is still being computed. One that nobody waits
    for any more leaves the engine.
    """

    def __init__(self) -> None:
        super().__init__()
        self._keys = map(str, itertools.count())

    @abstractmethod
    def admit(self, key: str, work: Request) -> Outcome | None:
        """Hands a request to the engine; returns its outcome where there is nothing to compute."""

    @abstractmethod
    def step(self) -> Mapping[str, Outcome]:
        """Computes one step; returns the outcomes of the requests that it finished, by key."""

    @abstractmethod
    def withdraw(self, keys: Sequence[str]) -> None:
        """Takes requests out of the engine that are not finished."""

    def run(self, works: Sequence[Request]) -> Sequence[Outcome]:
        """Computes these and whatever comes in meanwhile, telling each as soon as it is done.

        Returns:
            Nothing: everybody has been told. If it raises, those who have not been are left in `_running`.
        """
        del works  # those of `_running`
        under_way: dict[str, _Waiter] = {}
        arrived = list(self._running)
        try:
            while arrived or under_way:
                for waiter in arrived:
                    key = next(self._keys)
                    outcome = self.admit(key, waiter.work)
                    if outcome is None:
                        under_way[key] = waiter
                    else:
                        waiter.settle(outcome)
                unwanted = [key for key, waiter in under_way.items() if not waiter.waits]
                self.withdraw(unwanted)
                for key in unwanted:
                    del under_way[key]
                for key, outcome in (self.step() if under_way else {}).items():
                    under_way.pop(key).settle(outcome)
                arrived = self._newcomers()
                self._running = [*under_way.values(), *arrived]
        finally:
            self.withdraw(list(under_way))
        return []

    def _newcomers(self) -> list[_Waiter]:
        """What has come in since the last step.

        Raises:
            BackendError: The backend is being closed: nothing more is computed.
        """
        with self._lock:
            if self._closed:
                raise BackendError(f"{self.model} was closed")
            arrived, self._pending = self._pending, []
        return [waiter for waiter in arrived if waiter.waits]
