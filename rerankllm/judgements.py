"""What a strategy may ask, what comes back, and how it asks.

A strategy is a generator. It says `answers = yield from ask([...])`, nothing else: the judgements of one `ask` may
be answered in parallel, and the number of asks is the length of the critical path. It never sees a prompt, a token,
a clock or a random global.
"""

from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol, TypeAlias, TypeVar

from rerankllm.data import Document, Query
from rerankllm.errors import QueryFailed


@dataclass(frozen=True, slots=True)
class Score:
    """How relevant is one document? Answered by a float; the elicitation says on which scale."""

    query: Query
    doc: Document

    @property
    def docs(self) -> tuple[Document, ...]:
        return (self.doc,)


@dataclass(frozen=True, slots=True)
class Compare:
    """Which of two is better, shown in this order? Answered by p(first wins); 0.5 is a tie.

    One order only: asking both ways is two judgements, combined in `rerankllm.calibration.order`.
    """

    query: Query
    first: Document
    second: Document

    @property
    def docs(self) -> tuple[Document, ...]:
        return (self.first, self.second)


@dataclass(frozen=True, slots=True)
class Select:
    """Which `m` are best (or worst)? Answered by m document ids, best (worst) first, or by as many as were named."""

    query: Query
    docs: tuple[Document, ...]
    m: int = 1
    worst: bool = False


@dataclass(frozen=True, slots=True)
class Ends:
    """Which is the best, and which the worst? Answered by their two ids, the best first."""

    query: Query
    docs: tuple[Document, ...]


@dataclass(frozen=True, slots=True)
class Permute:
    """In what order do these belong? Answered by a `WeakOrder`. `decode` asks for the first so many only."""

    query: Query
    docs: tuple[Document, ...]
    decode: int | None = None


@dataclass(frozen=True, slots=True)
class Grade:
    """What grade, 0 to `scale`, does each deserve? Answered by one float a document, in order; NaN for no grade."""

    query: Query
    docs: tuple[Document, ...]
    scale: int = 10


@dataclass(frozen=True, slots=True)
class Criterion:
    """Something that documents for a query are judged by.

    Attributes:
        text: What it is, in a few words.
        weight: How much it counts, relative to the others.
    """

    text: str
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Write:
    """By what should documents for this query be judged? Answered by `count` criteria, or as many as were written."""

    query: Query
    count: int

    @property
    def docs(self) -> tuple[Document, ...]:
        return ()


@dataclass(frozen=True, slots=True)
class Draft:
    """What might a document say that deserves this grade, 0 to 3? Answered by its text."""

    query: Query
    grade: int = 2

    @property
    def docs(self) -> tuple[Document, ...]:
        return ()


@dataclass(frozen=True, slots=True)
class Assess:
    """How well, 0 to `scale`, does a document meet each criterion, and why? Answered by an `Assessment`."""

    query: Query
    doc: Document
    criteria: tuple[Criterion, ...]
    scale: int = 10

    @property
    def docs(self) -> tuple[Document, ...]:
        return (self.doc,)


@dataclass(frozen=True, slots=True)
class Embed:
    """Where do the query and these documents lie? Answered by an array, the query's vector in row 0.

    With `feedback`, that is the vector of the query shown together with so many of the first documents.
    """

    query: Query
    docs: tuple[Document, ...]
    feedback: int = 0


@dataclass(frozen=True, slots=True)
class Prior:
    """What does a model say to `of`, in which there is nothing to read? Answered by a log-probability a label.

    No strategy asks this: it goes before what a strategy asks where an elicitation takes the labels' own likelihood
    off. It shows no document.

    Attributes:
        of: A judgement whose texts are free of content.
    """

    of: "Score | Compare | Select | Permute"

    @property
    def query(self) -> Query:
        return self.of.query

    @property
    def docs(self) -> tuple[Document, ...]:
        return ()


Judgement: TypeAlias = Score | Compare | Select | Ends | Permute | Grade | Write | Draft | Assess | Embed | Prior


def slots_of(judgement: Judgement) -> int:
    """The passage copies that a judgement sends."""
    again = min(judgement.feedback, len(judgement.docs)) if isinstance(judgement, Embed) else 0
    return len(judgement.docs) + again


@dataclass(frozen=True, slots=True)
class WeakOrder:
    """The answer to `Permute`: exactly the documents shown, none invented.

    Attributes:
        groups: Document ids that were ranked, best first; several in one group are tied.
        omitted: Ids that were shown and not ranked, in the order shown. To say where they belong is the strategy's
            business, so that an aggregation never sees evidence nobody gave.
    """

    groups: tuple[tuple[str, ...], ...]
    omitted: tuple[str, ...] = ()

    @property
    def ranked(self) -> tuple[str, ...]:
        """The ranked ids, ties in the order the answer named them."""
        return tuple(doc_id for group in self.groups for doc_id in group)


@dataclass(frozen=True, slots=True)
class Assessment:
    """The answer to `Assess`.

    Attributes:
        grades: One a criterion, in order; NaN for no grade.
        rationales: Why, one a criterion; "" where the answer gives no reason.
    """

    grades: tuple[float, ...]
    rationales: tuple[str, ...]


Answer: TypeAlias = Any
"""A float, a `WeakOrder`, a tuple of ids, of floats or of criteria, a text, an `Assessment` or an array: see each."""


class Failure(StrEnum):
    """Whose fault it is that a judgement has no answer."""

    CALL = "call"
    """No answer came: refused connection, timeout, error status, budget of the run. Asking again may help."""
    REFUSED = "refused"
    """It was not sent: what its query may spend is used up, or the query's deadline over."""
    ANSWER = "answer"
    """The model answered, but nothing in it can be used."""


