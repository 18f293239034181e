"""Whether stated probabilities come true."""

from collections.abc import Mapping, Sequence

import numpy as np

from rerankllm.data import Ranking
from rerankllm.errors import InputError


def calibration_error(chances: Sequence[float], outcomes: Sequence[float], bins: int = 10) -> float:
    """Expected calibration error: by how much predictions miss the share that came true, over bins of equal width.

    Naeini et al. 2015 ("Obtaining well calibrated probabilities using Bayesian binning"), section 2; each bin counts by
    its size.

    Args:
        chances: Predicted probabilities, from 0 to 1.
        outcomes: Whether each came true: 1 or 0, or a share where only a share of it did.
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


def expected_calibration_error(
    rankings: Sequence[Ranking], qrels: Mapping[str, Mapping[str, int]], k: int = 10
) -> float:
    """How far P(among the k most relevant) is from what was so: the mean gap in ten bins of equal width.

    See `calibration_error`. Of equal grades at the k-th place each document counts for its share; documents without a
    judgement have grade 0.

    Args:
        rankings: With a probability for every document.
        qrels: Grades by query and document id.
        k: What the probabilities speak of.

    Raises:
        InputError: There is no ranking, or a document without a probability.
    """
    pairs: list[tuple[float, float]] = []
    for ranking in rankings:
        if not len(ranking):
            continue
        judged = qrels.get(ranking.query.query_id, {})
        grades = np.array([max(0, judged.get(doc_id, 0)) for doc_id in ranking.doc_ids])
        last = np.sort(grades)[::-1][min(k, len(grades)) - 1]
        share = (min(k, len(grades)) - (grades > last).sum()) / (grades == last).sum()
        true = np.where(grades == last, share, grades > last)
        pairs += [(_stated(result.probability), so) for result, so in zip(ranking, true, strict=True)]
    if not pairs:
        raise InputError("no ranking to compare stated probabilities with")
    return calibration_error([stated for stated, _ in pairs], [float(so) for _, so in pairs])


def _stated(probability: float | None) -> float:
    if probability is None:
        raise InputError("a document has no probability: only some strategies state them, such as `active`")
    return probability
