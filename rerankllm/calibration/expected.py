"""What to expect of the first results, by how likely each is relevant."""

from collections.abc import Sequence


def expected_f1(chances: Sequence[float]) -> list[float]:
    """The expected F1 of the first k results, for k from 0, each being relevant independently with its chance.

    F1 is 2·(relevant among the first k) / (k + relevant), and 1 where nothing is relevant and nothing is returned. By
    the dynamic program of Ye et al. 2012 ("Optimizing F-measure: a tale of two approaches", section 4), in O(n²).

    Args:
        chances: How likely each result is relevant, in order.

    Returns:
        One value for every k from 0 to all.
    """
    import numpy as np  # noqa: PLC0415

    n = len(chances)
    found = [np.array([1.0])]  # of the first k, how many are relevant
    for chance in chances:
        found.append(np.convolve(found[-1], [1 - chance, chance]))
    inverse = 1 / np.arange(1, 2 * n + 2)  # at a - 1: the expectation of 1 / (a + relevant ones after the first k)
    values = [0.0] * (n + 1)
    for k in range(n, 0, -1):
        hits = np.arange(k + 1)
        values[k] = float(np.sum(2 * hits * found[k] * inverse[k + hits - 1]))
        inverse = chances[k - 1] * np.append(inverse[1:], 0.0) + (1 - chances[k - 1]) * inverse
    values[0] = float(found[n][0])
    return values


def longest_precise(chances: Sequence[float], precision: float) -> int:
    """How many first results can be kept with an expected precision of at least `precision`; 0 for none."""
    total, longest = 0.0, 0
    for k, chance in enumerate(chances, 1):
        total += chance
        if total >= precision * k - 1e-12:
            longest = k
    return longest
