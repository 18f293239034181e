"""Where a ranking stops: nothing is written below, and nothing at all where nothing is relevant."""

import math
import re
from dataclasses import dataclass, replace
from typing import Literal, Self, TypeAlias

from rerankllm.calibration.conformal import lowest_score
from rerankllm.calibration.expected import expected_f1, longest_precise
from rerankllm.calibration.relevance import Calibration
from rerankllm.data import Cut, Ranking, Result
from rerankllm.errors import InputError

Rule: TypeAlias = Literal["f1", "precision", "recall", "threshold"]
_WRITTEN = re.compile(r"(precision|recall|threshold)=([0-9.]+(?:e-?[0-9]+)?)")


@dataclass(frozen=True, slots=True)
class Cutoff:
    """A rule.

    Attributes:
        rule: `threshold` keeps what is relevant with at least that probability; `precision` the longest list whose
            expected precision is at least that; `f1` the list with the highest expected F1, which is empty where that
            nothing is relevant is likelier than any list is good; `recall` what scores at least the conformal
            threshold, so that queries keep that share of their relevant results on average.
        value: What the rule needs, from 0 to 1; nothing for `f1`.
    """

    rule: Rule
    value: float = 0.0

    @classmethod
    def parse(cls, text: str) -> Self:
        """Reads `auto` (which is `f1`), `f1`, `precision=P`, `recall=R` or `threshold=P`.

        Raises:
            InputError: It is none of these.
        """
        if text in {"auto", "f1"}:
            return cls("f1")
        found = _WRITTEN.fullmatch(text)
        try:
            value = float(found[2]) if found else math.nan
        except ValueError:
            value = math.nan
        if found is None or not 0 < value <= 1 or (found[1] == "recall" and value == 1):
            raise InputError(
                f"cut-off '{text}' should be auto, f1, precision=P, recall=R or threshold=P, with P above 0 and up to "
                "1, and R above 0 and below 1"
            )
        return cls(found[1], value)  # type: ignore[arg-type]  # the pattern has just these

    def __str__(self) -> str:
        return self.rule if self.rule == "f1" else f"{self.rule}={self.value:g}"

    def apply(self, ranking: Ranking, calibration: Calibration) -> Ranking:
        """The ranking, with its relevance, cut; `cut` says how. What no model read has no relevance and is dropped."""
        known = [result for result in calibration.apply(ranking) if result.relevance is not None]
        kept = self._kept(known, calibration)
        chances = [result.relevance or 0.0 for result in kept]
        total = sum(result.relevance or 0.0 for result in known)
        cut = Cut(
            str(self),
            len(ranking) - len(kept),
            sum(chances) / len(chances) if chances else None,
            sum(chances) / total if total else None,
        )
        results = tuple(replace(result, rank=rank) for rank, result in enumerate(kept, 1))
        return replace(ranking, results=results, cut=cut)

    def _kept(self, known: list[Result], calibration: Calibration) -> list[Result]:
        chances = [result.relevance or 0.0 for result in known]
        if self.rule == "threshold":
            return [result for result, chance in zip(known, chances, strict=True) if chance >= self.value]
        if self.rule == "recall":
            lowest = lowest_score(calibration.relevant.values(), self.value)
            return [result for result in known if result.score is not None and result.score >= lowest]
        if self.rule == "precision":
            return known[: longest_precise(chances, self.value)]
        values = expected_f1(chances)
        return known[: max(range(len(values)), key=values.__getitem__)]

    def guarantee(self, calibration: Calibration) -> str:
        """What the rule promises of queries like those fitted on, in a sentence."""
        if self.rule != "recall":
            return "expected by the calibration, which is as good as its fit; not guaranteed"
        n = sum(1 for scores in calibration.relevant.values() if scores)
        if math.isinf(lowest_score(calibration.relevant.values(), self.value)):
            return (
                f"nothing is dropped: with {n} queries that have something relevant, the highest recall that can be "
                f"promised with anything dropped is {n / (n + 1):.3f}"
            )
        return (
            f"of a query that has something relevant among what was read, {self.value:g} of it or more is kept on "
            f"average, if such queries are exchangeable with the {n} fitted on (conformal risk control)"
        )
