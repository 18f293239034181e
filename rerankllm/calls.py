"""What a backend is asked and what it answers.

A backend answers *work*: a `Request` (a finished prompt and what is wanted of it) or, where it declares so, a
judgement itself (a recording, qrels, a cross-encoder). Outcomes are values in the order of the work; only a backend
that is unusable as a whole raises.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal, NamedTuple, Protocol, TypeAlias, runtime_checkable

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
class TextPrompt:
    """A prompt as plain text, for a backend that applies no chat template and takes no token ids."""

    text: str


HINT = {"hint": True}
"""Metadata of a field that says how an answer may be had, not what is asked: it is no part of a call's content."""


@dataclass(frozen=True, slots=True)
class LabelForm:
    """How an answer that names labels is written.

    Attributes:
        labels: Those that may be named.
        count: How many of them.
        opening: The text before the first label.
        between: The text between two labels.
        closing: The text after the last label.
        required: Whether a backend that does not know how to hold answers to it should find out.
    """

    labels: tuple[str, ...]
    count: int = 1
    opening: str = ""
    between: str = ""
    closing: str = ""
    required: bool = False


@dataclass(frozen=True, slots=True)
class Generate:
    """Asks for text, greedily decoded unless the model's spec says otherwise.

    Attributes:
        max_tokens: The most tokens to generate.
        stop: The text ends before any of these.
        choices: The text should be one of these; a backend that can constrain the model may do so.
        form: The text should have this form; a backend that can constrain the model may do so.
        labels: Asks also for the log-probabilities of these labels wherever the model writes one of them. Backends that
            give label log-probabilities give these too.
    """

    max_tokens: int
    stop: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()
    labels: "ReadLabels | None" = None
    form: LabelForm | None = field(default=None, metadata=HINT)


@dataclass(frozen=True, slots=True)
class Sample(Generate):
    """Asks for text drawn at temperature 1 instead of the likeliest, as after an answer that could not be used.

    Attributes:
        seed: Of the drawing, where the engine computes in this process; hosts draw as they do.
    """

    seed: int = 0


@dataclass(frozen=True, slots=True)
class ReadLabels:
    """Asks for the log-probability of each label as the answer.

    Attributes:
        labels: Label texts.
        ids: For each label the ids of the single tokens that spell it (surface variants count together); empty
            for a chat prompt, where the backend matches the returned tokens against the texts.
        raw: Asks for the model's logits, not normalized over the vocabulary.
    """

    labels: tuple[str, ...]
    ids: tuple[tuple[int, ...], ...] = ()
    raw: bool = False


@dataclass(frozen=True, slots=True)
class ReadContinuation:
    """Asks for the log-probability of each of these tokens, following the prompt."""

    ids: tuple[int, ...]


Paths: TypeAlias = tuple[tuple[int, ...], ...]
"""For each label of a set the tokens that write it."""


@dataclass(frozen=True, slots=True)
class WriteLabels:
    """Wanted: labels, written one after the other, each at most once, and nothing else.

    At each place the labels not yet written are compared, and the likeliest is taken: token by token, as greedy
    decoding would, among the tokens that go on with one of them. What stands between the labels is put in, not
    generated. A label ends where the next token cannot belong to it, so a path holds what follows the label too, up to
    where every next label goes on in its own way.

    Attributes:
        labels: Label texts.
        paths: For the first place, those between, and the last, as far as `count` has them: the tokens that write each
            label there, after what is written before.
        count: How many labels to write.
        opening: The text before the first label.
        between: The text between two labels.
        closing: The text after the last label.

    Raises:
        ValueError: There are not so many labels, or not a path for each in every place.
    """

    labels: tuple[str, ...]
    paths: tuple[Paths, ...]
    count: int = 1
    opening: str = ""
    between: str = ""
    closing: str = ""

    def __post_init__(self) -> None:
        if not 1 <= self.count <= len(self.labels):
            raise ValueError(f"cannot write {self.count} of {len(self.labels)} labels, each at most once")
        if [len(paths) for paths in self.paths] != [len(self.labels)] * min(self.count, 3):
            raise ValueError("every label needs its tokens for the first place, those between and the last")

    def at(self, place: int) -> Paths:
        """The tokens that write each label in a place, counted from 0."""
        return self.paths[-1] if place == self.count - 1 else self.paths[min(place, 1)]

    @property
    def most_tokens(self) -> int:
        """How many tokens the answer may have."""
        return sum(max(map(len, self.at(place))) for place in range(self.count))


Want: TypeAlias = Generate | ReadLabels | ReadContinuation | WriteLabels
"""What is read off a model."""


@dataclass(frozen=True, slots=True)
class Request:
    """One model call.

    Attributes:
        prompt: Token ids if the backend takes them, else plain text if it takes that, else messages.
        want: What is asked for.
    """

    prompt: ChatPrompt | TokenPrompt | TextPrompt
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
        text: Generated text (`Generate`), or the labels written with what stands between them (`WriteLabels`).
        logprobs: Natural logs, one per label or continuation token. A label the backend did not report is NaN.
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


