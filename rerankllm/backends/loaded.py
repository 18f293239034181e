"""Models that stay loaded from one use to the next."""

import asyncio
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Self

from rerankllm.backends.batching import BatchBackend
from rerankllm.calls import Backend


class LoadedModels:
    """Keeps in-process models, which take long to load, for the next user of the same model.

    Only in-process models are kept. API clients, which belong to one event loop, and backends that answer from a file,
    which may remember what they were asked, are created each time; they load at once. This is a context manager, which
    frees the models at its end.
    """

    def __init__(self) -> None:
        self._kept: dict[tuple[str, frozenset[tuple[str, str]]], Backend] = {}

    def take(self, spec: str, options: Mapping[str, str], load: Callable[[], Backend]) -> Backend:
        """The backend of this spec and these options, loaded if it is not kept.

        Args:
            spec: The model's spec.
            options: Options beside the spec.
            load: Loads it.

        Raises:
            RerankError: It does not load.
        """
        key = (spec, frozenset(options.items()))
        if key in self._kept:
            return self._kept[key]
        backend = load()
        if isinstance(backend, BatchBackend):
            self._kept[key] = backend
        return backend

    def keep(self, spec: str, backend: Backend) -> None:
        """Takes in a backend that is open already: whoever asks for `spec` without options is given it."""
        self._kept[spec, frozenset()] = backend

    def keeps(self, backend: Backend) -> bool:
        """Whether a backend stays loaded when its user is done."""
        return any(backend is kept for kept in self._kept.values())

    def close(self) -> None:
        """Frees all models."""
        while self._kept:
            _, backend = self._kept.popitem()
            asyncio.run(backend.aclose())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
