"""What a driver tells while it works: frozen events, in the order things happen."""

from dataclasses import dataclass
from typing import TypeAlias

from rerankllm.data import Ledger, Query, Ranking, Usage
from rerankllm.judgements import Answer, Judgement, ParseReport, Unanswered


@dataclass(frozen=True, slots=True)
class Failed:
    """A query that could not be ranked; it has no order at all.

    Attributes:
        query: The query.
        reason: One line.
        ledger: What it cost all the same.
        unaffordable: Whether a budget refused it a call.
    """

    query: Query
    reason: str
    ledger: Ledger = Ledger()
    unaffordable: bool = False


QueryOutcome: TypeAlias = Ranking | Failed


@dataclass(frozen=True, slots=True)
class Started:
    """A query was submitted with so many candidates."""

    query: Query
    candidates: int


@dataclass(frozen=True, slots=True)
class Judged:
    """One call came back, or failed."""

    query: Query
    judgement: Judgement
    answer: Answer | Unanswered
    report: ParseReport
    usage: Usage


@dataclass(frozen=True, slots=True)
class Finished:
    """A query is done."""

    outcome: QueryOutcome


Event: TypeAlias = Started | Judged | Finished
