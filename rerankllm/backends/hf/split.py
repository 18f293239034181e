"""Rows for two that compute at the same time: who gets which. Nothing here computes."""

from collections.abc import Sequence
from itertools import accumulate, pairwise

from rerankllm.backends.hf.batches import Row
from rerankllm.backends.hf.kv_cache import Slots
from rerankllm.backends.llamacpp.prefixes import common

SPREAD = 0.65
"""Two at a time are faster where neither has this share or more of the tokens that one would compute."""


def halves(rows: Sequence[Row], slots: Sequence[Slots]) -> tuple[list[list[int]], bool]:
    """Cuts the rows, sorted by their tokens, where the one with more to compute has least.

    Args:
        rows: What is to be computed.
        slots: What each of the two remembers.

    Returns:
        Indices of the rows of each, and whether they had better compute at the same time, a core each, than one after
        the other on all cores.
    """
    order = sorted(range(len(rows)), key=lambda i: rows[i].ids)
    ids = [rows[i].ids for i in order]
    alike = [0, *(common(*pair) for pair in pairwise(ids))]
    most = [len(rows[i].ids) - rows[i].read for i in order]
    fresh, after = [], []  # by whom: tokens of each row, the first of its part; and after the row before it
    for held in slots:
        known = [held.known(each) for each in ids]
        fresh.append([len(each) - min(*both) for each, *both in zip(ids, known, most, strict=True)])
        longer = map(max, known, alike)
        after.append([len(each) - min(*both) for each, *both in zip(ids, longer, most, strict=True)])
    cost, first, at = min(
        (max(left, right), first, at)
        for first in (0, 1)
        for at, (left, right) in enumerate(_loads(fresh[first], after[first], fresh[1 - first], after[1 - first]))
    )
    parts = [order[:at], order[at:]] if first == 0 else [order[at:], order[:at]]
    return parts, cost < SPREAD * min(sum(fresh[one][:1]) + sum(after[one][1:]) for one in (0, 1))


def _loads(
    fresh: Sequence[int], after: Sequence[int], other: Sequence[int], behind: Sequence[int]
) -> list[tuple[int, int]]:
    """Tokens that come before and behind each cut."""
    left = [0, *accumulate([*fresh[:1], *after[1:]])]
    rest = [0, *accumulate(reversed(behind))][::-1]
    right = [rest[at + 1] + other[at] for at in range(len(other))]
    return list(zip(left, [*right, 0], strict=True))
