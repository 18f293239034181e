"""What is asked of vLLM's engine for what is wanted of a model, and how its output is read."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from rerankllm.backends.label_chain import NO_OTHER, LabelChain, Other
from rerankllm.backends.thought import ThoughtChain, ends
from rerankllm.calls import (
    AfterThought,
    CallFailed,
    Draw,
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

MAX_LABEL_TOKENS = 128
"""How many tokens the engine tells the log-probabilities of by their ids, however unlikely they are."""

GREEDY: dict[str, Any] = {
    "temperature": 0.0,
    "top_p": 1.0,
    "top_k": 0,
    "min_p": 0.0,
    "repetition_penalty": 1.0,
    "presence_penalty": 0.0,
    "frequency_penalty": 0.0,
}
"""Always the likeliest token, said in full, whatever the model's generation config says."""


def label_logprobs(found: Mapping[int, Any], want: ReadLabels) -> tuple[float, ...]:
    """For each label, of any of the tokens that spell it. NaN for one that has no token."""
    return tuple(log_sum_exp([found[token].logprob for token in ids]) if ids else math.nan for ids in want.ids)


def _once(want: ReadLabels) -> tuple[int, ...]:
    """Every token that spells a label, once."""
    return tuple(dict.fromkeys(token for ids in want.ids for token in ids))


class Reader(Protocol):
    """What to ask the engine, and how to read its answer.

    Attributes:
        ids: Tokens of the prompt as the engine is to see it.
        named: Further tokens it is asked about.
        room: Tokens it is to generate, at most. At least one: the engine knows no other end.
    """

    @property
    def ids(self) -> tuple[int, ...]: ...

    @property
    def named(self) -> tuple[int, ...]: ...

    @property
    def room(self) -> int: ...

    @property
    def sampling(self) -> dict[str, Any]:
        """Fields of `SamplingParams` besides `GREEDY` and `max_tokens`; and `choices`, if the text is one of them."""
        ...

    def response(self, output: Any) -> Response | CallFailed | None:
        """Reads the engine's finished `RequestOutput`; None where another request has to follow."""
        ...


@dataclass(frozen=True, slots=True)
class LabelReader:
    """Log-probabilities of labels."""

    prompt: tuple[int, ...]
    want: ReadLabels

    room = 1

    @property
    def ids(self) -> tuple[int, ...]:
        """The prompt."""
        return self.prompt

    @property
    def named(self) -> tuple[int, ...]:
        """The tokens that spell labels."""
        return _once(self.want)

    @property
    def sampling(self) -> dict[str, Any]:
        """Exactly these tokens, not the likeliest ones."""
        return {"logprob_token_ids": list(self.named), "detokenize": False}

    def response(self, output: Any) -> Response:
        """One log-probability a label."""
        (found,) = output.outputs[0].logprobs
        return Response(logprobs=label_logprobs(found, self.want), usage=Usage(len(self.prompt)))


@dataclass(frozen=True, slots=True)
class ContinuationReader:
    """Log-probabilities of given tokens, one after the other.

    The last of them is asked about as a label is, so it need not be part of the prompt, and a prompt with its
    continuation may be as long as the context.
    """

    prompt: tuple[int, ...]
    want: ReadContinuation

    room = 1

    @property
    def ids(self) -> tuple[int, ...]:
        """Prompt and continuation without its last token."""
        return self.prompt + self.want.ids[:-1]

    @property
    def named(self) -> tuple[int, ...]:
        """The continuation's last token."""
        return self.want.ids[-1:]

    @property
    def sampling(self) -> dict[str, Any]:
        """Of the tokens inside the prompt themselves, none of the likelier ones; then of the last."""
        inside = {} if len(self.want.ids) == 1 else {"prompt_logprobs": 0}
        return inside | {"logprob_token_ids": list(self.named), "detokenize": False}

    def response(self, output: Any) -> Response:
        """One log-probability a token."""
        *inside, last = self.want.ids
        known = output.prompt_logprobs[len(self.prompt) :] if inside else ()
        logprobs = [found[token].logprob for found, token in zip(known, inside, strict=True)]
        (found,) = output.outputs[0].logprobs
        return Response(logprobs=(*logprobs, found[last].logprob), usage=Usage(len(self.prompt) + len(self.want.ids)))


