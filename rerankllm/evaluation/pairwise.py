"""Every system against every other one, where no baseline was settled."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from rerankllm.evaluation.bootstrap import bootstrap
from rerankllm.evaluation.comparison import Comparison, Estimate
from rerankllm.evaluation.effects import wins_ties_losses
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
    strata = pool.strata if len(pool.qrels) > 1 else None
    found = []
    for one, other in combinations(names, 2):
        mine, theirs = systems[one].by_query(measure), systems[other].by_query(measure)
        low, high = bootstrap(mine, theirs, strata=strata, resamples=design.resamples, seed=design.seed)
        gaps = mine - theirs
        p = randomization(gaps, resamples=design.resamples, seed=design.seed)
        estimate = Estimate(float(mine.mean()) - float(theirs.mean()), low, high)
        found.append((one, other, estimate, p, wins_ties_losses(gaps)))
    adjusted = CORRECTIONS[design.correction]([p for *_, p, _ in found])
    return [Pair(*head, p, fair, record) for (*head, p, record), fair in zip(found, adjusted, strict=True)]
