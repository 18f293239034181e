"""The events that a driver reports to observers, in the order in which they happen."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

from rerankllm.data import Ledger, Query, Ranking, Usage
from rerankllm.errors import QueryFailed
from rerankllm.judgements import Answer, Judgement, ParseReport, Unanswered


@dataclass(frozen=True, slots=True)
class Failed:
    """A query that could not be ranked; it has no order at all.

    Attributes:
        query: The query.
        reason: One line.
        ledger: What it cost until then.
        unaffordable: Whether a budget refused one of its calls.
        unaskable: Whether no prompt can be made of it: the query or its documents are too long.
    """

    query: Query
    reason: str
    ledger: Ledger = Ledger()
    unaffordable: bool = False
    unaskable: bool = False


QueryOutcome: TypeAlias = Ranking | Failed


def ranking_of(outcome: QueryOutcome) -> Ranking:
    """The ranking of an outcome.

    Raises:
        QueryFailed: The query failed.
    """
    if isinstance(outcome, Failed):
        raise QueryFailed(outcome.reason, outcome.query.query_id)
    return outcome


@dataclass(frozen=True, slots=True)
class Started:
    """A query with so many candidates begins."""

    query: Query
    candidates: int


@dataclass(frozen=True, slots=True)
class Judged:
    """One call was answered, or failed.

    Attributes:
        query: The query.
        judgement: What was asked.
        answer: The answer.
        report: How it was read.
        usage: What it took.
        seconds: How long the query waited for it, its time in the queue included.
        prompt: Makes the text that was shown, for people to read; empty where there was none. To be called by the
            observer, on the driver's thread, since models' tokenizers are that thread's.
    """

    query: Query
    judgement: Judgement
    answer: Answer | Unanswered
    report: ParseReport
    usage: Usage
    seconds: float = 0.0
    prompt: Callable[[], str] = field(default=str, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Finished:
    """A query is ranked, or has failed."""

    outcome: QueryOutcome


Event: TypeAlias = Started | Judged | Finished
