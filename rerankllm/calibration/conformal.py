"""Conformal risk control: a threshold that loses little of what is relevant, whatever the scores are like."""

import math
from collections.abc import Iterable, Sequence


def lowest_score(relevant: Iterable[Sequence[float]], recall: float) -> float:
    """The highest threshold that keeps enough, by what other queries would have lost.

    A query's loss is the share of its relevant results whose scores are below the threshold. With n queries to go by,
    the threshold is the highest one whose mean loss R satisfies n/(n+1)·R + 1/(n+1) ≤ 1 − recall (Angelopoulos et al.
    2022, "Conformal risk control", section 2, for losses of at most 1). Then the expected loss of a further query is at
    most 1 − recall if it is exchangeable with these, for every n and whatever the distribution. Both mean queries that
    have something relevant among their results.

    Args:
        relevant: For each query with relevant results their scores.
        recall: The share that is to be kept on average, from 0 to 1.

    Returns:
        The threshold: what scores it or more is kept; -inf where there are too few queries to drop anything, fewer than
        1 / (1 − recall) − 1.
    """
    queries = [scores for scores in relevant if scores]
    n, budget = len(queries), 1 - recall
    losses = sorted((score, 1 / len(scores)) for scores in queries for score in scores)
    threshold, lost = -math.inf, 0.0
    for place, (score, share) in enumerate(losses):
        if (place == 0 or score > losses[place - 1][0]) and (lost + 1) / (n + 1) <= budget + 1e-12:
            threshold = score
        lost += share
    return threshold
