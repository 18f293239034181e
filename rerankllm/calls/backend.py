"""What answers: a model, or a substitute for one, with its tokenizer and what it can do."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Protocol, TypeGuard

from rerankllm.calls.wants import Want
from rerankllm.calls.work import Message, Outcome, Work
from rerankllm.data import Usage
from rerankllm.judgements import Judgement

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
        separate_decoder: Whether answers start in a decoder of their own, without the prompt before them; it takes an
            `EncoderPrompt` then.
        lists: What it reads of whole lists (`WholeList`), by an architecture of its own.
        context: Tokens that prompt and answer may have together; None if unknown.
        remote: Whether it answers over a network, so that queries should not wait for one another.
        batch: How many requests it is given at a time, so that progress shows; None for all there are.
        slots: How many requests it has under way at any time; None for any number.
        constrained: Whether it writes labels and nothing else where that is wanted (`WriteLabels`).
        fixed: Whether its answers were given beforehand, so that it may lack one, which is no fault of a call.
        names: What the model is called, by its name, its files and its host: published rerankers are known by them.
        bounded: Whether its scores are at most 1, and about 0 for what has nothing to do with the query.
        forms: Whether it may hold text to a form (`Generate.form`); others need not be told one.
        thinks_apart: Whether it thinks before it writes text, and its thoughts stay free where the text is held.
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
    lists: frozenset[type] = frozenset()
    context: int | None = None
    remote: bool = False
    batch: int | None = None
    slots: int | None = None
    constrained: bool = False
    fixed: bool = False
    names: tuple[str, ...] = ()
    bounded: bool = False
    forms: bool = False
    thinks_apart: bool = False


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


def shares_requests(backend: Backend) -> TypeGuard[SharesRequests]:
    """Whether a backend answers many judgements with one request."""
    return hasattr(backend, "expect")  # isinstance with a protocol takes longer than a call of the oracle
