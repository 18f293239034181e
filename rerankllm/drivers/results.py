"""What is made of rankings when their strategies are done: calibrated and cut rankings, and runs of many queries."""

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
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

    def __call__(self, outcome: QueryOutcome) -> QueryOutcome:
        """Applies both. A query whose results have no scores fails: there is nothing to calibrate."""
        if isinstance(outcome, Failed) or self.calibration is None:
            return outcome
        known = self.calibration.apply(outcome)
        if outcome.results and all(result.relevance is None for result in known):
            reason = "the strategy gives no scores to calibrate: use one that does, such as pointwise"
            return Failed(outcome.query, reason, outcome.ledger)
        return known if self.cutoff is None else self.cutoff.apply(outcome, self.calibration)


def with_unread(outcome: QueryOutcome, tail: Sequence[Candidate]) -> QueryOutcome:
    """The ranking followed by the candidates beyond the depth, in input order and marked unread."""
    if isinstance(outcome, Failed) or not tail:
        return outcome
    unread = tuple(
        Result(rank, candidate.document, None, Provenance.UNREAD, input_rank=rank)
        for rank, candidate in enumerate(tail, len(outcome) + 1)
    )
    return dataclasses.replace(outcome, results=(*outcome.results, *unread))


def afterwards(
    ranked: "Future[QueryOutcome]", change: Callable[[QueryOutcome], QueryOutcome]
) -> "Future[QueryOutcome]":
    """A future of the changed outcome; cancelling it cancels the one that it waits for."""
    changed: Future[QueryOutcome] = Future()

    def pass_on(_: object) -> None:
        if ranked.cancelled():
            return
        with suppress(InvalidStateError):  # cancelled meanwhile
            error = ranked.exception()
            if error is not None:
                changed.set_exception(error)
            else:
                changed.set_result(change(ranked.result()))

    ranked.add_done_callback(pass_on)
    changed.add_done_callback(lambda _: ranked.cancel() if changed.cancelled() else None)
    return changed
