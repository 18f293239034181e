"""What is read off a model's logits: log-probabilities of given tokens, of labels, or a text, token by token."""

import math
from collections.abc import Sequence
from typing import Protocol, TypeAlias

import numpy as np

from rerankllm.backends.base import Generate, ReadContinuation, ReadLabels, Response, log_sum_exp
from rerankllm.data import Usage

Logits: TypeAlias = "np.ndarray[tuple[int], np.dtype[np.float32]]"


class Vocabulary(Protocol):
    """What writing needs to know of tokens."""

    def piece(self, token: int) -> bytes:
        """The text of one token, empty for control tokens."""
        ...

    def ends(self, token: int) -> bool:
        """Whether the token says that the answer is over."""
        ...


def log_probabilities(logits: Logits, ids: Sequence[int]) -> list[float]:
    """Natural logs of the probabilities of tokens.

    Args:
        logits: One float32 a token of the vocabulary.
        ids: The tokens asked for.
    """
    top = logits.max()
    total = math.log(float(np.exp(logits - top).sum(dtype=np.float64)))
    return [float(logits[token]) - float(top) - total for token in ids]


class Reader(Protocol):
    """Takes logits as they come and makes a response of them.

    Attributes:
        named: The token ids it was given, to be looked up in the logits.
        extra: Tokens to decode after the prompt; logits are read at the last of the prompt and at each of these.
        room: How many further tokens `read` may ask to decode.
    """

    named: tuple[int, ...]
    extra: tuple[int, ...]
    room: int

    def read(self, logits: Logits) -> int | None:
        """Takes the next logits; returns a token to decode and read after, if it needs one."""
        ...

    def response(self, prompt: int) -> Response:
        """What was read, after a prompt of so many tokens."""
        ...


class ContinuationReader:
    """Log-probabilities of given tokens, one after the other."""

    room = 0

    def __init__(self, want: ReadContinuation) -> None:
        self.named, self.extra = want.ids, want.ids[:-1]
        self._logprobs: list[float] = []

    def read(self, logits: Logits) -> None:
        """The next token's log-probability."""
        self._logprobs += log_probabilities(logits, (self.named[len(self._logprobs)],))

    def response(self, prompt: int) -> Response:
        """One log-probability a token."""
        return Response(logprobs=tuple(self._logprobs), usage=Usage(prompt + len(self.named)))


class LabelReader:
    """Log-probabilities of labels: for each, of any of the tokens that spell it. NaN for one that has no token."""

    room = 0

    def __init__(self, want: ReadLabels) -> None:
        self.named: tuple[int, ...] = sum(want.ids, ())
        self.extra: tuple[int, ...] = ()
        self._want = want
        self._logprobs: tuple[float, ...] = ()

    def read(self, logits: Logits) -> None:
        """All of them at once."""
        self._logprobs = tuple(
            log_sum_exp(log_probabilities(logits, ids)) if ids else math.nan for ids in self._want.ids
        )

    def response(self, prompt: int) -> Response:
        """One log-probability a label."""
        return Response(logprobs=self._logprobs, usage=Usage(prompt))


class Writer:
    """The most likely token, again and again, until the model ends, a stop string shows or the length is reached."""

    def __init__(self, want: Generate, vocabulary: Vocabulary) -> None:
        self.named: tuple[int, ...] = ()
        self.extra: tuple[int, ...] = ()
        self.room = max(want.max_tokens - 1, 0)
        self._want = want
        self._stops = [stop.encode() for stop in want.stop if stop]
        self._vocabulary = vocabulary
        self._text = b""
        self._tokens = 0
        self._reason = "length"

    def read(self, logits: Logits) -> int | None:
        """Takes the most likely token, the lowest id of equals."""
        token = int(np.argmax(logits))
        self._tokens += 1
        if self._vocabulary.ends(token):
            self._reason = "stop"
            return None
        seen = len(self._text)
        self._text += self._vocabulary.piece(token)
        found = [at for stop in self._stops if (at := self._text.find(stop, max(seen - len(stop), 0))) >= 0]
        if found:
            self._text = self._text[: min(found)]
            self._reason = "stop"
            return None
        return token if self._tokens < self._want.max_tokens else None

    def response(self, prompt: int) -> Response:
        """The text, cut before the stop string."""
        text = self._text.decode("utf-8", "replace")
        return Response(text=text, usage=Usage(prompt, self._tokens), finish_reason=self._reason)


def reader_for(want: Generate | ReadLabels | ReadContinuation, vocabulary: Vocabulary) -> Reader | None:
    """The reader of what is wanted; None where that is nothing and no logits are needed."""
    match want:
        case ReadContinuation():
            return ContinuationReader(want) if want.ids else None
        case ReadLabels():
            return LabelReader(want) if any(want.ids) else None
        case Generate():
            return Writer(want, vocabulary) if want.max_tokens > 0 else None
