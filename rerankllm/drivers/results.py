"""What is made of rankings when their strategies are done: calibrated and cut rankings, and runs of many queries."""

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Self

from rerankllm.calibration.cutoff import Cutoff
from rerankllm.calibration.relevance import Calibration
from rerankllm.data import Candidate, Ledger, Provenance, Ranking, Result
from rerankllm.drivers.events import Failed, QueryOutcome
from rerankllm.errors import InputError


@dataclass(frozen=True)
class Run:
    """The outcome of many queries.

    Attributes:
        rankings: The rankings, in input order.
        failures: The queries that could not be ranked.
        ledger: What all of them cost.
    """

    rankings: tuple[Ranking, ...]
    failures: tuple[Failed, ...]
    ledger: Ledger

    @classmethod
    def of(cls, outcomes: Iterable[QueryOutcome]) -> Self:
        """Sorts outcomes into rankings and failures."""
        everything = list(outcomes)
        return cls(
            tuple(outcome for outcome in everything if isinstance(outcome, Ranking)),
            tuple(outcome for outcome in everything if isinstance(outcome, Failed)),
            sum((outcome.ledger for outcome in everything), Ledger()),
        )


@dataclass(frozen=True, slots=True)
class Finish:
    """What is made of a ranking before it is handed out.

    Attributes:
        calibration: Says how likely each result is relevant; None for none.
        cutoff: Where the ranking stops; None to keep all.
    """

    calibration: Calibration | None = None
    cutoff: Cutoff | None = None

    def __post_init__(self) -> None:
        if self.cutoff is not None and self.calibration is None:
            raise InputError(f"the cut-off {self.cutoff} needs a calibration: `rerankllm calibrate` fits one")

    def __call__(self, ranking: Ranking) -> QueryOutcome:
        """Applies both. A query whose results have no scores fails: there is nothing to calibrate."""
        if self.calibration is None:
            return ranking
        known = self.calibration.apply(ranking)
        if ranking.results and all(result.relevance is None for result in known):
            reason = "the strategy gives no scores to calibrate: use one that does, such as pointwise"
            return Failed(ranking.query, reason, ranking.ledger)
        return known if self.cutoff is None else self.cutoff.apply(ranking, self.calibration)


def with_unread(ranking: Ranking, tail: Sequence[Candidate]) -> Ranking:
    """The ranking followed by the candidates beyond the depth, in input order and marked unread."""
    if not tail:
        return ranking
    unread = tuple(
        Result(rank, candidate.document, None, Provenance.UNREAD, input_rank=rank)
        for rank, candidate in enumerate(tail, len(ranking) + 1)
    )
    return dataclasses.replace(ranking, results=(*ranking.results, *unread))