@dataclass(frozen=True, slots=True)
class Unanswered:
    """A judgement that could not be answered.

    Attributes:
        reason: One line.
        failure: Whether the call failed or the answer was unusable.
        instead: An answer that is no evidence, with which a strategy goes on that needs one; None: the query fails.
    """

    reason: str
    failure: Failure = Failure.CALL
    instead: Answer | None = field(default=None, compare=False)


class Status(StrEnum):
    """How an answer read."""

    PARSED = "parsed"
    REPAIRED = "repaired"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class ParseReport:
    """How an answer read.

    Attributes:
        status: Whether it was complete as it was.
        repairs: Each kind of repair it needed, with how often.
        form: The form it was written in, such as `chain` or `json`; None where it is not known, or nothing was read.
    """

    status: Status = Status.PARSED
    repairs: Mapping[str, int] = field(default_factory=dict)
    form: str | None = None


TELLING = 4
"""Documents in an order that is the order shown once in 24 times by chance, or more rarely."""


def gives_back(shown: Sequence[str], order: WeakOrder) -> bool:
    """Whether an order names the first of the documents, as many as it names, in the order shown and without ties."""
    return len(order.ranked) == len(order.groups) and order.ranked == tuple(shown[: len(order.groups)])


class StageLike(Protocol):
    """What `within` needs of a stage: which elicitation and model its judgements go to (None: inherit)."""

    @property
    def elicitation(self) -> Any: ...
    @property
    def model(self) -> str | None: ...


@dataclass(frozen=True, slots=True)
class Ask:
    """One batch of judgements on its way from a strategy to a driver.

    Attributes:
        judgements: May all be answered at the same time.
        elicitation: Spec of the way to elicit them; None for the outer stage's.
        model: The model to ask; None for the outer stage's.
    """

    judgements: tuple[Judgement, ...]
    elicitation: Any = None
    model: str | None = None


T = TypeVar("T")

Steps: TypeAlias = Generator[Ask, Sequence[Answer], T]
"""A strategy under way: yields `Ask`, is sent one answer a judgement, returns a T."""


def ask(judgements: Iterable[Judgement]) -> Steps[Sequence[Answer]]:
    """Asks for answers the strategy cannot do without.

    Args:
        judgements: What may be answered in parallel; nothing is yielded when empty.

    Returns:
        One answer a judgement, in order. An answer that cannot be used is replaced by one that is no evidence, if the
        driver allows that: see `rerankllm.drivers.unusable`.

    Raises:
        QueryFailed: One of them was not answered.
    """
    answers = yield from try_ask(judgements)
    return [_needed(answer) for answer in answers]


def _needed(answer: Answer) -> Answer:
    if not isinstance(answer, Unanswered):
        return answer
    if answer.instead is None:
        raise QueryFailed(answer.reason)
    return answer.instead


def try_ask(judgements: Iterable[Judgement]) -> Steps[Sequence[Answer]]:
    """Asks, and hands unusable answers through, for strategies that define what one means (PRP: a tie).

    A call that failed or was refused is no answer at all and still fails the query.

    Raises:
        QueryFailed: A call failed or was refused.
    """
    answers = yield from ask_while_allowed(judgements)
    for answer in answers:
        if isinstance(answer, Unanswered) and answer.failure is Failure.REFUSED:
            raise QueryFailed(answer.reason)
    return answers


def ask_while_allowed(judgements: Iterable[Judgement]) -> Steps[Sequence[Answer]]:
    """Asks as `try_ask` does, and hands refused calls through too: for strategies that have an order at any time.

    Raises:
        QueryFailed: A call failed.
    """
    batch = tuple(judgements)
    if not batch:
        return ()
    answers = yield Ask(batch)
    for answer in answers:
        if isinstance(answer, Unanswered) and answer.failure is Failure.CALL:
            raise QueryFailed(answer.reason)
    return answers


def within(stage: StageLike, steps: Steps[T]) -> Steps[T]:
    """Runs `steps` with its judgements going to the elicitation and model of `stage`, where it names any."""
    answers: Sequence[Answer] | None = None
    while True:
        try:
            batch = next(steps) if answers is None else steps.send(answers)
        except StopIteration as stop:
            result: T = stop.value
            return result
        answers = yield Ask(batch.judgements, batch.elicitation or stage.elicitation, batch.model or stage.model)


def in_parallel(*tracks: Steps[T]) -> Steps[list[T]]:
    """Runs several generators side by side: the asks they make at the same time are one batch each round.

    Where they go to different elicitations or models there is one batch for each, one after the other.

    Returns:
        What each returned, in order.
    """
    results: dict[int, T] = {}
    waiting: dict[int, Ask] = {}

    def step(index: int, answers: Sequence[Answer] | None) -> None:
        waiting.pop(index, None)
        try:
            track = tracks[index]
            waiting[index] = next(track) if answers is None else track.send(answers)
        except StopIteration as stop:
            results[index] = stop.value

    for index in range(len(tracks)):
        step(index, None)
    while waiting:
        groups: dict[tuple[Any, str | None], dict[int, Ask]] = {}
        for index, a in waiting.items():
            groups.setdefault((a.elicitation, a.model), {})[index] = a
        for (elicitation, model), asks in groups.items():
            answers = yield Ask(tuple(j for a in asks.values() for j in a.judgements), elicitation, model)
            start = 0
            for index, a in asks.items():
                step(index, answers[start : start + len(a.judgements)])
                start += len(a.judgements)
    return [results[index] for index in range(len(tracks))]
