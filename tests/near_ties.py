"""Verdicts that do not hang on one processor's rounding.

The same weights give log-probabilities that differ a little on another processor, in another engine, or in another
batch. Where two answers are almost equally likely either may come first, and no test may say which. So numbers are
compared within a tolerance, an order where scores are further apart than that, and a text that was written greedily may
part from another one where the model likes both tokens about as much.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise, permutations, zip_longest
from typing import Any

from rerankllm.calls import ReadContinuation, Request, TokenPrompt

MARGIN = 0.25
"""Nats from which on of two log-probabilities llama.cpp puts the same one first on any processor.

With and without AVX-512, and by its server, the difference of two next tokens' log-probabilities moved by up to 0.12.
"""
END = "<|im_end|>"
"""What ends an answer of the packaged model."""


def assert_in_order(ranking, expected: Sequence[str], margin: float) -> None:
    """The documents come in this order, and their scores are so far apart that they do so everywhere."""
    scores = {result.doc_id: result.score for result in ranking}
    for better, worse in pairwise(expected):
        assert scores[better] - scores[worse] > margin, f"a near tie: {scores}"
    assert [doc_id for doc_id in ranking.doc_ids if doc_id in expected] == list(expected)


def assert_same_order(one: Mapping[str, float], other: Mapping[str, float], margin: float) -> None:
    """Two that score the same documents agree on each two that the first one tells apart by more than the margin."""
    for better, worse in permutations(one, 2):
        assert one[better] - one[worse] <= margin or other[better] > other[worse], (better, worse, one, other)


def assert_same_text(backend, prompt: Sequence[int], one, other, margin: float = MARGIN) -> None:
    """Two responses say the same, or part where the model likes what follows in the one and the other about as much."""
    if one.text.strip() == other.text.strip():  # servers cut white space
        assert one.finish_reason == other.finish_reason
        return
    first, second = (liked(backend, prompt, response) for response in (one, other))
    parted = next((pair for pair in zip_longest(first, second) if None in pair or pair[0][0] != pair[1][0]), None)
    assert parted, f"the tokens of {one.text!r} and {other.text!r} are the same"
    assert None not in parted, f"{one.text!r} ends where {other.text!r} goes on"
    (_, likes), (_, also) = parted
    assert abs(likes - also) < margin, f"{one.text!r} and {other.text!r} part by {abs(likes - also):.3f} nats"


def liked(backend, prompt: Sequence[int], response) -> list[tuple[int, float]]:
    """The tokens of a response, its end included, and how likely the model says that each is."""
    ids = backend.tokenizer.encode(response.text)
    ids += backend.tokenizer.encode(END, special=True) if response.finish_reason == "stop" else ()
    read = asyncio.run(backend.complete(Request(TokenPrompt(tuple(prompt)), ReadContinuation(tuple(ids)))))
    return list(zip(ids, read.logprobs, strict=True))


def greedy(logits: Callable[[list[int]], Any], ids: Sequence[int], tokens: int, margin: float) -> tuple[int, ...]:
    """The likeliest tokens one after the other: so many, or fewer where a near tie comes.

    Args:
        logits: Of what comes after these tokens: a tensor over the vocabulary.
        ids: The prompt.
        tokens: How many at most.
        margin: Between the likeliest token and the next one, from which on it is no near tie.
    """
    given = list(ids)
    for _ in range(tokens):
        values, tokens_of = logits(given).topk(2)
        if float(values[0] - values[1]) < margin:
            break
        given.append(int(tokens_of[0]))
    return tuple(given[len(ids) :])
