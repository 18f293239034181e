"""Which steps of a sequential algorithm may run at the same time."""

from collections.abc import Iterable, Sequence
from itertools import repeat

Span = tuple[int, int]
"""A step that reads and rewrites places start to stop - 1 of a list."""


def earliest_rounds(steps: Iterable[Span]) -> list[list[Span]]:
    """Groups steps into rounds so that the outcome is that of running them one by one, in order.

    A step waits only for earlier steps that touch one of its places, so a second pass over a list starts while the
    first is still under way. The steps of one round are disjoint.

    Args:
        steps: In sequential order.

    Returns:
        The rounds, each with its steps in sequential order.
    """
    last_round: dict[int, int] = {}
    rounds: list[list[Span]] = []
    for start, stop in steps:
        number = max(map(last_round.get, range(start, stop), repeat(-1)), default=-1) + 1
        if number == len(rounds):
            rounds.append([])
        rounds[number].append((start, stop))
        last_round.update(dict.fromkeys(range(start, stop), number))
    return rounds


def count_slots(rounds: Sequence[Sequence[Span]]) -> int:
    """The places all steps touch, together."""
    return sum(stop - start for spans in rounds for start, stop in spans)
