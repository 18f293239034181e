"""How a strategy asks: generators that yield an `Ask` and are sent its answers."""

from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias, TypeVar

from rerankllm.errors import QueryFailed
from rerankllm.judgements.answers import Answer, Failure, Unanswered
from rerankllm.judgements.asked import Judgement


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
    return [_instead(answer) if isinstance(answer, Unanswered) else answer for answer in answers]


def _instead(lacking: Unanswered) -> Answer:
    if lacking.instead is None:
        raise QueryFailed(lacking.reason)
    return lacking.instead


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
