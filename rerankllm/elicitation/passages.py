"""The beginning of a passage in tokens, without encoding what is cut off."""

import math

from rerankllm.calls import Tokenizer

SENTENCE = "It's 12,345 (or so) caf\u00e9s \u2013 \u00abhere\u00bb, \u4f60\u597d \u4e16\u754c e.g. ab'c \U0001f642 x ."


def first_tokens(tokenizer: Tokenizer, text: str, limit: int) -> tuple[int, ...]:
    """The first `limit` tokens of a text, or all where it has fewer.

    Where the tokens of a text are those of its words, one word after the other, words are encoded until there are
    enough; else the whole text is. The tokens are the same.

    Args:
        tokenizer: The tokenizer.
        text: White space folded to single spaces.
        limit: Tokens wanted, 1 or more.
    """
    if len(text) <= limit or not tokenizer.words_apart:
        return tokenizer.encode(text)[:limit]
    ids: tuple[int, ...] = ()
    start = 0
    while len(ids) < limit and start < len(text):
        each = start / len(ids) if ids else 1  # characters a token: first the least there may be
        end = text.find(" ", start + max(1, math.ceil((limit - len(ids)) * each)))
        end = len(text) if end < 0 else end
        ids += tokenizer.encode(text[start:end])
        start = end
    return ids[:limit]


def composes(tokenizer: Tokenizer) -> bool:
    """Whether a sentence with a bit of everything has the tokens of its words."""
    words = SENTENCE.split(" ")
    apart = (tokenizer.encode(word if i == 0 else f" {word}") for i, word in enumerate(words))
    return tokenizer.encode(SENTENCE) == tuple(token for ids in apart for token in ids)
