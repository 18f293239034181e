"""Whether two systems are as good as each other, within a margin: never shown by a large p."""

from dataclasses import dataclass

from rerankllm.errors import InputError
from rerankllm.evaluation.standard_error import Array, Spread, Strata


@dataclass(frozen=True, slots=True)
class Equivalence:
    """Two one-sided tests.

    Attributes:
        margin: How large a difference would not matter, either way.
        p: The larger of the two; small where the difference is shown to be within the margin.
        low: Of the 90 % interval by Student's t: within the margin if and only if p < .05.
        high: Likewise.
    """

    margin: float
    p: float
    low: float
    high: float


def equivalence(differences: Array, margin: float, strata: Strata | None = None, *, alpha: float = 0.05) -> Equivalence:
    """Schuirmann 1987, "A comparison of the two one-sided tests procedure and the power approach", on paired values.

    Args:
        differences: One a query, shape (queries,).
        margin: How large a difference would not matter; in the measure's units, settled before looking.
        strata: The collection of each query.
        alpha: The level the interval belongs to, which is then 1 − 2 alpha.

    Raises:
        InputError: The margin is not above 0.
    """
    if not margin > 0:
        raise InputError(f"the margin of equivalence should be above 0, found {margin:g}")
    spread = Spread.of(differences, strata)
    turned = Spread(-spread.mean, spread.error, spread.freedom)
    return Equivalence(margin, max(spread.tail(-margin), turned.tail(-margin)), *spread.interval(1 - 2 * alpha))
