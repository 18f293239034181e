"""Passages that judges with relevance judgements write, and know again: what counts in them is their grade."""

import re

from rerankllm.data import Document

_HIGHEST = 3
_WRITTEN = re.compile(r"A passage that deserves grade ([0-3]) of 3\.")


def passage_of(grade: int) -> str:
    """A passage of this grade, from 0 to 3."""
    return f"A passage that deserves grade {grade} of {_HIGHEST}."


def grade_in(doc: Document, best: float) -> float:
    """The grade of such a passage where `best` is the highest; 0 of any other document."""
    found = _WRITTEN.fullmatch(doc.content)
    return best * int(found.group(1)) / _HIGHEST if found else 0
