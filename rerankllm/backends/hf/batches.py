"""Which sequences are computed together where each is padded to the longest. Nothing here computes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise


@dataclass(frozen=True, slots=True)
class Row:
    """What is computed for one request.

    Attributes:
        ids: Tokens to compute.
        read: How many positions are read, from the last token backwards.
        room: Tokens that may be generated after.
        decoded: What a decoder of its own is shown.
        lengths: Of the texts in `ids` that an encoder reads apart, one after the other; empty where it is one text.
    """

    ids: tuple[int, ...]
    read: int = 1
    room: int = 0
    decoded: tuple[int, ...] = ()
    lengths: tuple[int, ...] = ()

    @property
    def texts(self) -> list[tuple[int, ...]]:
        """What an encoder reads, each text apart."""
        ends = list(accumulate(self.lengths or (len(self.ids),)))
        return [self.ids[start:end] for start, end in pairwise((0, *ends))]


@dataclass(frozen=True, slots=True)
class Limits:
    """What one batch may hold.

    Attributes:
        tokens: Over all rows, padding included; a single row may exceed it.
        positions: Positions that are read, over all rows.
    """

    tokens: int
    positions: int


def batches(rows: Sequence[Row], limits: Limits) -> Iterator[tuple[int, ...]]:
    """Indices of all rows in batches of similar length, longest first."""
    batch: list[int] = []
    width = read = 0
    for index in sorted(range(len(rows)), key=lambda i: (-len(rows[i].ids) - rows[i].room, -rows[i].read)):
        width = max(width, len(rows[index].ids) + rows[index].room)
        read = max(read, rows[index].read)
        size = len(batch) + 1
        if batch and (size * width > limits.tokens or size * read > limits.positions):
            yield tuple(batch)
            batch, width, read = [], len(rows[index].ids) + rows[index].room, rows[index].read
        batch.append(index)
    if batch:
        yield tuple(batch)
