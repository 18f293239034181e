"""One query under way: its strategy's generator, the calls it waits for, and its ledger."""

import logging
import math
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from dataclasses import dataclass
from operator import eq
from typing import TypeAlias

from rerankllm.calls import CallFailed, Outcome, Work
from rerankllm.data import Candidate, Ledger, Query, Ranking, Usage, float32s
from rerankllm.drivers.account import Account, Asked
from rerankllm.drivers.budget import Budget
from rerankllm.drivers.events import Event, Failed, Finished, Judged, QueryOutcome, Started
from rerankllm.drivers.judges import Judge, Resolve, asking
from rerankllm.drivers.repeats import Repeats
from rerankllm.drivers.unusable import Unusable, another_order, in_first_order, no_evidence, sampled
from rerankllm.errors import InputError, QueryFailed
from rerankllm.journal.codec import shown
from rerankllm.journal.store import CallPlace
from rerankllm.judgements import Answer, Failure, Judgement, ParseReport, Status, Steps, Unanswered

log = logging.getLogger(__name__)

Observer = Callable[[Event], None]
Finish = Callable[[Ranking], QueryOutcome]
Read: TypeAlias = tuple[Answer | Unanswered, ParseReport]
"""The answer in an outcome, and how it read."""


@dataclass(frozen=True, slots=True)
class FirstTry:
    """A call whose answer could not be used.

    Attributes:
        call: The call.
        reason: Why not.
        replayed: Whether the journal had the answer.
    """

    call: "Call"
    reason: str
    replayed: bool


@dataclass(slots=True, eq=False)  # not frozen, which takes longer to make
class Call:
    """One judgement that a query waits for.

    Attributes:
        task: The query.
        step: How many batches the query had asked for before.
        item: Its number in its batch.
        judgement: What is asked.
        judge: Who answers.
        since: When it was asked, on the monotonic clock.
        first: For a judgement that is asked again, how it was asked before.
    """

    task: "Task"
    step: int
    item: int
    judgement: Judgement
    judge: Judge
    since: float
    first: FirstTry | None = None

    @property
    def place(self) -> CallPlace:
        """Where a journal keeps it."""
        place = CallPlace(self.task.key, self.step, self.item)
        return place.second_try() if self.first else place

    def prepare(self) -> Work | None:
        """Makes the work to send, just before it is sent; None if it cannot be made, and the query has failed."""
        try:
            return self._work()
        except InputError as error:
            self.task.fail(str(error), unaskable=True)
        except Exception as error:  # noqa: BLE001  # belongs to whoever waits for this query
            self.task.abort(error)
        return None

    def again(self, reason: str, *, replayed: bool) -> "Call | None":
        """The call that asks the same once more, in another way; None where there is no other way."""
        other = another_order(self.judgement) or self.judgement
        first = FirstTry(self, reason, replayed)
        again = Call(self.task, self.step, self.item, other, self.judge, time.monotonic(), first)
        return None if again._work() is None else again

    def read(self, outcome: Outcome) -> Read:
        """The answer in an outcome, and how it read."""
        if isinstance(outcome, CallFailed):
            failure = Failure.REFUSED if outcome.refused else Failure.CALL
            return Unanswered(outcome.reason, failure), ParseReport(Status.FAILED)
        try:
            answer, report = self.judge.read(self.judgement, outcome)
        except Exception as error:  # an answer is a stranger's text: what it breaks is this answer, which is kept
            log.exception("%s: an answer could not be read", self.task.query.query_id)
            reason = f"reading the answer failed with {type(error).__name__}; this is a bug"
            return Unanswered(reason, Failure.ANSWER), ParseReport(Status.FAILED, {"unreadable": 1})
        if isinstance(answer, float) and not math.isfinite(answer):
            report = ParseReport(Status.FAILED, {"not a finite number": 1})
            return Unanswered(
                f"the score of document {self.judgement.docs[0].doc_id} is {answer}", Failure.ANSWER
            ), report
        return answer, report

    def prompt(self) -> str:
        """The text that is shown, for people to read; empty where there is none."""
        work = self._work()
        return "" if work is None else shown(work, self.judge.backend)

    def _work(self) -> Work | None:
        work = self.judge.prepare(self.judgement)
        drawn = self.first is not None and self.first.call.judgement is self.judgement
        return sampled(work) if drawn else work


