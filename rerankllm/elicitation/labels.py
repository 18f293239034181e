"""Label sets: what the documents of one prompt are called."""

import string
from collections.abc import Iterator, Sequence
from itertools import islice, product

from rerankllm.calls import Tokenizer
from rerankllm.errors import TemplateError


def numbers(n: int) -> tuple[str, ...]:
    """1 to n."""
    return tuple(str(i) for i in range(1, n + 1))


def of_documents(kind: str, n: int) -> tuple[str, ...]:
    """The labels of `n` documents, of the kind that a template names: `numbers`, `numbers from 0` or `letters`."""
    if kind == "letters":
        return letters(n)
    return tuple(map(str, range(n))) if kind == "numbers from 0" else numbers(n)


def letters(n: int) -> tuple[str, ...]:
    """A–Z, then a–z, then AA, AB, …: for text answers, where a label may be several tokens.

    Raises:
        TemplateError: More than there are.
    """
    found = tuple(islice(_letter_candidates(), n))
    if len(found) < n:
        raise TemplateError(f"there are only {len(found)} letter labels, {n} documents are shown; use numbers")
    return found


def single_tokens(tokenizer: Tokenizer, context: str, n: int) -> tuple[tuple[tuple[str, int], ...], str]:
    """`n` letter labels that are one token each, and different ones, right after `context`.

    Vocabularies such as those of Qwen and Llama have tokens that an opening bracket is part of: after `[` they would
    not write `A`, but `[A` at once. The bracket is left to the label's token where this gives earlier letters.

    Returns:
        The labels with their tokens; and the end of `context` that is part of these tokens, so that the prompt has to
        end before it.

    Raises:
        TemplateError: The tokenizer does not have so many; the message says how many it has.
    """
    best: tuple[tuple[str, int], ...] = ()
    left = ""
    places = {label: place for place, label in enumerate(_letter_candidates())}
    for start, end in endings(context):
        found = _single_after(tokenizer, start, end, n)
        if len(found) > len(best) or (best and len(found) == n and places[found[-1][0]] < places[best[-1][0]]):
            best, left = found, end
    if len(best) < n:
        raise TemplateError(
            f"this model's tokenizer has {len(best)} single-token letter labels after {context[-20:]!r}, "
            f"{n} documents are shown; use a smaller window, or text answers"
        )
    return best, left


def tokens_of(tokenizer: Tokenizer, context: str, label: str, variants: Sequence[str] = ()) -> tuple[int, ...]:
    """The single tokens that spell `label`, and those of its variants that are single, right after `context`.

    Returns:
        The label's token and those of the variants that have one; none where the label takes more than one token.
    """
    before = tokenizer.encode(context, special=True)
    token = _next_token(tokenizer, context, before, label)
    if token is None:
        return ()
    others = (_next_token(tokenizer, context, before, variant) for variant in variants)
    return tuple(dict.fromkeys((token, *(other for other in others if other is not None))))


def tokens_after(
    tokenizer: Tokenizer, context: str, labels: Sequence[tuple[str, Sequence[str]]]
) -> tuple[tuple[tuple[int, ...], ...], str]:
    """For each label, which comes with its variants, the single tokens that spell it right after `context`.

    Returns:
        The tokens; and the end of `context` that is part of them, so that the prompt has to end before it.

    Raises:
        TemplateError: One of the labels takes more than one token.
    """
    for start, end in endings(context):
        spelled = [
            tokens_of(tokenizer, start, end + label, [end + variant for variant in variants])
            for label, variants in labels
        ]
        if all(spelled):
            return tuple(spelled), end
    lacking = next(label for label, variants in labels if not tokens_of(tokenizer, context, label, variants))
    raise TemplateError(
        f"label {lacking!r} is not a single token after {context[-20:]!r} for this model; "
        "change the label in the template, or use text answers"
    )


def endings(context: str) -> Iterator[tuple[str, str]]:
    """Where a prompt may end: as it is, or before a last character that tokens of labels may begin with."""
    yield context, ""
    if context[-1:] in _MERGING:
        yield context[:-1], context[-1:]


_MERGING = ("[", "(", " ")


def _single_after(tokenizer: Tokenizer, context: str, opening: str, n: int) -> tuple[tuple[str, int], ...]:
    before = tokenizer.encode(context, special=True)
    found: list[tuple[str, int]] = []
    taken: set[int] = set()
    for label in _letter_candidates():
        if len(found) == n:
            break
        token = _next_token(tokenizer, context, before, opening + label)
        if token is not None and token not in taken:
            taken.add(token)
            found.append((label, token))
    return tuple(found)


def _next_token(tokenizer: Tokenizer, context: str, before: Sequence[int], label: str) -> int | None:
    after = tokenizer.encode(context + label, special=True)
    if len(after) == len(before) + 1 and tuple(after[: len(before)]) == tuple(before):
        return after[-1]
    return None


def _letter_candidates() -> Iterator[str]:
    yield from string.ascii_uppercase
    yield from string.ascii_lowercase
    yield from map("".join, product(string.ascii_uppercase, repeat=2))
