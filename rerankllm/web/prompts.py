"""A prompt for pages: its own words as they are, and the texts in it by their place, so that each is sent once."""

from collections.abc import Sequence
from typing import TypeAlias

MARK = 24
"""Characters of a text's beginning that it is found by in a prompt; a shorter one is left where it is."""
Piece: TypeAlias = str | int | list[int]
"""Words of the prompt; the place of a text that is there as a whole; or its place and how many characters of it."""


def pieces(prompt: str, texts: Sequence[str]) -> list[Piece]:
    """Takes a prompt apart.

    Args:
        prompt: What was shown.
        texts: What may stand in it, or the beginning of what stands in it, in the order shown.

    Returns:
        The pieces, which make the prompt when they are put together.
    """
    found: list[Piece] = []
    at = 0
    for place, text in enumerate(texts):
        start = prompt.find(text[:MARK], at) if len(text) >= MARK else -1
        if start < 0:
            continue
        length = _shared(prompt, start, text)
        found += [prompt[at:start], place if length == len(text) else [place, length]]
        at = start + length
    return [piece for piece in [*found, prompt[at:]] if piece != ""]


def _shared(prompt: str, start: int, text: str) -> int:
    """How many characters of the text the prompt repeats."""
    if prompt.startswith(text, start):
        return len(text)
    low, high = MARK, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        if prompt.startswith(text[:middle], start):
            low = middle
        else:
            high = middle - 1
    return low
