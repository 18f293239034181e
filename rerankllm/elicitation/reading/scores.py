"""`[1]: 3⏎[2]: 9`: scores beside the labels are an order by score, equal ones tied; ranks are one by rank."""

import re
from collections.abc import Iterator, Sequence
from itertools import groupby

from rerankllm.elicitation.reading import words
from rerankllm.elicitation.reading.answer import Cut
from rerankllm.elicitation.reading.candidate import Candidate
from rerankllm.elicitation.reading.lexer import LABEL, NAMED, UNKNOWN
from rerankllm.elicitation.reading.pairs import Pair, pairs
from rerankllm.elicitation.reading.surroundings import announces, lead

_HIGHEST = 100
"""A number above it that nobody calls a score is none."""
_SCORES = re.compile(
    r"\b(?:scores?|grades?|ratings?|points|punkte|bewertungen|puntuaciones|punteggi|оценки)\b|分数|评分|スコア|점수"
)
_RANKS = re.compile(r"\b(?:ranks|places|positions|rank|ränge|rangs|puestos|posizioni|места)\b|名次|順位")
_PUT = re.compile(r"\b(?:put|place|rate|setze|mettrais|pondría|metterei)\b")
_COLUMNS = 3
"""Bars of a row that holds a label and a number."""
_ENOUGH = 4
"""So many numbers are not in order by chance."""


def scores(answer: Cut) -> Iterator[Candidate]:
    """The order that numbers beside the labels make, if it is clear what they are."""
    if any(sum(item.text == "|" for item in line.items) > _COLUMNS for line in answer.lines):
        return  # a table whose columns nobody named
    found = list(pairs(answer, list_numbers=False))
    by_label: dict[int, Pair] = {}
    for pair in found:
        if by_label.setdefault(pair.label.index, pair).value != pair.value and pair.label.index != UNKNOWN:
            return
    by_label.pop(UNKNOWN, None)
    told = list(by_label.values())
    if len(told) < 2 or len({pair.out_of for pair in told}) > 1:  # noqa: PLR2004
        return
    if {item.index for item in answer.items if item.kind == LABEL and item.mark == NAMED} - set(by_label) - {UNKNOWN}:
        return  # a label without a number: the numbers may belong to the labels behind them
    kinds: set[str] = {pair.kind for pair in told}
    said = lead(answer, found[0].label.start)
    if said and any(pair.spoken for pair in told) and not (announces(said) or _PUT.search(said)):
        return  # `I read [2] first, …`
    if kinds == {""}:
        kinds = {kind for kind, pattern in (("score", _SCORES), ("rank", _RANKS)) if pattern.search(said)}
    order = by_number([(pair.label.index, pair.value) for pair in told], kinds, answer)
    if order is not None:
        unknown = tuple((UNKNOWN,) for pair in found if pair.label.index == UNKNOWN)
        yield Candidate("scores", order + unknown, found[0].label.start, found[-1].end)


def by_number(numbers: Sequence[tuple[int, float]], kinds: set[str], answer: Cut) -> tuple[tuple[int, ...], ...] | None:
    """An order by the numbers beside labels, in the order of the answer; None where they may be scores or ranks.

    Args:
        numbers: Each label's index and its number.
        kinds: What the numbers are called: "score", "rank", both or nothing.
        answer: The answer.
    """
    values = [value for _, value in numbers]
    ranks = all(value.is_integer() and 1 <= value <= answer.labels for value in values)
    if kinds == {"rank"}:
        return grouped(numbers, falling=False) if ranks else None
    if words.LOWER_IS_BETTER.search(answer.text.casefold()):
        return None
    if kinds == {"score"}:
        return grouped(numbers, falling=True)
    if max(map(abs, values)) > _HIGHEST:
        return None
    if sorted(values) == list(range(1, len(values) + 1)):
        return _by_place(numbers)
    return grouped(numbers, falling=True)


def _by_place(numbers: Sequence[tuple[int, float]]) -> tuple[tuple[int, ...], ...] | None:
    """Numbers 1 to n are ranks or scores: where the labels stand in that order already, it is theirs."""
    values = [value for _, value in numbers]
    indices = [index for index, _ in numbers]
    if (
        indices == sorted(indices)
        or len(values) < _ENOUGH
        or values not in (sorted(values), sorted(values, reverse=True))
    ):
        return None
    return tuple((index,) for index in indices)


def grouped(numbers: Sequence[tuple[int, float]], *, falling: bool) -> tuple[tuple[int, ...], ...]:
    """Labels by their numbers, equal ones together."""
    ordered = sorted(numbers, key=lambda pair: -pair[1] if falling else pair[1])
    return tuple(tuple(index for index, _ in tied) for _, tied in groupby(ordered, key=lambda pair: pair[1]))
