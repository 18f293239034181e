"""Adds up what one query costs while it is ranked."""

from collections import Counter
from enum import Enum, auto

from rerankllm.calls import Backend, CallFailed, Outcome
from rerankllm.data import Ledger, Usage
from rerankllm.judgements import (
    TELLING,
    Answer,
    Judgement,
    ParseReport,
    Status,
    Unanswered,
    WeakOrder,
    gives_back,
    slots_of,
)

ASKED_AGAIN = "asked again"
"""The ledger's note of judgements that were asked twice because the first answer could not be used."""


class Asked(Enum):
    """How often a judgement is asked."""

    ONCE = auto()
    """Its answer counts, whatever it is."""
    TO_ASK_AGAIN = auto()
    """Its answer cannot be used, and it will be asked once more."""
    AGAIN = auto()
    """This is the second time."""


class Account:
    """A ledger in the making. It is changed in place, because a new `Ledger` for every call would be slow.

    Attributes:
        rounds: Batches answered, those aside in which nothing was asked that had not been before.
    """

    def __init__(self) -> None:
        self.rounds = 0
        self._waits = False
        self._parsed = self._repaired = self._failed = 0
        self._notes = Counter[str]()
        self._forms = Counter[str]()
        self._orders = self._as_shown = 0
        self._calls = self._replayed = self._attempts = self._slots = 0
        self._prompt_tokens = self._completion_tokens = self._cached_tokens = self._remembered_tokens = 0
        self._searches = 0.0
        self._cost: float | None = 0.0

    def add(
        self,
        judgement: Judgement,
        outcome: Outcome,
        answer: Answer | Unanswered,
        report: ParseReport,
        backend: Backend,
        *,
        replayed: bool,
        asked: Asked = Asked.ONCE,
    ) -> None:
        """Adds one call; `replayed` if the journal had it.

        A judgement that is asked twice is one call, of which the second answer counts; both are attempts that cost.
        """
        self._waits = True
        if isinstance(outcome, CallFailed):
            if asked is Asked.AGAIN:  # the first answer stays the one there is
                self._end(report.status, replayed=replayed)
            if outcome.refused:
                self._notes["calls beyond the budget of the query"] += 1
                return
            self._attempts += outcome.attempts
            if asked is not Asked.AGAIN:
                self._count(report.status)
            return
        self._attempts += outcome.attempts
        if asked is Asked.TO_ASK_AGAIN:
            self._notes[ASKED_AGAIN] += 1
        else:
            self._end(report.status, replayed=replayed)
        self._slots += slots_of(judgement)
        usage = outcome.usage
        self._prompt_tokens += usage.prompt_tokens
        self._completion_tokens += usage.completion_tokens
        self._cached_tokens += usage.cached_tokens
        self._searches += usage.searches
        self._remembered_tokens += usage.remembered_tokens
        cost = backend.cost(usage)
        self._cost = None if cost is None or self._cost is None else self._cost + cost
        if report.repairs:
            self._notes.update(report.repairs)
        if report.form:
            self._forms[report.form] += 1
        if isinstance(answer, WeakOrder) and len(answer.groups) >= TELLING:
            self._orders += 1
            self._as_shown += gives_back([doc.doc_id for doc in judgement.docs], answer)

    def _end(self, status: Status, *, replayed: bool) -> None:
        self._calls += 1
        self._replayed += replayed
        self._count(status)

    def _count(self, status: Status) -> None:
        if status is Status.PARSED:
            self._parsed += 1
        elif status is Status.REPAIRED:
            self._repaired += 1
        else:
            self._failed += 1

    def repeat(self) -> None:
        """Adds a judgement that was answered by what the query had asked before."""
        self._notes["repeated judgements"] += 1

    def end_round(self) -> None:
        """Ends a batch."""
        self.rounds += self._waits
        self._waits = False

    def ledger(self) -> Ledger:
        """The sum so far."""
        return Ledger(
            calls=self._calls,
            replayed=self._replayed,
            attempts=self._attempts,
            rounds=self.rounds,
            slots=self._slots,
            parsed=self._parsed,
            repaired=self._repaired,
            failed=self._failed,
            forms=dict(self._forms),
            orders=self._orders,
            as_shown=self._as_shown,
            usage=Usage(
                self._prompt_tokens,
                self._completion_tokens,
                self._cached_tokens,
                self._searches,
                self._remembered_tokens,
            ),
            cost_usd=self._cost,
            notes=dict(self._notes),
        )
