"""Judgements that a query has asked already: they are answered by what was answered then, and not sent again.

The same documents in another order, or put to another model, are another judgement. A model that draws its answers by
chance is asked once, too, where it is asked in the same words. A call that failed, or whose answer could not be used,
answers nothing: who asks the same later asks the model.
"""

from dataclasses import replace
from typing import TYPE_CHECKING

from rerankllm.calls import CallFailed, Outcome
from rerankllm.data import Usage
from rerankllm.drivers.judges import Judge
from rerankllm.judgements import Judgement

if TYPE_CHECKING:
    from rerankllm.drivers.task import Call


class Repeats:
    """What one query has asked so far."""

    def __init__(self) -> None:
        # with the judge, which is kept so that none gets the number of another
        self._asked: dict[int, tuple[Judge, dict[Judgement, Question]]] = {}

    def question(self, call: "Call") -> "Question":
        """What a call asks: the same object for all calls that ask the same."""
        judge = call.judge
        if id(judge) not in self._asked:
            self._asked[id(judge)] = (judge, {})
        _, asked = self._asked[id(judge)]
        return asked.setdefault(call.judgement, Question())  # once a call, for it hashes every document that is shown


class Question:
    """What one or more calls of a query ask: how it was answered, and which calls wait for the answer."""

    __slots__ = ("_known", "_waiting")

    def __init__(self) -> None:
        self._known: Outcome | None = None
        self._waiting: tuple[Call, ...] | None = None

    @property
    def known(self) -> Outcome | None:
        """What it was answered, at no cost; None where it was not answered."""
        return None if self._known is None else _again(self._known)

    def follows(self, call: "Call") -> bool:
        """Whether it is being asked already; then `call` waits for the outcome, else others wait for `call`."""
        if self._waiting is None:
            self._waiting = ()
            return False
        self._waiting += (call,)
        return True

    def note(self, outcome: Outcome) -> None:
        """Keeps a usable outcome for whoever asks the same."""
        self._known = outcome if self._known is None else self._known

    def release(self, outcome: Outcome) -> list[tuple["Call", Outcome]]:
        """The calls that waited, with the outcome; whoever comes later asks again where it was not usable."""
        waiting, self._waiting = self._waiting, None
        return [(call, _again(outcome)) for call in waiting or ()]


def _again(outcome: Outcome) -> Outcome:
    """An outcome as those get it who need not pay for it."""
    if isinstance(outcome, CallFailed):
        return replace(outcome, attempts=0)
    return replace(outcome, usage=Usage(), attempts=0)
