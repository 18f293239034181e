"""Answers of labels, many at a time: what stands between the labels is computed as a prompt is, not token by token."""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from rerankllm.backends.hf.batches import Row
from rerankllm.backends.hf.causal import Causal
from rerankllm.backends.label_chain import LabelChain, Other
from rerankllm.backends.thought import ThoughtChain
from rerankllm.calls import CallFailed, Response, WriteLabels


class ChainWriter:
    """Writes answers that are held to labels, by a model whose prompts are packed.

    Every pass takes all answers a comparison further, or several where what follows was guessed right. It computes only
    what was written since the one before, and the guesses: what came before that is remembered.

    Args:
        engine: Computes prompts, and remembers them.
        tokens: Of prompts with their answers, written at a time where that is more than is remembered anyway.
    """

    def __init__(self, engine: Causal, tokens: int) -> None:
        self._engine = engine
        self._tokens = tokens

    def takes(self, prompt: Row, want: WriteLabels) -> bool:
        """Whether an answer can be written so."""
        return len(prompt.ids) + want.most_tokens <= self._engine.reach

    def write(
        self, prompts: Sequence[Row], wants: Sequence[WriteLabels], abandoned: Callable[[], bool]
    ) -> Iterator[list[tuple[int, Response | CallFailed]]]:
        """Answers the prompts; stops in the middle once it is `abandoned`.

        Yields:
            For each answer that was written with others its index and the response.
        """
        # A wrong guess is remembered for a while too, beside what was written instead.
        sizes = [len(row.ids) + 2 * want.most_tokens for row, want in zip(prompts, wants, strict=True)]
        most = max(self._tokens, self._engine.room)
        order = sorted(range(len(prompts)), key=lambda i: prompts[i].ids)
        while order:
            group, left = [order[0]], most - sizes[order[0]]
            while len(group) < len(order) and sizes[order[len(group)]] <= left:
                left -= sizes[order[len(group)]]
                group.append(order[len(group)])
            order = order[len(group) :]
            with self._engine.remembering(sum(sizes[i] for i in group)):
                written = self._written([prompts[i] for i in group], [wants[i] for i in group], abandoned)
            if abandoned():
                return
            yield [(i, response) for i, response in zip(group, written, strict=True)]

    def _written(
        self, prompts: Sequence[Row], wants: Sequence[WriteLabels], abandoned: Callable[[], bool]
    ) -> list[Response | CallFailed]:
        """The answers, written together."""
        chains = [LabelChain(want) for want in wants]
        ids = [row.ids + chain.begins for row, chain in zip(prompts, chains, strict=True)]
        cached: dict[int, int] = {}
        while (live := [place for place, chain in enumerate(chains) if chain.asked]) and not abandoned():
            guesses = [chains[place].guess() if cached else () for place in live]
            rows = [Row(ids[place] + guess, len(guess) + 1) for place, guess in zip(live, guesses, strict=True)]
            for found in self._engine.logits(rows):
                for at, logits in found:
                    ids[live[at]] += all_compared(chains[live[at]], guesses[at], logits)
            cached = cached or {place: self._engine.known.get(at, 0) for at, place in enumerate(live)}
        return [
            response.with_cached(cached.get(place, 0)) if isinstance(response, Response) else response
            for place, (row, chain) in enumerate(zip(prompts, chains, strict=True))
            for response in (chain.response(len(row.ids)),)
        ]


def all_compared(chain: LabelChain, guess: Sequence[int], logits: Any) -> tuple[int, ...]:
    """The tokens that a chain goes on with, as far as what was guessed of them is right.

    Args:
        chain: The answer.
        guess: What was computed behind its last token.
        logits: Of that token and all those guessed: a tensor of shape (guessed + 1, vocabulary).
    """
    tokens: tuple[int, ...] = ()
    while chain.asked and len(tokens) <= len(guess) and tokens == tuple(guess[: len(tokens)]):
        tokens += compared(chain, logits[len(tokens)].float())
    return tokens


def compared(chain: LabelChain | ThoughtChain, logits: Any) -> tuple[int, ...]:
    """The tokens that a chain goes on with, from the logits of all: a float32 tensor of shape (vocabulary,)."""
    asked, total = list(chain.asked), logits.logsumexp(-1)
    told = (logits[asked] - total).tolist()
    if not chain.may_end:
        return chain.take(told)
    others = logits.clone()
    others[asked] = -math.inf
    value, token = others.max(-1)
    return chain.take(told, Other(int(token), float(value - total)))