NO_FLAGS: Mapping[str, Any] = MappingProxyType({})


class Tokenizer(Protocol):
    """A model's tokenizer, or an estimate of it if it is not known.

    Attributes:
        bos: The ids that a raw completion starts with; chat templates have their own.
        words_apart: Whether the tokens of a text with single spaces are the tokens of its words, each with the space
            before it, one after the other.
    """

    @property
    def bos(self) -> tuple[int, ...]: ...

    @property
    def words_apart(self) -> bool: ...

    def encode(self, text: str, *, special: bool = False) -> tuple[int, ...]:
        """Token ids. `special` reads control tokens such as `<|im_start|>`; without it they are plain text."""
        ...

    def decode(self, ids: Sequence[int]) -> str:
        """The text of these ids."""
        ...

    def chat(self, messages: Sequence[Message], flags: Mapping[str, Any] = NO_FLAGS, /) -> str:
        """The model's chat template, applied; a last assistant message is left open to be continued.

        Args:
            messages: The turns.
            flags: What the template is told besides; given for published models only, where there are any.
        """
        ...


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a backend can do.

    Attributes:
        answers: Judgements it answers without a prompt; the other attributes do not matter then.
        generate: Whether it writes text.
        label_logprobs: How many labels it can give the log-probabilities of; 0 for none.
        continuation_logprobs: Whether it gives the log-probabilities of given tokens.
        logits: Whether it also gives the logits of labels, before they are normalized.
        token_prompts: Whether it takes token ids, and therefore a prompt with the beginning of the answer.
        text_prompts: Whether it takes plain text instead of chats, and therefore the beginning of the answer.
        opened_chats: Whether it continues the last message of a chat if that is the assistant's.
        separate_decoder: Whether answers start in a decoder of their own, without the prompt before them.
        context: Tokens that prompt and answer may have together; None if unknown.
        remote: Whether it answers over a network, so that queries should not wait for one another.
        batch: How many requests it is given at a time, so that progress shows; None for all there are.
        slots: How many requests it has under way at any time; None for any number.
        constrained: Whether it writes labels and nothing else where that is wanted (`WriteLabels`).
        fixed: Whether its answers were given beforehand, so that it may lack one, which is no fault of a call.
        names: What the model is called, by its name, its files and its host: published rerankers are known by them.
        forms: Whether it may hold text to a form (`Generate.form`); others need not be told one.
    """

    answers: frozenset[type] = frozenset()
    generate: bool = False
    label_logprobs: int = 0
    continuation_logprobs: bool = False
    logits: bool = False
    token_prompts: bool = False
    text_prompts: bool = False
    opened_chats: bool = False
    separate_decoder: bool = False
    context: int | None = None
    remote: bool = False
    batch: int | None = None
    slots: int | None = None
    constrained: bool = False
    fixed: bool = False
    names: tuple[str, ...] = ()
    forms: bool = False


class Backend(Protocol):
    """A model, or a substitute such as a recording.

    Attributes:
        model: Its printed spec.
        capabilities: What it can do.
        default_strategy: The stage spec that is used if the user names none.
    """

    model: str
    capabilities: Capabilities
    default_strategy: str

    @property
    def revision(self) -> str | None:
        """What answers depend on besides the printed spec, such as a hash of the weights; None if unknown."""
        ...

    @property
    def tokenizer(self) -> Tokenizer:
        """Counts its tokens. Raises CapabilityError if the backend has no tokenizer."""
        ...

    async def complete(self, work: Work) -> Outcome:
        """Answers one piece of work.

        Raises:
            BackendError: The backend as a whole is unusable.
        """
        ...

    async def complete_all(self, works: Sequence[Work]) -> list[Outcome]:
        """Answers many at once, in order. Raises as `complete` does."""
        ...

    def cost(self, usage: Usage) -> float | None:
        """US dollars for this usage; 0 for local models, None if the price is unknown."""
        ...

    def most_tokens(self, want: Want) -> int:
        """The most tokens that it may generate for what is asked."""
        ...

    async def aclose(self) -> None:
        """Frees its resources; it is not used afterwards."""
        ...


@runtime_checkable
class SharesRequests(Protocol):
    """A backend that answers many judgements with one request."""

    def takes(self, work: Judgement) -> Usage:
        """The most that a judgement adds to the request that it would go out in now, as far as it can be told."""
        ...

    def expect(self, work: Judgement) -> None:
        """Keeps a place in that request for a judgement that follows at once."""
        ...

    def searches(self, count: int) -> int:
        """Search units of so many judgements of one query, asked for together; 0 where it counts none."""
        ...


def log_sum_exp(values: Sequence[float]) -> float:
    """Log Σ exp(v); -inf for none."""
    top = max(values, default=-math.inf)
    return top if math.isinf(top) else top + math.log(sum(math.exp(v - top) for v in values))
