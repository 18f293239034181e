"""What prompts have in common, and how far two readings of the same prompts differ."""

import itertools
from collections.abc import Sequence


def trie_tokens(prompts: Sequence[Sequence[int]]) -> int:
    """The nodes of the trie of the prompts: what is left to compute once no prefix is computed twice."""
    order = sorted(map(tuple, prompts))
    return sum(map(len, order)) - sum(_common(one, other) for one, other in itertools.pairwise(order))


def differences(ours: Sequence[float], theirs: Sequence[float], peer: str) -> str:
    """One sentence: the largest difference of a label margin, and how many pairs of prompts stand the other way."""
    if len(ours) != len(theirs):
        raise ValueError(f"{len(ours)} readings of ours, {len(theirs)} of {peer}")
    largest = max(abs(one - other) for one, other in zip(ours, theirs, strict=True))
    pairs = itertools.combinations(zip(ours, theirs, strict=True), 2)
    turned = [abs(b - d) for (a, b), (c, d) in pairs if (a - c) * (b - d) < 0]
    total = len(ours) * (len(ours) - 1) // 2
    gap = f", none further apart than {max(turned):.2g}" if turned else ""
    return (
        f"Margins of the first two labels differ from {peer} by {largest:.2g} at most; "
        f"{len(turned)} of {total:,} pairs of prompts change order{gap}."
    )


def _common(one: Sequence[int], other: Sequence[int]) -> int:
    """How many tokens they begin with in common."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((at for at, (a, b) in pairs if a != b), min(len(one), len(other)))
