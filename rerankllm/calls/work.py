"""What a backend answers, and its outcomes."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Literal, NamedTuple, TypeAlias

from rerankllm.calls.wants import Want
from rerankllm.data import Usage
from rerankllm.judgements import Answer, Judgement, ParseReport


@dataclass(frozen=True, slots=True)
class Message:
    """One chat turn. If the last one is the assistant's, the model continues it."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True, slots=True)
class ChatPrompt:
    """A prompt for a backend that applies the chat template itself."""

    messages: tuple[Message, ...]


@dataclass(frozen=True, slots=True)
class TokenPrompt:
    """A prompt as token ids, template and special tokens included."""

    ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class EncoderPrompt:
    """A prompt for a model with an encoder and a decoder, where it is more than one text for the encoder.

    Attributes:
        texts: The token ids of each text. The encoder reads them apart, the decoder answers to all of them
            (Fusion-in-Decoder, Izacard and Grave 2021).
        opening: Token ids that the decoder starts with, after the first token that every answer has.
    """

    texts: tuple[tuple[int, ...], ...]
    opening: tuple[int, ...] = ()

    @property
    def ids(self) -> tuple[int, ...]:
        """All token ids, one text after the other."""
        return (*chain.from_iterable(self.texts), *self.opening)


@dataclass(frozen=True, slots=True)
class VectorPrompt:
    """A prompt in which one token stands for each passage: the vector that an encoder of the model's own makes of it.

    Attributes:
        prompt: Everything else, and `marker` where a passage stands.
        passages: Their texts, in order.
        marker: The id of the token; None for a prompt that is text.
    """

    prompt: "TokenPrompt | TextPrompt"
    passages: tuple[str, ...]
    marker: int | None = None

    @property
    def ids(self) -> tuple[int, ...]:
        """The token ids; none of a prompt that is text."""
        return self.prompt.ids if isinstance(self.prompt, TokenPrompt) else ()


@dataclass(frozen=True, slots=True)
class TextPrompt:
    """A prompt as plain text, for a backend that applies no chat template and takes no token ids."""

    text: str


Prompt: TypeAlias = ChatPrompt | TokenPrompt | EncoderPrompt | VectorPrompt | TextPrompt


@dataclass(frozen=True, slots=True)
class Request:
    """One model call.

    Attributes:
        prompt: Token ids if the backend takes them, else plain text if it takes that, else messages.
        want: What is asked for.
    """

    prompt: Prompt
    want: Want


class Reading(NamedTuple):
    """A label that the model wrote into its text, and how likely each label was at that position.

    Attributes:
        at: How many characters of the text come before it.
        label: The index of the label that was written.
        logprobs: Natural logs, one per label. A label the backend did not report is NaN.
        floor: Upper bound on each label that was not reported, which share what probability is left; NaN if there is
            none, or the backend reported something that is no number.
    """

    at: int
    label: int
    logprobs: tuple[float, ...]
    floor: float = math.nan


@dataclass(frozen=True, slots=True)
class Response:
    """The answer to a `Request`.

    Attributes:
        text: Generated text (`Generate`), or the labels written with what stands between them (`WriteLabels`); for
            `OrderVectors` the passages' numbers, from 1.
        logprobs: Natural logs, one per label or continuation token; cosines, one per document, for `ReadSimilarities`,
            and attention, one number per text, for `ReadAttention`. A label the backend did not report is NaN.
        floor: Upper bound on each label that was not reported, which share what probability is left; NaN if there is
            none, or the backend reported something that is no number.
        usage: Tokens, as the backend counted them.
        attempts: How many HTTP requests it took, retries included.
        finish_reason: Why generation ended ("stop", "length", "content_filter", …), if it is known.
        reasoning: What the model thought before it answered, if the backend separates the two ("" if it hides the
            thoughts); None if thoughts are part of `text`.
        readings: The labels of `Generate` or `WriteLabels` that the model wrote, in order.
        adapted: How the request differed from that of other hosts, in words: what this one refuses.
    """

    text: str = ""
    logprobs: tuple[float, ...] = ()
    floor: float = math.nan
    usage: Usage = Usage()
    attempts: int = 1
    finish_reason: str = "stop"
    reasoning: str | None = None
    readings: tuple[Reading, ...] = ()
    adapted: tuple[str, ...] = ()

    def with_cached(self, tokens: int) -> "Response":
        """The same, of whose prompt so many tokens were found in a cache; what else was found there does not count."""
        return replace(self, usage=replace(self.usage, cached_tokens=min(tokens, self.usage.prompt_tokens)))


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer to a judgement that a backend answers without a prompt.

    Attributes:
        answer: The answer.
        report: How it read.
        usage: What it took; of several that are answered by one request, the first has it all.
        attempts: How many requests it took; 0 where another answer of the same request counts them.
    """

    answer: Answer
    report: ParseReport = ParseReport()
    usage: Usage = Usage()
    attempts: int = 1


@dataclass(frozen=True, slots=True)
class CallFailed:
    """A call without an answer, after all attempts that the backend makes.

    Attributes:
        reason: One line.
        attempts: How many HTTP requests were sent.
        refused: Whether it was not sent because its query's own budget is used up or its deadline is over.
    """

    reason: str
    attempts: int = 1
    refused: bool = field(default=False, kw_only=True)


Work: TypeAlias = Request | Judgement
Outcome: TypeAlias = Response | Reply | CallFailed


def log_sum_exp(values: Sequence[float]) -> float:
    """Log Σ exp(v); -inf for none."""
    top = max(values, default=-math.inf)
    return top if math.isinf(top) else top + math.log(sum(math.exp(v - top) for v in values))
