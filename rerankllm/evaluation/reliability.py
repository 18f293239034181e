"""Whether probabilities mean what they say."""

from collections.abc import Sequence


def calibration_error(chances: Sequence[float], outcomes: Sequence[bool], bins: int = 10) -> float:
    """Expected calibration error: by how much predictions miss the share that came true, over bins of equal width.

    Naeini et al. 2015 ("Obtaining well calibrated probabilities using Bayesian binning"), section 2; each bin counts by
    its size.

    Args:
        chances: Predicted probabilities, from 0 to 1.
        outcomes: Whether it came true.
        bins: How many.

    Returns:
        From 0 to 1; NaN for no predictions.
    """
    sums = [[0.0, 0.0] for _ in range(bins)]
    for chance, outcome in zip(chances, outcomes, strict=True):
        own = sums[min(bins - 1, int(chance * bins))]
        own[0] += chance
        own[1] += outcome
    return sum(abs(said - came) for said, came in sums) / len(chances) if chances else float("nan")


def brier(chances: Sequence[float], outcomes: Sequence[bool]) -> float:
    """The mean squared error of the probabilities (Brier 1950); NaN for none."""
    errors = [(chance - outcome) ** 2 for chance, outcome in zip(chances, outcomes, strict=True)]
    return sum(errors) / len(errors) if errors else float("nan")
