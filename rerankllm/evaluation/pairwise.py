"""Every system against every other one, where no baseline was settled."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import combinations

import numpy as np

from rerankllm.evaluation.bootstrap import bootstrap
from rerankllm.evaluation.comparison import Comparison, Estimate
from rerankllm.evaluation.effect_size import wins_ties_losses
from rerankllm.evaluation.multiplicity import CORRECTIONS
from rerankllm.evaluation.significance import randomization


@dataclass(frozen=True, slots=True)
class Pair:
    """How two systems differ on one measure.

    Attributes:
        one: Name of a system.
        other: Name of the one that is subtracted.
        estimate: The mean difference with its 95 % bootstrap interval.
        p: Of the randomization test, two-sided.
        adjusted: The same, adjusted over all pairs that were asked for together.
        record: Queries that `one` wins, ties and loses.
    """

    one: str
    other: str
    estimate: Estimate
    p: float
    adjusted: float
    record: tuple[int, int, int]


def every_pair(comparison: Comparison, measure: str, names: Sequence[str]) -> list[Pair]:
    """Every pair of these systems once, p adjusted over them all by the comparison's correction.

    Args:
        comparison: What was found; its seed and resamples hold here too.
        measure: One of its measures.
        names: Of systems, in the order wanted.
    """
    design, pool = comparison.design, comparison.pool
    systems = {system.name: system for system in comparison.systems}
    strata = pool.strata.tobytes() if len(pool.qrels) > 1 else None
    found = []
    for one, other in combinations(names, 2):
        mine, theirs = systems[one].by_query(measure), systems[other].by_query(measure)
        low, high, p = _drawn(mine.tobytes(), theirs.tobytes(), strata, design.resamples, design.seed)
        estimate = Estimate(float(mine.mean()) - float(theirs.mean()), low, high)
        found.append(Pair(one, other, estimate, p, p, wins_ties_losses(mine - theirs)))
    adjusted = CORRECTIONS[design.correction]([pair.p for pair in found])
    return [replace(pair, adjusted=p) for pair, p in zip(found, adjusted, strict=True)]


@lru_cache(maxsize=1024)
def _drawn(one: bytes, other: bytes, strata: bytes | None, resamples: int, seed: int) -> tuple[float, float, float]:
    """The interval of a mean difference, and p: drawn once for the tables and the page, which show the same pairs."""
    mine, theirs = np.frombuffer(one), np.frombuffer(other)
    layers = None if strata is None else np.frombuffer(strata, dtype=np.int64)
    low, high = bootstrap(mine, theirs, strata=layers, resamples=resamples, seed=seed)
    return low, high, randomization(mine - theirs, resamples=resamples, seed=seed)
