"""The names of the collections, and what opens each."""

from typing import Protocol

from rerankllm.collections import (
    bright,
    cqadupstack,
    crosslingual,
    freshstack,
    futurequeryeval,
    irds,
    licensed,
    mindsmall,
    mteb,
    noveleval,
    sample,
    t2ranking,
    three_tables,
)
from rerankllm.collections.base import CacheLocation, Collection, fetching
from rerankllm.errors import InputError
from rerankllm.registry import instead


class _Source(Protocol):
    """What a file of this package that reads collections defines."""

    @property
    def NAMES(self) -> tuple[str, ...]: ...  # noqa: N802 - a constant of a module
    def place(self, name: str, /) -> CacheLocation: ...
    def load(self, name: str, /) -> Collection: ...


_SOURCES: tuple[_Source, ...] = (
    irds, cqadupstack, licensed, bright, three_tables, freshstack, crosslingual, mteb, mindsmall, noveleval,
    futurequeryeval, sample, t2ranking,
)  # fmt: skip
_BY_NAME = {name: source for source in _SOURCES for name in source.NAMES}


def names() -> list[str]:
    """All names, sorted."""
    return sorted(_BY_NAME)


def place(name: str) -> CacheLocation:
    """Where the collection is kept here, and whether it is; no library that loads data is imported for it.

    Raises:
        InputError: There is no collection of that name.
    """
    return _source(name).place(name)


def load(name: str) -> Collection:
    """Opens a collection, fetching what its library has not cached.

    Raises:
        InputError: There is no collection of that name, or it can be neither found nor fetched.
        MissingExtra: The library that reads it is not installed.
    """
    source = _source(name)
    with fetching(name, source.place(name)):
        return source.load(name)


def _source(name: str) -> _Source:
    if name not in _BY_NAME:
        raise InputError(f"unknown dataset '{name}'{instead(name, names())}")
    return _BY_NAME[name]
