"""Several strategies, or one that repeats itself, over one pool of answers."""

from typing import Any, NamedTuple

from rerankllm.judgements import Answer, Ask, Judgement, Steps, T


class Asked(NamedTuple):
    """A judgement, and whom it was put to: what makes two of them the same."""

    elicitation: Any
    model: str | None
    judgement: Judgement


class Pool:
    """What has been answered so far.

    Attributes:
        answers: The answer to every different judgement asked, in the order they were first asked.
        saved: How often an answer was here already.
    """

    def __init__(self) -> None:
        self.answers: dict[Asked, Answer] = {}
        self.saved = 0


def asked_once(steps: Steps[T], pool: Pool) -> Steps[T]:
    """Runs `steps`, asking nothing that the pool holds or that the same batch asks already.

    The same documents in another order, or put to another model, are another judgement. A model that draws its
    answers by chance is asked once, too, where it is asked in the same words.
    """
    answers: list[Answer] | None = None
    while True:
        try:
            batch = next(steps) if answers is None else steps.send(answers)
        except StopIteration as stop:
            result: T = stop.value
            return result
        asked = [Asked(batch.elicitation, batch.model, judgement) for judgement in batch.judgements]
        new = [each for each in dict.fromkeys(asked) if each not in pool.answers]
        pool.saved += len(asked) - len(new)
        if new:
            found = yield Ask(tuple(each.judgement for each in new), batch.elicitation, batch.model)
            pool.answers.update(zip(new, found, strict=True))
        answers = [pool.answers[each] for each in asked]