class Task:
    """Steps one strategy's generator: asks for its calls, and goes on when the last of them is answered.

    Its methods do not raise. An error goes to `future`: as `Failed` if it is this query's alone, else as an exception.

    Args:
        query: The query.
        candidates: What `steps` ranks.
        steps: The strategy's generator.
        resolve: Finds the judge for a judgement.
        observer: Called with every event; None where nobody listens.
        ask: Called with the calls that it waits for.
        finish: Makes the outcome of the ranking; None for the ranking as it is.
        key: The key by which the journal knows this query.
        budget: What this query may spend; None for no limit of its own.
        party: Whose query it is; None for a party of its own.
        unusable: What follows an answer that cannot be used.

    Attributes:
        reused: Numbers of the journal's calls of other rankings that answered a call of this one.
        repeats: What it has asked, so that nothing is asked twice.
        unaffordable: Whether a budget refused one of its calls.
        ended: Whether it has its outcome, an error, or was cancelled; unlike the future's own answer it takes no lock.
    """

    def __init__(
        self,
        query: Query,
        candidates: Sequence[Candidate],
        steps: Steps[Ranking],
        resolve: Resolve,
        observer: Observer | None,
        *,
        ask: Callable[[Sequence[Call]], None],
        finish: Finish | None = None,
        key: str = "",
        budget: Budget | None = None,
        party: object = None,
        unusable: Unusable = "keep",
    ) -> None:
        self.query = query
        self.party = self if party is None else party
        self.budget = budget or Budget()
        self.key = key
        self.future: Future[QueryOutcome] = Future()
        self.ended = False
        self.future.add_done_callback(self._end)
        self._candidates = candidates
        self._steps = asking(steps, resolve)
        self._observe = observer
        self._ask = ask
        self._finished = finish
        self._answers: list[Answer] = []
        self._missing = 0
        self._account = Account()
        self._unusable = unusable
        self._useless = ""
        self._read: set[str] = set()
        self._step = 0
        self.reused: set[int] = set()
        self.repeats = Repeats()
        self.unaffordable = False

    def start(self) -> None:
        """Runs the strategy to its first calls, or to its end."""
        if self._observe is not None:
            self._observe(Started(self.query, len(self._candidates)))
        self._advance(None)

    def receive(
        self,
        call: Call,
        outcome: Outcome,
        answer: Answer | Unanswered,
        report: ParseReport,
        *,
        replayed: bool = False,
        repeated: bool = False,
    ) -> None:
        """Takes the outcome of one of its calls; the last one moves the generator on.

        Args:
            call: The call.
            outcome: What came back.
            answer: The answer in it.
            report: How it was read.
            replayed: Whether the journal had it.
            repeated: Whether the query had asked the same before; that is no call.
        """
        if self.ended:
            return
        try:
            again = self._again(call, answer, replayed=replayed)
            asked = Asked.AGAIN if call.first else Asked.TO_ASK_AGAIN if again else Asked.ONCE
            replayed = call.first.replayed if call.first and isinstance(outcome, CallFailed) else replayed
            if repeated:
                self._account.repeat()
            else:
                self._account.add(
                    call.judgement, outcome, answer, report, call.judge.backend, replayed=replayed, asked=asked
                )
            if not isinstance(answer, Unanswered):
                self._read.update([doc.doc_id for doc in call.judgement.docs])
        except Exception as error:  # noqa: BLE001  # belongs to whoever waits for this query
            self.abort(error)
            return
        if self._observe is not None:
            usage = Usage() if isinstance(outcome, CallFailed) else outcome.usage
            seconds = time.monotonic() - call.since
            self._observe(Judged(self.query, call.judgement, answer, report, usage, seconds, call.prompt))
        if again is not None:
            self._ask([again])
            return
        self._settle(call, answer)

    def _again(self, call: Call, answer: Answer | Unanswered, *, replayed: bool) -> Call | None:
        """The call that asks the same once more; None where the answer is there, or no other is to be had."""
        if not isinstance(answer, Unanswered) or answer.failure is not Failure.ANSWER:
            return None
        return call.again(answer.reason, replayed=replayed) if self._unusable == "keep" and not call.first else None

    def _settle(self, call: Call, answer: Answer | Unanswered) -> None:
        """Takes the answer to a call for good; the last one of a batch moves the generator on."""
        first = call.first
        asked = first.call if first else call
        if not isinstance(answer, Unanswered):
            answer = in_first_order(asked.judgement, call.judgement, answer) if first else answer
        elif answer.failure is Failure.ANSWER or (first and _could_not_ask(call, answer)):
            instead = no_evidence(asked.judgement) if self._unusable == "keep" else None
            answer = Unanswered(first.reason if first else answer.reason, Failure.ANSWER, instead)
            self._useless = self._useless or answer.reason
        self._answers[asked.item] = answer
        self._missing -= 1
        if not self._missing:
            self._account.end_round()
            self._advance(self._answers)

    def fail(self, reason: str, *, unaskable: bool = False) -> None:
        """Ends the query without a ranking; `unaskable` where no prompt can be made of it."""
        self._finish(Failed(self.query, reason, self._account.ledger(), self.unaffordable, unaskable))

    def abort(self, error: BaseException) -> None:
        """Ends the query with an error that is not its alone."""
        with suppress(InvalidStateError):  # cancelled meanwhile
            self.future.set_exception(error)

    def _advance(self, answers: list[Answer] | None) -> None:
        try:
            try:
                batch = next(self._steps) if answers is None else self._steps.send(answers)
            except StopIteration as stop:
                self._finish(self._compose(stop.value))
                return
            step, self._step = self._step, self._step + 1
            self._answers = [None] * len(batch)
            self._missing = len(batch)
            now = time.monotonic()
            self._ask([Call(self, step, item, asked, judge, now) for item, (asked, judge) in enumerate(batch)])
        except QueryFailed as error:
            self.fail(error.reason)
        except Exception as error:  # noqa: BLE001  # whatever a strategy raises belongs to whoever waits for it
            self.abort(error)

    def _compose(self, ranking: Ranking) -> QueryOutcome:
        """The ranking with its ledger, after checks that it holds every candidate once and rests on usable answers."""
        spent = self._account.ledger()
        places = {candidate.document.doc_id: place for place, candidate in enumerate(self._candidates, 1)}
        doc_ids = ranking.doc_ids
        if len(doc_ids) != len(self._candidates) or set(doc_ids) != places.keys():
            return Failed(self.query, "the strategy did not return every candidate once; this is a bug", spent)
        ledger = spent.then(ranking.ledger)
        if ledger.failed * 2 >= (total := ledger.parsed + ledger.repaired + ledger.failed) > 0:
            share = "" if total == 1 else f"{ledger.failed} of {total} answers could not be used, such as this: "
            return Failed(self.query, f"{share}{self._useless}", ledger, self.unaffordable)
        ties = _ties(ranking)
        if ties:
            ledger = ledger.then(Ledger(notes={"tied scores": ties}))
        return Ranking(self.query, ranking.placed(self._read, places), ledger)

    def _end(self, future: "Future[QueryOutcome]") -> None:
        del future
        self.ended = True

    def _finish(self, outcome: QueryOutcome) -> None:
        changed = outcome if self._finished is None or isinstance(outcome, Failed) else self._finished(outcome)
        with suppress(InvalidStateError):  # cancelled meanwhile
            self.future.set_result(changed)
            if self._observe is not None:
                self._observe(Finished(outcome))


def _could_not_ask(call: Call, answer: Unanswered) -> bool:
    """Whether a second try was not made at all: the budget is used up, or a recording has no such answer."""
    return answer.failure is Failure.REFUSED or call.judge.backend.capabilities.fixed


def _ties(ranking: Ranking) -> int:
    """How many neighbours have the same score."""
    scores = float32s([result.score for result in ranking.results if result.score is not None])
    return sum(map(eq, scores, scores[1:]))
