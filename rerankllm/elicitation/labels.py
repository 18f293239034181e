"""Label sets: what the documents of one prompt are called."""

import string
from collections.abc import Iterator, Sequence
from itertools import islice, product

from rerankllm.calls import Tokenizer
from rerankllm.errors import TemplateError


def numbers(n: int) -> tuple[str, ...]:
    """1 to n."""
    return tuple(str(i) for i in range(1, n + 1))


def letters(n: int) -> tuple[str, ...]:
    """A–Z, then a–z, then AA, AB, …: for text answers, where a label may be several tokens.

    Raises:
        TemplateError: More than there are.
    """
    found = tuple(islice(_letter_candidates(), n))
    if len(found) < n:
        raise TemplateError(f"there are only {len(found)} letter labels, {n} documents are shown; use numbers")
    return found


def single_tokens(tokenizer: Tokenizer, context: str, n: int) -> tuple[tuple[str, int], ...]:
    """`n` letter labels that are one token each, and different ones, right after `context`.

    Raises:
        TemplateError: The tokenizer does not have so many; the message says how many it has.
    """
    before = tokenizer.encode(context, special=True)
    found: list[tuple[str, int]] = []
    taken: set[int] = set()
    for label in _letter_candidates():
        if len(found) == n:
            break
        token = _next_token(tokenizer, context, before, label)
        if token is not None and token not in taken:
            taken.add(token)
            found.append((label, token))
    if len(found) < n:
        raise TemplateError(
            f"this model's tokenizer has {len(found)} single-token letter labels after {context[-20:]!r}, "
            f"{n} documents are shown; use a smaller window, or text answers"
        )
    return tuple(found)


def tokens_of(tokenizer: Tokenizer, context: str, label: str, variants: Sequence[str] = ()) -> tuple[int, ...]:
    """The single tokens that spell `label`, and those of its variants that are single, right after `context`.

    Raises:
        TemplateError: The label itself takes more than one token.
    """
    before = tokenizer.encode(context, special=True)
    token = _next_token(tokenizer, context, before, label)
    if token is None:
        raise TemplateError(
            f"label {label!r} is not a single token after {context[-20:]!r} for this model; "
            "change the label in the template, or use text answers"
        )
    others = (_next_token(tokenizer, context, before, variant) for variant in variants)
    return tuple(dict.fromkeys((token, *(other for other in others if other is not None))))


def _next_token(tokenizer: Tokenizer, context: str, before: Sequence[int], label: str) -> int | None:
    after = tokenizer.encode(context + label, special=True)
    if len(after) == len(before) + 1 and tuple(after[: len(before)]) == tuple(before):
        return after[-1]
    return None


def _letter_candidates() -> Iterator[str]:
    yield from string.ascii_uppercase
    yield from string.ascii_lowercase
    yield from map("".join, product(string.ascii_uppercase, repeat=2))
