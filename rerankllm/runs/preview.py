"""One ranking as text: the first passages before and after, for whoever wants to see what reranking does."""

import textwrap
from collections.abc import Mapping, Sequence

from rerankllm.data import Ranking, Result

SHOWN = 3
"""Passages shown of each order."""
LINES = 2
"""Lines that a passage may take."""


def before_and_after(ranking: Ranking, grades: Mapping[str, int] | None, width: int) -> str:
    """The query, the first passages as they were given, and the first ones of the ranking.

    Args:
        ranking: The ranking.
        grades: The query's judgements by document; None where there are none.
        width: Columns that a line may take.
    """
    given = sorted(ranking, key=lambda result: result.input_rank or len(ranking))[:SHOWN]
    before = [_passage(place, "", result, grades, width) for place, result in enumerate(given, 1)]
    after = [_passage(each.rank, f"was {each.input_rank}", each, grades, width) for each in list(ranking)[:SHOWN]]
    return "\n".join(
        [
            f"query {ranking.query.query_id}: {ranking.query.text}",
            *_listed(f"before, the first {len(before)} of {len(ranking)} passages:", before),
            *_listed(f"after, the first {len(after)}:", after),
        ]
    )


def _listed(title: str, passages: Sequence[str]) -> list[str]:
    return [f"  {title}", *passages]


def _passage(place: int, was: str, result: Result, grades: Mapping[str, int] | None, width: int) -> str:
    """A passage with its place, and in brackets where it was before and how it is judged."""
    judged = "" if grades is None else f"grade {grades.get(result.doc_id, 0)}"
    told = ", ".join(filter(None, (was, judged)))
    start = f"    {place}. "
    text = f"({told}) {result.document.content}" if told else result.document.content
    wrapped = textwrap.TextWrapper(
        max(width, 40), initial_indent=start, subsequent_indent=" " * len(start), max_lines=LINES, placeholder=" …"
    )
    return wrapped.fill(text)
