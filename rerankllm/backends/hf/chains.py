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

    Every pass takes all answers one comparison further. It computes only what was written since the one before: what
    came before that is remembered.

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
        sizes = [len(row.ids) + want.most_tokens for row, want in zip(prompts, wants, strict=True)]
        most = max(self._tokens, self._engine.room)
        order = sorted(range(len(prompts)), key=lambda i: prompts[i].ids)
        while order:
            group, left = [order[0]], most - sizes[order[0]]
            while len(group) < len(order) and sizes[order[len(group)]] <= left:
                left -= sizes[order[len(group)]]
                group.append(order[len(group)])
            order = order[len(group) :]
            with self._engine.remembering(sum(sizes[i] for i in group)):
                chains = self._written([prompts[i] for i in group], [wants[i] for i in group], abandoned)
            if abandoned():
                return
            yield [(i, chain.response(len(prompts[i].ids))) for i, chain in zip(group, chains, strict=True)]

    def _written(
        self, prompts: Sequence[Row], wants: Sequence[WriteLabels], abandoned: Callable[[], bool]
    ) -> list[LabelChain]:
        """The answers, written together."""
        chains = [LabelChain(want) for want in wants]
        ids = [row.ids + chain.begins for row, chain in zip(prompts, chains, strict=True)]
        while (live := [place for place, chain in enumerate(chains) if chain.asked]) and not abandoned():
            for found in self._engine.logits([Row(ids[place]) for place in live]):
                for at, logits in found:
                    ids[live[at]] += compared(chains[live[at]], logits[-1].float())
        return chains


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
