"""Which systems are worth their cost."""

from collections.abc import Sequence


def front(points: Sequence[tuple[float, float]]) -> list[int]:
    """The places of those that nothing beats which costs no more: the Pareto front, the cheapest first.

    Args:
        points: Cost and quality of each; less cost and more quality are better. Of equal points all are on it.
    """
    kept: list[int] = []
    for i in sorted(range(len(points)), key=lambda i: (points[i][0], -points[i][1])):
        if not kept or points[i][1] > points[kept[-1]][1] or points[i] == points[kept[-1]]:
            kept.append(i)
    return kept
