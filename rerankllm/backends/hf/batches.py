"""Which prompts are computed together, and which of their beginnings once for all. Nothing here computes."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rerankllm.backends.llamacpp.sharing import common

PASS_TOKENS = 32
"""What one more pass through the model costs besides its tokens, in tokens."""


@dataclass(frozen=True, slots=True)
class Row:
    """What is computed for one request.

    Attributes:
        ids: Tokens to compute.
        read: How many positions are read, from the last token backwards.
        room: Tokens that may be generated after.
        decoded: What a decoder of its own is shown; as many tokens as positions are read.
    """

    ids: tuple[int, ...]
    read: int = 1
    room: int = 0
    decoded: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Limits:
    """What one batch may hold.

    Attributes:
        tokens: Over all rows, padding and shared beginnings included; a single row may exceed it.
        positions: Positions that are read, over all rows.
    """

    tokens: int
    positions: int


@dataclass(frozen=True, slots=True)
class Family:
    """Rows that begin alike.

    Attributes:
        prefix: How many tokens they begin with in common, to be computed once.
        batches: Indices of rows, those computed together in one tuple.
    """

    prefix: int
    batches: tuple[tuple[int, ...], ...]


def plan(rows: Sequence[Row], limits: Limits, *, share: bool) -> list[Family]:
    """Every row once, so that little is computed: as one family, or as families that share so many tokens at least.

    Args:
        rows: What is to be computed.
        limits: Of a batch.
        share: Whether beginnings can be shared at all.
    """
    everything = range(len(rows))
    plans = [[Family(0, tuple(_pack(rows, everything, limits)))]]
    if share and len(rows) > 1:
        order = sorted(everything, key=lambda i: rows[i].ids)
        joins = [_shared(rows[a], rows[b]) for a, b in itertools.pairwise(order)]
        floors = itertools.takewhile(lambda floor: floor <= max(joins), (2**power for power in itertools.count()))
        plans += [_families(rows, order, joins, floor, limits) for floor in floors]
    return min(plans, key=lambda families: _cost(rows, families))


def _shared(first: Row, second: Row) -> int:
    """How many tokens two rows can have computed together: what is read has to be their own."""
    return min(common(first.ids, second.ids), *(len(row.ids) - row.read for row in (first, second)))


def _families(
    rows: Sequence[Row], order: Sequence[int], joins: Sequence[int], floor: int, limits: Limits
) -> list[Family]:
    """Runs of neighbours that share `floor` tokens or more; those without such neighbours are a family of their own."""
    runs: list[list[int]] = [[0]]
    for place, join in enumerate(joins, 1):
        if join >= floor:
            runs[-1].append(place)
        else:
            runs.append([place])
    alone = [order[run[0]] for run in runs if len(run) == 1]
    families = [Family(0, tuple(_pack(rows, alone, limits)))] if alone else []
    for run in runs:
        if len(run) > 1:
            prefix = min(joins[run[0] : run[-1]])
            families.append(Family(prefix, tuple(_pack(rows, [order[place] for place in run], limits))))
    return families


def _pack(rows: Sequence[Row], members: Sequence[int], limits: Limits) -> Iterator[tuple[int, ...]]:
    """The rows in batches of similar length, longest first."""
    batch: list[int] = []
    width = read = 0
    for index in sorted(members, key=lambda i: (-len(rows[i].ids) - rows[i].room, -rows[i].read)):
        width = max(width, len(rows[index].ids) + rows[index].room)
        read = max(read, rows[index].read)
        size = len(batch) + 1
        if batch and (size * width > limits.tokens or size * read > limits.positions):
            yield tuple(batch)
            batch, width, read = [], len(rows[index].ids) + rows[index].room, rows[index].read
        batch.append(index)
    if batch:
        yield tuple(batch)


def _cost(rows: Sequence[Row], families: Sequence[Family]) -> int:
    """Tokens computed, padding included, and what the passes cost."""
    total = 0
    for family in families:
        total += family.prefix + PASS_TOKENS if family.prefix else 0
        for batch in family.batches:
            total += len(batch) * (max(len(rows[i].ids) for i in batch) - family.prefix) + PASS_TOKENS
    return total
