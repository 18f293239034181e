"""Engines that stay loaded from one use to the next."""

import asyncio
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Self

from rerankllm.backends.batching import BatchBackend
from rerankllm.calls import Backend


class LoadedModels:
    """Keeps the engines that compute here, which take long to load, for whoever asks for the same one again.

    Only those: a client of a host belongs to one event loop, and what answers from a file may remember what it was
    asked; both are loaded at once. A context manager, which frees what it keeps.
    """

    def __init__(self) -> None:
        self._kept: dict[tuple[str, frozenset[tuple[str, str]]], Backend] = {}

    def take(self, spec: str, options: Mapping[str, str], load: Callable[[], Backend]) -> Backend:
        """The engine of this spec and these options, loaded if it is not there.

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

    def keeps(self, backend: Backend) -> bool:
        """Whether this one stays here when its user is done."""
        return any(backend is kept for kept in self._kept.values())

    def close(self) -> None:
        """Frees them."""
        while self._kept:
            _, backend = self._kept.popitem()
            asyncio.run(backend.aclose())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
