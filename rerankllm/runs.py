"""What becomes of queries once their strategies are done: whole rankings, and runs of many."""

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Self

from rerankllm.data import Candidate, Ledger, Provenance, Ranking, Result
from rerankllm.drivers.events import Failed, QueryOutcome


@dataclass(frozen=True)
class Run:
    """The outcome of many queries.

    Attributes:
        rankings: Those that were ranked, in input order.
        failures: Those that were not; they have no ranking.
        ledger: What it all cost.
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


def with_unread(outcome: QueryOutcome, tail: Sequence[Candidate]) -> QueryOutcome:
    """The ranking with the candidates that were beyond the depth, in input order and marked unread."""
    if isinstance(outcome, Failed) or not tail:
        return outcome
    unread = tuple(
        Result(rank, candidate.document, None, Provenance.UNREAD)
        for rank, candidate in enumerate(tail, len(outcome) + 1)
    )
    return dataclasses.replace(outcome, results=(*outcome.results, *unread))
