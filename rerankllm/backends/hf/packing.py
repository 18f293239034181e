"""Sequences that begin alike, packed end to end: every token that differs once, no padding. Nothing here computes.

Sorted by their tokens, each sequence begins with what it shares with the one before, and nothing else that was computed
in this run is of use to it or to any later one. What is remembered beyond that is for the runs to come.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from rerankllm.backends.hf.batches import Limits, Row
from rerankllm.backends.hf.kv_cache import Places, Slots

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
        slots: Where the keys and values of all tokens before `stop` lie.
        place: How many tokens of the chunk come before these.
    """

    row: int
    start: int
    stop: int
    slots: Places
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
    """

    pieces: tuple[Piece, ...]

    @property
    def tokens(self) -> int:
        """How many tokens are computed."""
        return sum(piece.stop - piece.start for piece in self.pieces)

    @property
    def slots(self) -> Places:
        """Where the keys and values of its tokens go."""
        return np.concatenate([piece.slots[piece.start :] for piece in self.pieces])

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


def chunks(rows: Sequence[Row], limits: Limits, slots: Slots, enough: int = 2**62) -> Iterator[Chunk]:
    """Every row, sorted by their tokens, in chunks that are full but the last.

    Args:
        rows: What is to be computed. What is read of a row is computed for it, whoever computed the same before.
        limits: Of a chunk.
        slots: What is remembered; a chunk has to be computed before the next one is asked for.
        enough: Tokens from which on a chunk is full. A row that was begun before is finished where the limits let it.
    """
    pieces: list[Piece] = []
    used = read = 0
    for index in sorted(range(len(rows)), key=lambda i: rows[i].ids):
        row = rows[index]
        places = slots.find(row.ids, len(row.ids) - row.read)
        start = len(places)
        places = np.concatenate([places, slots.take(len(row.ids) - start)])
        slots.hold(row.ids, places)
        while start < len(row.ids):
            unread = max(len(row.ids) - row.read - start, 0)
            stop = min(len(row.ids), start + limits.tokens - used, start + unread + limits.positions - read)
            pieces.append(Piece(index, start, stop, places[:stop], used))
            used += stop - start
            read += max(stop - start - unread, 0)
            start = stop
            if used >= min(enough, limits.tokens) or read == limits.positions:
                yield Chunk(tuple(pieces))
                pieces, used, read = [], 0, 0
                slots.tidy(row.ids)
    if pieces:
        yield Chunk(tuple(pieces))
        slots.tidy(rows[pieces[-1].row].ids)
