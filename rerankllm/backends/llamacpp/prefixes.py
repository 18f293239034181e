"""Which token is computed for whom, when prompts that begin alike are decoded together.

Sequences of a KV cache may share cells, so what several prompts have in common is computed once. `plan` says what is
left to compute for paths sorted by their tokens; `Cells` keeps count of the room that takes. Nothing here computes.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Path:
    """The tokens one sequence is to hold.

    Attributes:
        sequence: The sequence's number in the cache.
        ids: Its tokens.
        cached: How many of them it holds already.
        shareable: How many of them may be computed for others too; those after are read off, so they are its own.
    """

    sequence: int
    ids: tuple[int, ...]
    cached: int
    shareable: int


@dataclass(frozen=True, slots=True)
class Run:
    """Consecutive tokens to compute once for several sequences: those of `path` from `start` to before `stop`."""

    path: Path
    start: int
    stop: int
    sequences: tuple[int, ...]


def common(first: Sequence[int], second: Sequence[int]) -> int:
    """How many tokens two sequences begin with in common."""
    length = min(len(first), len(second))
    if first[:length] == second[:length]:
        return length
    low = 0  # first[:low] == second[:low], and not so for length
    while length - low > 1:
        middle = (low + length) // 2
        if first[low:middle] == second[low:middle]:
            low = middle
        else:
            length = middle
    return low


def shared(first: Path, second: Path) -> int:
    """How many tokens two paths can have computed together."""
    return min(common(first.ids, second.ids), first.shareable, second.shareable)


def plan(paths: Sequence[Path]) -> list[Run]:
    """What is left to compute: every token exactly once that no path holds, in an order the cache accepts.

    Args:
        paths: Sorted by their ids. Those that hold tokens already hold the beginning of one and the same sequence.
    """
    joins = [shared(before, path) for before, path in itertools.pairwise(paths)]
    runs = []
    for index, path in enumerate(paths):
        start = max(path.cached, joins[index - 1] if index else 0)
        while start < len(path.ids):
            last, stop = index, len(path.ids)
            while last < len(joins) and joins[last] > start:
                stop = min(stop, joins[last])
                last += 1
            sequences = tuple(sharer.sequence for sharer in paths[index : last + 1])
            runs.append(Run(path, start, stop, sequences))
            start = stop
    return runs


class Cells:
    """How much of a KV cache is taken: a mirror of which positions of which sequences share a cell."""

    def __init__(self) -> None:
        self._spans: list[tuple[int, int, set[int]]] = []

    @property
    def used(self) -> int:
        """Cells that some sequence holds."""
        return sum(stop - start for start, stop, _ in self._spans)

    def add(self, start: int, stop: int, sequences: Sequence[int]) -> None:
        """Takes cells for these positions, shared by these sequences."""
        self._spans.append((start, stop, set(sequences)))

    def copy(self, source: int, target: int, length: int) -> None:
        """Lets `target` hold the first `length` positions of `source` too."""
        self._split(source, length)
        for _, stop, holders in self._spans:
            if source in holders and stop <= length:
                holders.add(target)

    def trim(self, sequence: int, length: int = 0) -> None:
        """Lets go of what `sequence` holds after its first `length` positions."""
        self._split(sequence, length)
        for start, _, holders in self._spans:
            if start >= length:
                holders.discard(sequence)
        self._spans = [span for span in self._spans if span[2]]

    def _split(self, sequence: int, at: int) -> None:
        for span in list(self._spans):
            start, stop, holders = span
            if sequence in holders and start < at < stop:
                self._spans.remove(span)
                self._spans += [(start, at, set(holders)), (at, stop, set(holders))]