@dataclass(frozen=True, slots=True)
class TextReader:
    """The text the model writes, cut before the stop string, and one of the choices where there are any.

    Wherever the model writes one of the labels wanted, the log-probabilities of all of them are read.
    """

    prompt: tuple[int, ...]
    want: Generate
    text: Callable[[Sequence[int]], str]

    @property
    def named(self) -> tuple[int, ...]:
        """The tokens that spell labels."""
        return () if self.want.labels is None else _once(self.want.labels)

    @property
    def ids(self) -> tuple[int, ...]:
        """The prompt."""
        return self.prompt

    @property
    def room(self) -> int:
        """As long as the answer may be."""
        return self.want.max_tokens

    @property
    def sampling(self) -> dict[str, Any]:
        """Where to stop, what to choose from, and which log-probabilities to tell beside every token."""
        held = {"choices": self.want.choices} if self.want.choices else {}
        told = {"logprob_token_ids": list(self.named)} if self.named else {}
        drawn = {"temperature": 1.0, "seed": self.want.seed} if isinstance(self.want, Sample) else {}
        if isinstance(self.want, Draw):
            drawn |= {"temperature": self.want.temperature, "top_p": self.want.top_p}
        return held | told | drawn | {"stop": [stop for stop in self.want.stop if stop]}

    def response(self, output: Any) -> Response | CallFailed:
        """The text, and why it ended; a failure where vLLM did not hold it to the choices."""
        written = output.outputs[0]
        if self.want.choices and written.text not in self.want.choices:
            return CallFailed(f"vLLM did not hold the answer to {', '.join(self.want.choices)}: '{written.text[:60]}'")
        usage = Usage(len(self.prompt), len(written.token_ids))
        return Response(
            text=written.text, usage=usage, finish_reason=written.finish_reason, readings=self.readings(written)
        )

    def readings(self, written: Any, before: tuple[int, ...] = ()) -> tuple[Reading, ...]:
        """The labels among the tokens written, after those before them."""
        want = self.want.labels
        return () if want is None else tuple(self._read(written, want, before))

    def _read(self, written: Any, want: ReadLabels, before: tuple[int, ...]) -> Iterator[Reading]:
        for place, (token, found) in enumerate(zip(written.token_ids, written.logprobs, strict=True)):
            label = next((number for number, ids in enumerate(want.ids) if token in ids), None)
            if label is not None:
                at = len(self.text((*before, *written.token_ids[:place])))
                yield Reading(at, label, label_logprobs(found, want))


class ChainReader:
    """Labels, one after the other, and nothing else: a request for each place where labels part.

    What is written so far is the prompt of the next request, which the engine remembers.
    """

    room = 1

    def __init__(self, prompt: tuple[int, ...], want: WriteLabels) -> None:
        self._prompt = prompt
        self._chain = LabelChain(want)
        self.ids: tuple[int, ...] = prompt + self._chain.begins

    @property
    def named(self) -> tuple[int, ...]:
        """The tokens to compare next."""
        return self._chain.asked

    @property
    def sampling(self) -> dict[str, Any]:
        """What to compare."""
        return comparison(self._chain)

    def response(self, output: Any) -> Response | CallFailed | None:
        """The labels written; None where more are to be compared."""
        self.ids += compared(self._chain, output)
        return None if self.named else self.written()

    def written(self) -> Response | CallFailed:
        """The labels written so far."""
        return self._chain.response(len(self._prompt))


