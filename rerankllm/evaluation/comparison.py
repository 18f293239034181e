"""Systems against a baseline, on the same queries."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from rerankllm.errors import InputError
from rerankllm.evaluation.bootstrap import RESAMPLES, bootstrap
from rerankllm.evaluation.effect_size import average_d, paired_d, wins_ties_losses
from rerankllm.evaluation.equivalence import Equivalence, equivalence
from rerankllm.evaluation.multiplicity import CORRECTIONS
from rerankllm.evaluation.power import detectable
from rerankllm.evaluation.significance import TTest, paired_t, randomization
from rerankllm.evaluation.standard_error import Array, Strata
from rerankllm.evaluation.systems import Pool, System


@dataclass(frozen=True, slots=True)
class Design:
    """What is settled before anyone looks.

    Attributes:
        baseline: The system that others are compared with.
        family: Systems and measures that are tested; none named of a sort means all of that sort, but no references.
        correction: Name in `CORRECTIONS`.
        margin: Of equivalence; None where the question is whether systems differ.
        resamples: Of the bootstrap and of the randomization test.
        seed: Of both.
        resample_runs: Whether runs of a system are resampled beside queries, rather than averaged.
    """

    baseline: str
    family: tuple[str, ...] = ()
    correction: str = "holm"
    margin: float | None = None
    resamples: int = RESAMPLES
    seed: int = 0
    resample_runs: bool = False


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean over queries with its 95 % bootstrap interval."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class Difference:
    """A system less the baseline, on one measure.

    Attributes:
        system: Its name.
        measure: The measure's.
        by_query: One difference a query, in the pool's order.
        estimate: Their mean.
        student: The paired t-test.
        fisher: p of the randomization test.
        equivalence: Two one-sided tests, where that is the question.
        adjusted: p adjusted over the family, Fisher's or that of equivalence; None outside the family.
        paired_d: Cohen's d in standard deviations of the differences.
        average_d: Cohen's d in standard deviations of the systems' values.
        record: Wins, ties and losses in queries.
        detectable: The smallest true difference found in 80 % of such sets of queries.
    """

    system: str
    measure: str
    by_query: Array = field(repr=False)
    estimate: Estimate
    student: TTest
    fisher: float
    equivalence: Equivalence | None
    adjusted: float | None
    paired_d: float
    average_d: float
    record: tuple[int, int, int]
    detectable: float


@dataclass(frozen=True)
class Comparison:
    """Systems, how good each is, and how each differs from the baseline.

    Attributes:
        pool: The queries.
        systems: In the order given.
        design: What was settled.
        means: By system and measure.
        differences: Of all systems but the baseline, system by system.
    """

    pool: Pool
    systems: tuple[System, ...]
    design: Design
    means: dict[tuple[str, str], Estimate]
    differences: tuple[Difference, ...]

    @property
    def tested(self) -> tuple[Difference, ...]:
        """Those of the family."""
        return tuple(difference for difference in self.differences if difference.adjusted is not None)


def compare(pool: Pool, systems: Sequence[System], design: Design) -> Comparison:
    """Compares systems with the baseline.

    Raises:
        InputError: Two systems share a name, or the design names what is not there.
        MissingExtra: scipy is not installed.
    """
    by_name = {system.name: system for system in systems}
    if len(by_name) < len(systems):
        raise InputError(f"two systems are called the same; there are {', '.join(s.name for s in systems)}")
    if design.baseline not in by_name:
        raise InputError(f"baseline '{design.baseline}' is no system; there are {', '.join(by_name)}")
    family = _family(pool, systems, design)
    strata = pool.strata if len(pool.qrels) > 1 else None
    means = {
        (system.name, measure): _estimate(system, None, measure, design, strata)
        for system in systems
        for measure in pool.names
    }
    base = by_name[design.baseline]
    found = [
        _difference(system, base, measure, design, strata)
        for system in systems
        if system is not base
        for measure in pool.names
    ]
    return Comparison(pool, tuple(systems), design, means, tuple(_adjusted(found, family, design.correction)))


def _family(pool: Pool, systems: Sequence[System], design: Design) -> set[tuple[str, str]]:
    """The pairs of system and measure that are tested."""
    names = [system.name for system in systems]
    unknown = [name for name in design.family if name not in names and name not in pool.names]
    if unknown:
        raise InputError(
            f"family names '{unknown[0]}', which is neither a system ({', '.join(names)}) nor a measure "
            f"({', '.join(pool.names)})"
        )
    chosen = [name for name in design.family if name in names] or [s.name for s in systems if not s.reference]
    measures = [name for name in design.family if name in pool.names] or pool.names
    return {(name, measure) for name in chosen if name != design.baseline for measure in measures}


def _difference(system: System, base: System, measure: str, design: Design, strata: Strata | None) -> Difference:
    mine, theirs = system.by_query(measure), base.by_query(measure)
    gaps = mine - theirs
    return Difference(
        system=system.name,
        measure=measure,
        by_query=gaps,
        estimate=_estimate(system, base, measure, design, strata),
        student=paired_t(gaps, strata),
        fisher=randomization(gaps, resamples=design.resamples, seed=design.seed),
        equivalence=None if design.margin is None else equivalence(gaps, design.margin, strata),
        adjusted=None,
        paired_d=paired_d(gaps),
        average_d=average_d(mine, theirs),
        record=wins_ties_losses(gaps),
        detectable=detectable(gaps, strata),
    )


def _estimate(system: System, base: System | None, measure: str, design: Design, strata: Strata | None) -> Estimate:
    def values(of: System) -> Array:
        return of.values[measure] if design.resample_runs else of.by_query(measure)

    minus = None if base is None else values(base)
    low, high = bootstrap(values(system), minus, strata=strata, resamples=design.resamples, seed=design.seed)
    mean = float(system.by_query(measure).mean())
    return Estimate(mean if base is None else mean - float(base.by_query(measure).mean()), low, high)


def _adjusted(found: Sequence[Difference], family: set[tuple[str, str]], correction: str) -> list[Difference]:
    """The differences, those of the family with their adjusted p."""
    inside = [i for i, each in enumerate(found) if (each.system, each.measure) in family]
    values = [found[i].fisher if (tost := found[i].equivalence) is None else tost.p for i in inside]
    done = list(found)
    for i, p in zip(inside, CORRECTIONS[correction](values), strict=True):
        done[i] = replace(found[i], adjusted=p)
    return done
