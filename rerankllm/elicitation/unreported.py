"""Labels whose log-probability the backend did not report."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from rerankllm.judgements import Failure, ParseReport, Status, Unanswered


@dataclass(frozen=True, slots=True)
class Filled:
    """Log-probabilities, one a label, with the bound in place of those that were not reported.

    Attributes:
        values: The log-probabilities.
        unreported: How many of them are the bound.
    """

    values: tuple[float, ...]
    unreported: int

    def report(self, read: ParseReport) -> ParseReport:
        """How an answer read that rests on these, in which `read` was found."""
        if not self.unreported:
            return read
        return ParseReport(Status.REPAIRED, {**read.repairs, "unreported label": self.unreported}, read.form)


def fill(logprobs: Sequence[float], floor: float) -> "Filled | tuple[Unanswered, ParseReport]":
    """Puts the bound in place of the labels that were not reported.

    There is no answer where no label was reported, and where there is no bound: a host that reports NaN does not say
    how likely the label is, nor how likely it can be.
    """
    unreported = sum(map(math.isnan, logprobs))
    if unreported and unreported == len(logprobs) and not math.isnan(floor):
        report = ParseReport(Status.FAILED, {"unreported label": unreported})
        return Unanswered("the labels are not among the likeliest tokens", Failure.ANSWER), report
    if unreported and math.isnan(floor):
        report = ParseReport(Status.FAILED, {"no log-probability": unreported})
        return Unanswered("the log-probability of a label was told as NaN or infinite", Failure.ANSWER), report
    return Filled(tuple(floor if math.isnan(value) else value for value in logprobs), unreported)
