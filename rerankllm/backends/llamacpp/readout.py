"""What is read off a model's logits: log-probabilities of given tokens, of labels, or a text, token by token."""

import math
from collections.abc import Sequence
from typing import Protocol, TypeAlias

import numpy as np

from rerankllm.backends.drawing import Chance
from rerankllm.backends.label_chain import LabelChain, Other
from rerankllm.backends.thought import ThoughtChain, ends
from rerankllm.calls import (
    AfterThought,
    CallFailed,
    Generate,
    ReadContinuation,
    Reading,
    ReadLabels,
    Response,
    Sample,
    Want,
    WriteLabels,
    log_sum_exp,
)
from rerankllm.data import Usage
from rerankllm.errors import CapabilityError

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


def label_log_probabilities(logits: Logits, want: ReadLabels) -> tuple[float, ...]:
    """For each label, of any of the tokens that spell it, or their logits. NaN for one that has no token."""
    if want.raw:
        return tuple(log_sum_exp([float(logits[token]) for token in ids]) if ids else math.nan for ids in want.ids)
    return tuple(log_sum_exp(log_probabilities(logits, ids)) if ids else math.nan for ids in want.ids)


class Reader(Protocol):
    """Takes logits as they come and makes a response of them.

    Attributes:
        named: The token ids it was given, to be looked up in the logits.
        begins: Tokens to decode after the prompt, without reading logits before the last of them.
        extra: Tokens to decode after those; logits are read at the last one before them and at each of them.
        room: How many further tokens `read` may ask to decode.
    """

    named: tuple[int, ...]
    begins: tuple[int, ...]
    extra: tuple[int, ...]
    room: int

    def read(self, logits: Logits) -> tuple[int, ...]:
        """Takes the next logits; returns the tokens to decode, the last of which is read after; none if it is done."""
        ...

    def guess(self) -> tuple[int, ...]:
        """Tokens that are likely to follow those to decode."""
        ...

    def response(self, prompt: int) -> Response | CallFailed:
        """What was read, after a prompt of so many tokens."""
        ...


class Unguided:
    """What reads or writes freely: nothing is put in before, and what comes is not guessed."""

    begins: tuple[int, ...] = ()

    def guess(self) -> tuple[int, ...]:
        """Nothing."""
        return ()


class ContinuationReader(Unguided):
    """Log-probabilities of given tokens, one after the other."""

    room = 0

    def __init__(self, want: ReadContinuation) -> None:
        self.named, self.extra = want.ids, want.ids[:-1]
        self._logprobs: list[float] = []

    def read(self, logits: Logits) -> tuple[int, ...]:
        """The next token's log-probability."""
        self._logprobs += log_probabilities(logits, (self.named[len(self._logprobs)],))
        return ()

    def response(self, prompt: int) -> Response:
        """One log-probability a token."""
        return Response(logprobs=tuple(self._logprobs), usage=Usage(prompt + len(self.named)))


class LabelReader(Unguided):
    """Log-probabilities of labels."""

    room = 0

    def __init__(self, want: ReadLabels) -> None:
        self.named: tuple[int, ...] = sum(want.ids, ())
        self.extra: tuple[int, ...] = ()
        self._want = want
        self._logprobs: tuple[float, ...] = ()

    def read(self, logits: Logits) -> tuple[int, ...]:
        """All of them at once."""
        self._logprobs = label_log_probabilities(logits, self._want)
        return ()

    def response(self, prompt: int) -> Response:
        """One log-probability a label."""
        return Response(logprobs=self._logprobs, usage=Usage(prompt))


class Writer(Unguided):
    """The most likely token, or one drawn, until the model ends, a stop string shows or the length is reached.

    Where that token is a label, the log-probabilities of all labels are read beside it.
    """

    def __init__(self, want: Generate, vocabulary: Vocabulary) -> None:
        self._labels = ReadLabels(()) if want.labels is None else want.labels
        self._spelled = {token: label for label, ids in enumerate(self._labels.ids) for token in ids}
        self._readings: list[Reading] = []
        self.named: tuple[int, ...] = tuple(self._spelled)
        self.extra: tuple[int, ...] = ()
        self.room = max(want.max_tokens - 1, 0)
        self._want = want
        self._stops = [stop.encode() for stop in want.stop if stop]
        self._vocabulary = vocabulary
        self._text = b""
        self._tokens = 0
        self._reason = "length"
        self._chance = Chance(want) if isinstance(want, Sample) else None

    def read(self, logits: Logits) -> tuple[int, ...]:
        """Takes the most likely token, the lowest id of equals, or draws one."""
        token = int(np.argmax(logits)) if self._chance is None else self._chance.next(logits)
        self._tokens += 1
        if self._vocabulary.ends(token):
            self._reason = "stop"
            return ()
        if token in self._spelled:
            logprobs = label_log_probabilities(logits, self._labels)
            self._readings.append(Reading(len(self.text), self._spelled[token], logprobs))
        seen = len(self._text)
        self._text += self._vocabulary.piece(token)
        found = [at for stop in self._stops if (at := self._text.find(stop, max(seen - len(stop), 0))) >= 0]
        if found:
            self._text = self._text[: min(found)]
            self._reason = "stop"
            return ()
        return (token,) if self._tokens < self._want.max_tokens else ()

    def response(self, prompt: int) -> Response:
        """The text, cut before the stop string."""
        usage, readings = Usage(prompt, self._tokens), tuple(self._readings)
        return Response(text=self.text, usage=usage, finish_reason=self._reason, readings=readings)

    @property
    def text(self) -> str:
        """What is written so far."""
        return self._text.decode("utf-8", "replace")

    @property
    def left(self) -> int:
        """How many more tokens may be written."""
        return self._want.max_tokens - self._tokens


