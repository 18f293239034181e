"""Judgements that a query has asked already: they are answered by what was answered then, and not sent again.

The same documents in another order, or put to another model, are another judgement. A model that draws its answers by
chance is asked once, too, where it is asked in the same words. A call that failed, or whose answer could not be used,
answers nothing: who asks the same later asks the model.
"""

from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

from rerankllm.calls import CallFailed, Outcome
from rerankllm.data import Usage
from rerankllm.drivers.judges import Judge
from rerankllm.judgements import Judgement

if TYPE_CHECKING:
    from rerankllm.drivers.task import Call

Key: TypeAlias = tuple[int, Judgement]


class Repeats:
    """What one query has asked so far, and what waits for an answer that is under way."""

    def __init__(self) -> None:
        self._known: dict[Key, Outcome] = {}
        self._waiting: dict[Key, list[Call]] = {}
        self._judges: dict[int, Judge] = {}  # kept, so that none gets the number of another

    def known(self, call: "Call") -> Outcome | None:
        """What the same judgement was answered, at no cost; None where it was not answered."""
        outcome = self._known.get(self._key(call))
        return None if outcome is None else _again(outcome)

    def follows(self, call: "Call") -> bool:
        """Whether the same judgement is under way; then `call` waits for its outcome, else others wait for `call`."""
        waiting = self._waiting.get(self._key(call))
        if waiting is None:
            self._waiting[self._key(call)] = []
            return False
        waiting.append(call)
        return True

    def note(self, call: "Call", outcome: Outcome) -> None:
        """Keeps a usable outcome for whoever asks the same."""
        self._known.setdefault(self._key(call), outcome)

    def release(self, call: "Call", outcome: Outcome) -> list[tuple["Call", Outcome]]:
        """The calls that waited for this one, with their outcome."""
        return [(waiting, _again(outcome)) for waiting in self._waiting.pop(self._key(call), [])]

    def _key(self, call: "Call") -> Key:
        self._judges[id(call.judge)] = call.judge
        return id(call.judge), call.judgement


def _again(outcome: Outcome) -> Outcome:
    """An outcome as those get it who need not pay for it."""
    if isinstance(outcome, CallFailed):
        return replace(outcome, attempts=0)
    return replace(outcome, usage=Usage(), attempts=0)
