"""What a set of queries can show at all."""

import math

from rerankllm.evaluation.extras import scipy_module
from rerankllm.evaluation.standard_error import Array, Spread, Strata


def detectable(differences: Array, strata: Strata | None = None, *, power: float = 0.8, alpha: float = 0.05) -> float:
    """The smallest true difference that a two-sided paired t-test on these queries would find with `power`.

    Cohen 1988, Statistical Power Analysis for the Behavioral Sciences, chapter 2; by the noncentral t distribution,
    with the variance seen here. It is no comment on the difference seen: power after the fact says nothing p does not.

    Args:
        differences: One a query, shape (queries,).
        strata: The collection of each query.
        power: How often it would be found.
        alpha: Of one test, before any correction for several.

    Returns:
        In the measure's own units; NaN where the variance is unknown.
    """
    spread = Spread.of(differences, strata)
    if spread.error == 0 or math.isnan(spread.error):
        return spread.error
    return _shift(spread.freedom, power, alpha) * spread.error


def _shift(freedom: float, power: float, alpha: float) -> float:
    """The noncentrality at which |T| exceeds its critical value with `power`."""
    stats = scipy_module("stats")
    critical = float(stats.t.ppf(1 - alpha / 2, freedom))

    def excess(shift: float) -> float:
        return float(stats.nct.sf(critical, freedom, shift)) - power  # the other tail holds less than alpha² by then

    upper = critical + 1
    while excess(upper) < 0:
        upper *= 1.5
    return float(scipy_module("optimize").brentq(excess, 0.0, upper))
