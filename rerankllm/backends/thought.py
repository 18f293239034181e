"""Labels that follow a thought: which token comes next, whichever engine computes the logits."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

from rerankllm.backends.label_chain import NO_OTHER, LabelChain, Other
from rerankllm.calls import AfterThought, CallFailed, Response
from rerankllm.calls.wants import BLANKS
from rerankllm.data import Usage


def ends(after: AfterThought, text: str, left: int) -> bool:
    """Whether a thought is over here, and its answer has room.

    Args:
        after: What follows it.
        text: What is written, or the last of it.
        left: How many more tokens may be written.
    """
    return left >= after.most_tokens and text.rstrip().endswith(after.end)


class ThoughtChain:
    """The answer after a thought, as it grows: a `LabelChain`, once the model has put blanks before it as it likes.

    Attributes:
        asked: The ids of the tokens to compare next; none once the answer is complete.
        may_end: Whether the likeliest of all other tokens counts too.

    Args:
        after: What may follow.
        text: The text of tokens.
    """

    def __init__(self, after: AfterThought, text: Callable[[Sequence[int]], str]) -> None:
        self._chains = [LabelChain(want) for want in after.answers]
        self._text = text
        self._blanks: list[int] = []
        self._chain: LabelChain | None = None
        self._broken = False
        self._chosen = 0
        self.asked: tuple[int, ...] = tuple(sorted({token for chain in self._chains for token in _first(chain)}))
        self.may_end = True

    def take(self, logprobs: Sequence[float], other: Other = NO_OTHER) -> tuple[int, ...]:
        """Takes the next token; see `LabelChain.take`."""
        if self._chain is not None:
            return self._go_on(self._chain, self._chain.take(logprobs, other))
        told = dict(zip(self.asked, logprobs, strict=True))
        best = max(self.asked, key=told.__getitem__)
        self._broken = any(map(math.isnan, (*logprobs, other.logprob)))
        if other.logprob > told[best] and len(self._blanks) < BLANKS and self._text((other.token,)).isspace():
            self._blanks.append(other.token)
            self._chosen += 1
            return (other.token,)
        self._chain = chain = next(chain for chain in self._chains if best in _first(chain))
        if not chain.begins:
            return self._go_on(chain, chain.take([told[token] for token in chain.asked]))
        self._chosen += 1
        return self._go_on(chain, chain.begins)

    def response(self, thought: Response) -> Response | CallFailed:
        """The thought with the labels written after it."""
        answer = CallFailed("") if self._chain is None else self._chain.response(0)
        if self._broken or isinstance(answer, CallFailed):
            return CallFailed("the model's logits are not numbers")
        before = thought.text + self._text(self._blanks)
        generated = thought.usage.completion_tokens + self._chosen + answer.usage.completion_tokens
        return replace(
            answer,
            text=before + answer.text,
            usage=Usage(thought.usage.prompt_tokens, generated),
            readings=(*thought.readings, *(r._replace(at=len(before) + r.at) for r in answer.readings)),
        )

    def _go_on(self, chain: LabelChain, tokens: tuple[int, ...]) -> tuple[int, ...]:
        self.asked, self.may_end = chain.asked, chain.may_end
        return tokens if self.asked else ()


def _first(chain: LabelChain) -> tuple[int, ...]:
    """The tokens that a chain may begin with."""
    return chain.begins[:1] or chain.asked
