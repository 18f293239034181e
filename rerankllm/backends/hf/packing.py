"""Sequences that begin alike, packed end to end: every token that differs once, no padding. Nothing here computes.

Sorted by their tokens, each sequence begins with what it shares with the one before, and nothing else that was computed
is of use to it or to any later one. So beside the tokens at hand only the path to the last one has to be remembered.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rerankllm.backends.hf.batches import Limits, Row
from rerankllm.backends.llamacpp.sharing import common

BLOCK = 512
"""Keys that attention takes at a time; up to so many it gains nothing from knowing that later ones are not seen."""
WIDE = 2
"""Tokens of context for each new one from which on a mask is cheaper, however many there are."""
ALIKE = 0.75
"""How long the shortest of the sequences must be that attend together, as a share of the longest."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Consecutive tokens of one row that are computed together.

    Attributes:
        row: Whose.
        start: The first of them; those before are its context.
        stop: The one after the last.
        slots: Where the keys and values of all tokens before `stop` lie: counted from the oldest remembered one.
        place: How many tokens of the chunk come before these.
    """

    row: int
    start: int
    stop: int
    slots: Sequence[int]
    place: int

    @property
    def masked(self) -> bool:
        """Whether it attends by a mask; else its context has queries too, which nobody reads."""
        return self.start > WIDE * (self.stop - self.start) or 0 < self.start < self.stop <= BLOCK


@dataclass(frozen=True, slots=True)
class Chunk:
    """What one pass computes.

    Attributes:
        pieces: In order, by row.
        keep: Slots of the last chunk that are remembered for this one; they become its first.
    """

    pieces: tuple[Piece, ...]
    keep: Sequence[int]

    @property
    def tokens(self) -> int:
        """How many tokens are computed."""
        return sum(piece.stop - piece.start for piece in self.pieces)

    @property
    def groups(self) -> list[list[Piece]]:
        """The pieces, those together that are of similar length."""
        groups: list[list[Piece]] = []
        for piece in sorted(self.pieces, key=lambda piece: (piece.masked, -piece.stop)):
            if groups and groups[-1][0].masked == piece.masked and piece.stop >= ALIKE * groups[-1][0].stop:
                groups[-1].append(piece)
            else:
                groups.append([piece])
        return groups


@dataclass(slots=True)
class Path:
    """The tokens of the sequence that was computed last, and where their keys and values lie."""

    ids: tuple[int, ...] = ()
    slots: Sequence[int] = ()


def chunks(rows: Sequence[Row], limits: Limits, path: Path) -> Iterator[Chunk]:
    """Every row, sorted by their tokens and cut so that each chunk is full but the last.

    Args:
        rows: What is to be computed. What is read of a row is computed for it, whoever computed the same before.
        limits: Of a chunk.
        path: What is remembered; after each chunk what it leaves.
    """
    pieces: list[Piece] = []
    keep: Sequence[int] = ()
    used = read = 0
    for index in sorted(range(len(rows)), key=lambda i: rows[i].ids):
        row = rows[index]
        start = min(common(path.ids, row.ids), len(row.ids) - row.read)
        path.ids, path.slots = row.ids, path.slots[:start]
        while start < len(row.ids):
            if not pieces:
                keep, path.slots = path.slots, range(start)
            unread = max(len(row.ids) - row.read - start, 0)
            stop = min(len(row.ids), start + limits.tokens - used, start + unread + limits.positions - read)
            first = len(keep) + used
            path.slots = [*path.slots, *range(first, first + stop - start)]
            pieces.append(Piece(index, start, stop, path.slots, used))
            used += stop - start
            read += max(stop - start - unread, 0)
            start = stop
            if used == limits.tokens or read == limits.positions:
                yield Chunk(tuple(pieces), keep)
                pieces, used, read = [], 0, 0
    if pieces:
        yield Chunk(tuple(pieces), keep)