class ThinkingWriter(Unguided):
    """A text that begins with a thought; behind its end, labels and nothing else."""

    extra: tuple[int, ...] = ()

    def __init__(self, want: Generate, after: AfterThought, vocabulary: Vocabulary) -> None:
        self._thought = Writer(want, vocabulary)
        self._after = after
        self._spell = vocabulary.piece
        self._answer: ThoughtChain | None = None
        held = (token for want in after.answers for paths in want.paths for path in paths for token in path)
        self.named: tuple[int, ...] = (*self._thought.named, *held)
        self.room = self._thought.room

    def read(self, logits: Logits) -> tuple[int, ...]:
        """Has the thought written, then the labels compared."""
        if self._answer is not None:
            return compared(self._answer, logits)
        tokens = self._thought.read(logits)
        if tokens and ends(self._after, self._thought.text, self._thought.left):
            self._answer = ThoughtChain(self._after, self._spelled)
        return tokens

    def response(self, prompt: int) -> Response | CallFailed:
        """The thought, and the answer."""
        thought = self._thought.response(prompt)
        return thought if self._answer is None else self._answer.response(thought)

    def _spelled(self, tokens: Sequence[int]) -> str:
        return b"".join(map(self._spell, tokens)).decode("utf-8", "replace")


def compared(chain: LabelChain | ThoughtChain, logits: Logits) -> tuple[int, ...]:
    """The tokens that a chain goes on with."""
    told = log_probabilities(logits, chain.asked)
    if not chain.may_end:
        return chain.take(told)
    others = logits.copy()
    others[list(chain.asked)] = -math.inf
    other = int(np.argmax(others))
    return chain.take(told, Other(other, told[0] + float(others[other]) - float(logits[chain.asked[0]])))


class ChainReader:
    """Labels, one after the other, and nothing else."""

    extra: tuple[int, ...] = ()

    def __init__(self, want: WriteLabels) -> None:
        self._chain = LabelChain(want)
        self.named: tuple[int, ...] = sum((path for paths in want.paths for path in paths), ())
        self.begins = self._chain.begins if self._chain.asked else ()
        self.room = max(want.most_tokens - len(self.begins) - 1, 0)

    def read(self, logits: Logits) -> tuple[int, ...]:
        """Has the labels compared."""
        return compared(self._chain, logits) if self._chain.asked else ()

    def guess(self) -> tuple[int, ...]:
        """The labels that are likely to follow."""
        return self._chain.guess()

    def response(self, prompt: int) -> Response | CallFailed:
        """The labels, with the log-probabilities of all in every place."""
        return self._chain.response(prompt)


def read_on(reader: Reader, guess: Sequence[int], rows: Sequence[Logits]) -> tuple[int, ...]:
    """The tokens that an answer goes on with, as far as what was guessed of them is right; none if it is done.

    Args:
        reader: The answer.
        guess: What was decoded behind its last token.
        rows: The logits of that token, and of all those guessed.
    """
    tokens = found = reader.read(rows[0])
    while found and len(tokens) <= len(guess) and tokens == tuple(guess[: len(tokens)]):
        found = reader.read(rows[len(tokens)])
        tokens += found
    return tokens if found else ()


def reader_for(want: Want, vocabulary: Vocabulary) -> Reader | None:
    """The reader of what is wanted; None where that is nothing and no logits are needed."""
    match want:
        case ReadContinuation():
            return ContinuationReader(want) if want.ids else None
        case ReadLabels():
            return LabelReader(want) if any(want.ids) else None
        case Generate() if want.max_tokens < 1:
            return None
        case Generate():
            return Writer(want, vocabulary) if want.after is None else ThinkingWriter(want, want.after, vocabulary)
        case WriteLabels():
            return ChainReader(want)
        case _:
            raise CapabilityError(f"llamacpp: {type(want).__name__} is for models of hf:")