class ThinkingReader:
    """A text that begins with a thought; behind its end, labels and nothing else.

    The first request stops at that end. Those that follow compare labels; where the thought is not followed by blanks,
    or too few tokens are left, a second one goes on with the text instead.
    """

    def __init__(
        self, prompt: tuple[int, ...], want: Generate, after: AfterThought, text: Callable[[Sequence[int]], str]
    ) -> None:
        self._free = TextReader(prompt, want, text)
        self._after = after
        self._prompt = prompt
        self._readings: tuple[Reading, ...] = ()
        self._stops = True
        self._thought = Response()
        self._answer: ThoughtChain | None = None
        self.ids: tuple[int, ...] = prompt

    @property
    def named(self) -> tuple[int, ...]:
        """The tokens to tell the log-probabilities of."""
        return self._free.named if self._answer is None else self._answer.asked

    @property
    def room(self) -> int:
        """As long as the text may be, or one token to compare."""
        return self._left if self._answer is None else 1

    @property
    def sampling(self) -> dict[str, Any]:
        """Of the text, or what to compare."""
        if self._answer is not None:
            return comparison(self._answer)
        stop = {"stop": [self._after.end], "include_stop_str_in_output": True} if self._stops else {}
        return self._free.sampling | stop

    def response(self, output: Any) -> Response | CallFailed | None:
        """The thought and its answer; None where another request has to follow."""
        if self._answer is not None:
            self.ids += compared(self._answer, output)
            return None if self._answer.asked else self._answer.response(self._thought)
        written = output.outputs[0]
        self._readings += self._free.readings(written, self._written)
        self.ids += tuple(written.token_ids)
        stopped = self._stops and written.stop_reason == self._after.end
        self._thought = Response(
            text=self._free.text(self._written) if stopped else self._thought.text + written.text,
            usage=Usage(len(self._prompt), len(self._written)),
            finish_reason=written.finish_reason,
            readings=self._readings,
        )
        if not stopped:
            return self._thought
        if not self._left:
            return replace(self._thought, finish_reason="length")
        self._stops = False
        if ends(self._after, self._thought.text, self._left):
            self._answer = ThoughtChain(self._after, self._free.text)
        return None

    @property
    def _written(self) -> tuple[int, ...]:
        return self.ids[len(self._prompt) :]

    @property
    def _left(self) -> int:
        return self._free.room - len(self._written)


def comparison(chain: LabelChain | ThoughtChain) -> dict[str, Any]:
    """Exactly these tokens; where others count too, the one that is generated is the likeliest of all others."""
    others = {"logit_bias": dict.fromkeys(chain.asked, -100.0)} if chain.may_end else {}
    return {"logprob_token_ids": list(chain.asked), "detokenize": False, **others}


def compared(chain: LabelChain | ThoughtChain, output: Any) -> tuple[int, ...]:
    """The tokens that a chain goes on with."""
    written = output.outputs[0]
    (found,) = written.logprobs
    token = written.token_ids[0]
    other = Other(token, found[token].logprob) if chain.may_end else NO_OTHER
    return chain.take([found[token].logprob for token in chain.asked], other)


def reader_for(
    prompt: tuple[int, ...],
    want: Want,
    text: Callable[[Sequence[int]], str],
) -> Reader | None:
    """The reader of what is wanted; None where that is nothing, and the engine need not be asked.

    Args:
        prompt: The prompt's tokens.
        want: What is wanted.
        text: The text of tokens.
    """
    match want:
        case ReadContinuation():
            return ContinuationReader(prompt, want) if want.ids else None
        case ReadLabels():
            return LabelReader(prompt, want) if any(want.ids) else None
        case Generate() if want.max_tokens < 1:
            return None
        case Generate():
            return (
                TextReader(prompt, want, text) if want.after is None else ThinkingReader(prompt, want, want.after, text)
            )
        case WriteLabels():
            return ChainReader(prompt, want)
        case _:
            raise CapabilityError(f"vllm: {type(want).__name__} is for models of hf:")
