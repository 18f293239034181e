"""What stands between a call and its backend: a journal that may know the answer, a budget that may refuse it."""

from functools import partial

from rerankllm.calls import CallFailed, Outcome, Work
from rerankllm.drivers.budget import Admission, Budget, amount_of
from rerankllm.drivers.task import Call, Keep, Task, ignore
from rerankllm.formats.recordings import to_record
from rerankllm.journal.store import Completed, Journal, content_of
from rerankllm.judgements import Answer, ParseReport, Prior


class Gateway:
    """Every call passes here on its way out and on its way back.

    Attributes:
        journal: Keeps every outcome and answers what it has; None for none.
        budget: Says what may be sent.
    """

    def __init__(self, budget: Budget) -> None:
        self.journal: Journal | None = None
        self.budget = budget

    def out(self, call: Call) -> "Ticket | None":
        """Prepares a call.

        Returns:
            What is to be sent; None where nothing is, the task having been told why or been given the answer.
        """
        work = None if call.task.future.done() else call.prepare()
        if work is None:
            return None
        content = "" if self.journal is None else content_of(work, call.judge.backend)
        if self.journal is not None:
            outcome = self.journal.recall(call.place, content, work, call.task.reused)
            if outcome is not None:
                call.task.budget.spend(amount_of(call.judge.backend, outcome))
                call.task.receive(call, outcome, partial(self._hear, call, outcome), replayed=True)
                return None
        return Ticket(self, call, work, content)

    def keep(self, ticket: "Ticket", outcome: Outcome) -> Keep:
        """What writes the outcome down, once it is known what the answer is and how it read."""
        return partial(self._record, ticket, outcome)

    def _record(self, ticket: "Ticket", outcome: Outcome, answer: Answer, report: ParseReport) -> None:
        if self.journal is not None:
            call = ticket.call
            completed = Completed(call.judgement, ticket.work, call.judge.backend, outcome, report)
            self.journal.record(call.place, ticket.content, completed)
            self._hear(call, outcome, answer, report)

    def _hear(self, call: Call, outcome: Outcome, answer: Answer, report: ParseReport) -> None:
        if self.journal is None or isinstance(outcome, CallFailed) or isinstance(call.judgement, Prior):
            return
        record = to_record(call.judgement, answer, report, outcome.usage)
        self.journal.hear(call.place, call.judge.described, record)


class Ticket:
    """A call that is ready to be sent.

    Attributes:
        call: The call.
        work: What to send.
        content: What a journal finds it by.
    """

    def __init__(self, desk: Gateway, call: Call, work: Work, content: str) -> None:
        self._desk = desk
        self.call = call
        self.work = work
        self.content = content
        self._settled = False

    @property
    def task(self) -> Task:
        """Whose call it is."""
        return self.call.task

    def admit(self) -> Admission | None:
        """Whether it may be sent now; None for one that was refused, or whose query ended meanwhile."""
        if self.call.task.future.done():
            return None
        backend, own = self.call.judge.backend, self.call.task.budget
        admission = own.admit(backend, self.work)
        refused = isinstance(admission, str)
        if admission is Admission.WAIT:
            return Admission.HOLD
        if admission is Admission.SEND:
            admission = self._desk.budget.admit(backend, self.work)
            if admission is not Admission.SEND:
                own.withdraw(backend, self.work)
        if isinstance(admission, str):
            self.call.task.unaffordable = True
            outcome = CallFailed(admission, attempts=0, refused=refused)
            self.call.task.receive(self.call, outcome, ignore)
            return None
        return admission

    def back(self, outcome: Outcome) -> None:
        """Hands over the outcome of an admitted call."""
        self._settle(outcome)
        self.call.task.receive(self.call, outcome, self._desk.keep(self, outcome))

    def give_up(self) -> None:
        """Takes leave of an admitted call whose outcome nobody will know; nothing happens if it is known."""
        if not self._settled:
            self._settle(None)

    def _settle(self, outcome: Outcome | None) -> None:
        self._settled = True
        for budget in (self.call.task.budget, self._desk.budget):
            budget.settle(self.call.judge.backend, self.work, outcome)
