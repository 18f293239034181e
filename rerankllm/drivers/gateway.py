"""The way of every call to its backend and back: past a journal that may know the answer, and past the budgets."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rerankllm.calls import CallFailed, Outcome, Request, Work, shares_requests
from rerankllm.data import Candidate, Query
from rerankllm.drivers.budget import NOTHING, Admission, Amount, Budget, amount_of
from rerankllm.drivers.repeats import Question
from rerankllm.drivers.task import Call, Read, Task
from rerankllm.formats.recordings import to_record
from rerankllm.journal.store import Completed, Journal, content_of
from rerankllm.judgements import Answer, ParseReport, Prior, Unanswered
from rerankllm.spec.stage import Stage


@dataclass(frozen=True, slots=True)
class Signature:
    """Who ranks a query. With the query and its documents it makes the key by which a journal knows a ranking.

    Attributes:
        stage: The strategy, complete.
        context: Gives what else answers depend on: models, templates, settings. Called only if there is a journal.
    """

    stage: Stage
    context: Callable[[], Sequence[Any]]


class Gateway:
    """Looks calls up in the journal, asks the budget, and keeps what comes back.

    Args:
        budget: Says what may be sent.
        counts_kept: Whether the calls that the journal holds of a query count as spent. False for a budget whose owner
            has added them.

    Attributes:
        journal: Keeps every outcome and answers what it has; None for none.
        budget: Says what may be sent.
        counts_kept: Whether the calls that the journal holds count as spent.
    """

    def __init__(self, budget: Budget, *, counts_kept: bool = False) -> None:
        self.journal: Journal | None = None
        self.budget = budget
        self.counts_kept = counts_kept
        self._opened: Journal | None = None
        self._entered: set[str] = set()

    def keep(self, journal: str | Path | Journal) -> Journal:
        """Uses a journal from now on. It is closed by `close` if it is opened here.

        Raises:
            InputError: The file is no journal, or cannot be written.
        """
        if isinstance(journal, Journal):
            self.journal, self._opened = journal, None
        else:
            self.journal = self._opened = Journal(journal)
        return self.journal

    def enter(self, query: Query, candidates: Sequence[Candidate], signature: Signature) -> str:
        """Notes a query in the journal, and returns its key; empty without a journal.

        Raises:
            InputError: The journal cannot be written.
        """
        if self.journal is None:
            return ""
        documents = [candidate.document for candidate in candidates]
        key = self.journal.enter(query, documents, str(signature.stage), signature.context())
        if self.counts_kept and key not in self._entered:
            self._entered.add(key)
            self.budget.spend(Amount.of(*self.journal.spent(key)))
        return key

    def close(self) -> None:
        """Closes the journal if it was opened here."""
        if self._opened is not None:
            self._opened.close()

    def out(self, call: Call) -> "Ticket | None":
        """Prepares a call.

        Returns:
            A ticket for the call. None if there is nothing to send: the journal had the answer, no prompt could be
            made, or the query has ended.
        """
        work = None if call.task.ended else call.prepare()
        if work is None:
            return None
        question = call.task.repeats.question(call)
        known = question.known
        content = "" if self.journal is None else content_of(work, call.judge.backend)
        if self.journal is not None:
            outcome = self.journal.recall(call.place, content, work, call.task.reused, elsewhere=known is None)
            if outcome is not None:
                call.task.budget.spend(amount_of(call.judge.backend, outcome))
                answer, report = call.read(outcome)
                self._keep(call, question, outcome, (answer, report))
                call.task.receive(call, outcome, answer, report, replayed=True)
                return None
        if known is not None:
            call.task.receive(call, known, *call.read(known), repeated=True)
            return None
        return None if question.follows(call) else Ticket(self, call, question, work, content)

    def back(self, ticket: "Ticket", outcome: Outcome) -> None:
        """Keeps an outcome, and hands it to the query and to its calls that waited for it as they ask the same."""
        call = ticket.call
        read = call.read(outcome)
        self._keep(call, ticket.question, outcome, read, ticket)
        self.hand(ticket, outcome, *read)

    def hand(self, ticket: "Ticket", outcome: Outcome, answer: Answer, report: ParseReport) -> None:
        """Hands an outcome to the query, and to its calls that waited for it because they ask the same."""
        ticket.task.receive(ticket.call, outcome, answer, report)
        for waiting, same in ticket.question.release(outcome):
            waiting.task.receive(waiting, same, *waiting.read(same), repeated=True)

    def _keep(self, call: Call, question: Question, outcome: Outcome, read: Read, sent: "Ticket | None" = None) -> None:
        """Keeps an answer for whoever asks the same; in the journal with the call if that was sent.

        It is kept even if the query has ended meanwhile. Where the journal cannot be written, the query ends.
        """
        answer, report = read
        if not isinstance(answer, Unanswered):
            question.note(outcome)
        if self.journal is None:
            return
        try:
            if sent is not None:
                completed = Completed(call.judgement, sent.work, call.judge.backend, outcome, report)
                self.journal.record(call.place, sent.content, completed)
            if not isinstance(outcome, CallFailed) and not isinstance(call.judgement, Prior):
                record = to_record(call.judgement, answer, report, outcome.usage)
                self.journal.hear(call.place, call.judge.described, record)
        except Exception as error:  # noqa: BLE001  # belongs to whoever waits for this query
            call.task.abort(error)


class Ticket:
    """A call that is ready to be sent.

    Attributes:
        call: The call.
        question: What it asks, which other calls may ask too.
        work: What the backend is sent.
        content: The hash by which a journal finds the call.
    """

    __slots__ = ("_gateway", "_most", "call", "content", "question", "work")

    def __init__(self, gateway: Gateway, call: Call, question: Question, work: Work, content: str) -> None:
        self._gateway = gateway
        self.call = call
        self.question = question
        self.work = work
        self.content = content
        self._most: tuple[Amount, Amount] | None = None  # what its budgets have set aside for it

    @property
    def task(self) -> Task:
        """The query that waits for the answer."""
        return self.call.task

    def admit(self) -> Admission | None:
        """Asks the query's budget and the run's; None if the call is refused for good or its query has ended."""
        task = self.call.task
        if task.ended:
            return None
        own, whole = task.budget, self._gateway.budget
        limited = own.limited or whole.limited or own.stopped or whole.stopped
        admission = self._reserve(own, whole) if limited else Admission.SEND
        if admission is Admission.SEND and not isinstance(self.work, Request):
            backend = self.call.judge.backend
            if shares_requests(backend):
                backend.expect(self.work)
        return admission

    def back(self, outcome: Outcome) -> None:
        """Settles the budgets and hands the outcome to the query."""
        self._settle(outcome)
        self._gateway.back(self, outcome)

    def give_up(self) -> None:
        """Settles the budgets for a call whose outcome will never be known; does nothing if they are settled."""
        self._settle(None)

    def _reserve(self, own: Budget, whole: Budget) -> Admission | None:
        """Has both budgets set aside the most that the call can take."""
        backend = self.call.judge.backend
        most = own.most(backend, self.work), whole.most(backend, self.work)
        admission = own.admit(most[0])
        refused = isinstance(admission, str)
        if admission is Admission.WAIT:
            return Admission.HOLD
        if admission is Admission.SEND:
            admission = whole.admit(most[1])
            if admission is Admission.SEND:
                self._most = most
            else:
                own.settle(most[0], NOTHING)
        if not isinstance(admission, str):
            return admission
        self.call.task.unaffordable = True
        outcome = CallFailed(admission, attempts=0, refused=refused)
        self._gateway.hand(self, outcome, *self.call.read(outcome))
        return None

    def _settle(self, outcome: Outcome | None) -> None:
        if self._most is None:
            return
        took = None if outcome is None else amount_of(self.call.judge.backend, outcome)
        for budget, most in zip((self.call.task.budget, self._gateway.budget), self._most, strict=True):
            budget.settle(most, most if took is None else took)
        self._most = None
