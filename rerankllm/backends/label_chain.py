"""Labels written one after the other: which token comes next, whichever engine computes the logits."""

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from rerankllm.backends.label_guess import Guesser
from rerankllm.calls import CallFailed, Reading, Response, WriteLabels
from rerankllm.data import Usage


class Other(NamedTuple):
    """The likeliest of the tokens that were not asked for, and its log-probability."""

    token: int = -1
    logprob: float = -math.inf


NO_OTHER = Other()


class LabelChain:
    """The answer to `WriteLabels`, as it grows.

    An engine asks for log-probabilities only where labels part: what all labels left go on with is put in. It decodes
    the tokens it is given and tells the log-probabilities of `asked` behind them, until `asked` is empty.

    Attributes:
        begins: The tokens that every answer begins with, to be decoded with the prompt.
        asked: The ids of the tokens to compare next, ascending; none once the answer is complete.
        may_end: Whether a label may be over here, so that the likeliest of all other tokens counts too.

    Args:
        want: The labels.
    """

    def __init__(self, want: WriteLabels) -> None:
        self._want = want
        self._text = want.opening
        self._left = list(range(len(want.labels)))
        self._place = 0
        self._chosen = 0
        self._broken = False
        self._readings: list[Reading] = []
        self._guesser = Guesser(len(want.labels), once=want.once)
        self.asked: tuple[int, ...] = ()
        self.may_end = False
        self._enter()
        self.begins: tuple[int, ...] = tuple(self._go_on())

    def take(self, logprobs: Sequence[float], other: Other = NO_OTHER) -> tuple[int, ...]:
        """Takes the likeliest token that goes on with a label that is left, the lowest id of equals.

        Args:
            logprobs: Natural logs, one for each of `asked`.
            other: The likeliest token that is not asked for, where a label may be over.

        Returns:
            The tokens to decode next: that one, and those that must follow; none where nothing is left to compare.
        """
        told = dict(zip(self.asked, logprobs, strict=True))
        self._hear(told)
        self._chosen += 1
        can = {token for label in self._alive() if (token := self._next(label)) is not None}
        best = max(sorted(can), key=told.__getitem__)
        ended = self._ended()
        self._broken = self._broken or math.isnan(told[best]) or math.isnan(other.logprob)
        if ended is not None and other.logprob > told[best]:
            self._sum += _rest(told.values())
            tokens = [*self._finish(ended), *self._go_on()]
        else:
            self._sum += told[best]
            self._path.append(best)
            tokens = [best, *self._go_on()]
        return tuple(tokens) if self.asked else ()

    def guess(self) -> tuple[int, ...]:
        """Tokens that are likely to follow those to decode next.

        An engine may decode them at once and compare in several places: as long as `take` returns just what was
        guessed, the log-probabilities behind it are good. More are guessed while that goes well.
        """
        tokens: list[int] = []
        labels = self._guesser.guess(self._alive(), self._left, self._want.count - self._place) if self.asked else []
        for place, label in enumerate(labels, self._place):
            tokens += self._want.at(place)[label][len(self._path) if place == self._place else 0 :]
        return tuple(tokens)

    def response(self, prompt: int) -> Response | CallFailed:
        """The labels written, after a prompt of so many tokens; generated are those that were compared."""
        if self._broken:
            return CallFailed("the model's logits are not numbers")
        return Response(text=self._text, usage=Usage(prompt, self._chosen), readings=tuple(self._readings))

    def _enter(self) -> None:
        """Begins a place."""
        self._path: list[int] = []
        self._compared = False
        self._sum = 0.0
        self._known = [math.nan] * len(self._want.labels)
        self._bounds = [math.nan] * len(self._want.labels)

    def _go_on(self) -> list[int]:
        """Puts in all tokens up to where labels part; then says what is asked there."""
        put_in: list[int] = []
        self.asked, self.may_end = (), False
        while self._place < self._want.count:
            alive, ended = self._alive(), self._ended()
            following = {self._next(label) for label in alive}
            if len(alive) == 1 or following == {None}:
                put_in += self._finish(alive[0])
            elif len(following) == 1:
                (token,) = (self._next(label) for label in alive[:1])
                assert token is not None  # noqa: S101 - or all would be over
                self._path.append(token)
                put_in.append(token)
            else:
                every = (self._next(label) for label in self._matching(range(len(self._want.labels))))
                self.asked = tuple(sorted({token for token in every if token is not None}))
                self.may_end = ended is not None
                break
        return put_in

    def _finish(self, label: int) -> list[int]:
        """Writes the rest of a label, and begins the next place."""
        rest = list(self._want.at(self._place)[label][len(self._path) :])
        if self._compared:
            self._known[label] = self._sum
        bounds = [bound for value, bound in zip(self._known, self._bounds, strict=True) if math.isnan(value)]
        floor = math.nan if any(map(math.isnan, bounds)) else max(bounds, default=math.nan)
        self._readings.append(Reading(len(self._text), label, tuple(self._known), floor))
        self._guesser.written(label, self._left)
        if self._want.once:
            self._left.remove(label)
        self._text += self._want.labels[label] + self._want.following(self._place)
        self._place += 1
        self._enter()
        return rest

    def _hear(self, told: dict[int, float]) -> None:
        """Notes how likely each label is: exactly where no other label goes on in the same way, else at most."""
        self._compared = True
        matching, values = self._matching(range(len(self._want.labels))), dict[int, float]()
        for label in matching:
            token = self._next(label)
            alike = [other for other in matching if self._next(other) == token]
            value = self._sum + (_rest(told.values()) if token is None else told[token])
            (self._known if len(alike) == 1 else self._bounds)[label] = value
            values[label] = value
        self._guesser.hear(values)

    def _alive(self) -> list[int]:
        """The labels left that go on as this place does."""
        return self._matching(self._left)

    def _matching(self, labels: Sequence[int]) -> list[int]:
        paths, so_far = self._want.at(self._place), tuple(self._path)
        return [label for label in labels if paths[label][: len(so_far)] == so_far]

    def _ended(self) -> int | None:
        """The label that is complete as far as this place is written."""
        return next((label for label in self._alive() if self._next(label) is None), None)

    def _next(self, label: int) -> int | None:
        """The token that goes on with a label, after those written."""
        path = self._want.at(self._place)[label]
        return path[len(self._path)] if len(path) > len(self._path) else None


def _rest(logprobs: Iterable[float]) -> float:
    """The log-probability that none of these tokens follows."""
    left = 1.0 - sum(map(math.exp, logprobs))
    return math.log(left) if left > 0 else -math.inf
