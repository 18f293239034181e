"""One number a result, from 0 to 1, that never contradicts the order."""

import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

from rerankllm.data import Ranking, float32


class Scale(StrEnum):
    """Where relevance scores come from; responses say so in the header `X-Rerankllm-Scores`."""

    CALIBRATED = "calibrated"
    """How likely each result is relevant, by a calibration that was fitted on judged queries."""
    PROBABILITY = "probability"
    """The strategy's own scores, which are expected values of labels worth 0 to 1, such as P(yes)."""
    OWN = "own"
    """The strategy's own scores, which are at most 1, such as cosines; below 0 counts as 0."""
    LOGISTIC = "logistic"
    """1 / (1 + exp(-score)) of the strategy's own scores, whatever their scale."""
    RANK = "rank"
    """1 - (rank - 1) / n, where the strategy gives an order and no scores. It says nothing but the rank."""


@dataclass(frozen=True, slots=True)
class Relevance:
    """The scores of one ranking.

    Attributes:
        values: One a result in the order of the ranking: from 0 to 1, strictly decreasing, in single precision too.
        scale: What they are.
    """

    values: tuple[float, ...]
    scale: Scale

    @classmethod
    def of(cls, ranking: Ranking, scale: Scale) -> "Relevance":
        """The scores of a whole ranking.

        What a calibration says is used where it says it of every result, else own scores where every result has one;
        neither where they rise anywhere. Tied ones are told apart by the least that single precision can hold.

        Args:
            ranking: The ranking, uncut.
            scale: What its own scores are: `PROBABILITY`, `OWN` or, on any other scale, `LOGISTIC`.
        """
        known = [result.relevance for result in ranking if result.relevance is not None]
        if known and len(known) == len(ranking) and not _rises(known):
            return cls(told_apart(known), Scale.CALIBRATED)
        own = own_scores(ranking)
        if own is None or _rises(own):
            n = len(ranking)
            return cls(tuple(1 - place / n for place in range(n)), Scale.RANK)
        if scale is Scale.OWN and any(score > 1 for score in own):  # not what was said of them
            scale = Scale.LOGISTIC
        return cls(told_apart([logistic(score) for score in own] if scale is Scale.LOGISTIC else own), scale)


def own_scores(ranking: Ranking) -> list[float] | None:
    """The strategy's own scores; None where any result has none."""
    scores = [result.score for result in ranking if result.score is not None and math.isfinite(result.score)]
    return scores if len(scores) == len(ranking) else None


def _rises(values: Sequence[float]) -> bool:
    return any(later > earlier for earlier, later in pairwise(values))


def told_apart(values: Sequence[float]) -> tuple[float, ...]:
    """The values, which nowhere rise, held within 0 and 1 and moved as little as makes them strictly decreasing."""
    found = [min(1.0, max(0.0, value)) for value in values]
    for i in range(len(found) - 2, -1, -1):
        if float32(found[i]) <= float32(found[i + 1]):
            found[i] = _above(found[i + 1])
    ceiling = math.inf
    for i, value in enumerate(found):
        if float32(value) >= ceiling or value > 1:
            found[i] = 1.0 if math.isinf(ceiling) else _below(ceiling)
        ceiling = float32(found[i])
    return tuple(found)


def logistic(score: float) -> float:
    """1 / (1 + exp(-score)), for scores of any size."""
    if score >= 0:
        return 1 / (1 + math.exp(-score))
    power = math.exp(score)
    return power / (1 + power)


def _above(value: float) -> float:
    """The next number of single precision, for value ≥ 0."""
    (bits,) = struct.unpack("I", struct.pack("f", value))
    return float(struct.unpack("f", struct.pack("I", bits + 1))[0])


def _below(value: float) -> float:
    """The one before, for value > 0."""
    (bits,) = struct.unpack("I", struct.pack("f", value))
    return float(struct.unpack("f", struct.pack("I", bits - 1))[0])
