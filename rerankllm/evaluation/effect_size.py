"""How large a difference is, besides whether there is one."""

import math

import numpy as np

from rerankllm.evaluation.standard_error import Array

SAME = 1e-9
"""Differences smaller than this are rounding."""


def paired_d(differences: Array) -> float:
    """Cohen's d of paired values (d_z): the mean difference in standard deviations of the differences.

    Sakai 2014, "Statistical reform in information retrieval?". NaN for fewer than two queries; infinite
    where every query differs by the same.
    """
    return _standardized(differences, float(differences.std(ddof=1)) if len(differences) > 1 else math.nan)


def average_d(first: Array, second: Array) -> float:
    """Cohen's d: the mean difference in units of how much queries differ within a system (root of the mean variance).

    Unlike `paired_d` it does not grow where two systems err on the same queries. Shape (queries,) each.
    """
    spread = math.sqrt((first.var(ddof=1) + second.var(ddof=1)) / 2) if len(first) > 1 else math.nan
    return _standardized(first - second, spread)


def wins_ties_losses(differences: Array) -> tuple[int, int, int]:
    """Queries that gain, stay and lose."""
    wins, losses = int((differences > SAME).sum()), int((differences < -SAME).sum())
    return wins, len(differences) - wins - losses, losses


def _standardized(differences: Array, spread: float) -> float:
    mean = float(differences.mean()) if len(differences) else math.nan
    if spread > SAME or math.isnan(spread):
        return mean / spread
    return 0.0 if abs(mean) < SAME else float(np.copysign(np.inf, mean))
