"""Tables: rows of cells, with a line above that names the columns."""

from collections.abc import Iterator
from itertools import pairwise

from rerankllm.elicitation.reading import words
from rerankllm.elicitation.reading.answer import Cut, Line, whole_number
from rerankllm.elicitation.reading.candidate import Candidate, as_shown
from rerankllm.elicitation.reading.lexer import LABEL, NAMED, NUMBER, SIGN, UNKNOWN, WORD, Item
from rerankllm.elicitation.reading.names import is_noun
from rerankllm.elicitation.reading.scores import by_number, grouped
from rerankllm.elicitation.reading.surroundings import MOST, denies, lead

Row = list[list[Item]]


def tables(answer: Cut) -> Iterator[Candidate]:
    """All tables with named columns, one of which holds a label a row and another its rank or its score."""
    for start, end, rows in _tables(answer)[-MOST:]:
        groups = _order(rows, answer)
        if groups and not denies(lead(answer, start)):
            yield Candidate("table", groups, start, end)


def graded(answer: Cut) -> list[tuple[Item, float, str]] | None:
    """Labels, numbers and remarks of tables in which another number stands beside the score, or the score comes first.

    Returns:
        None where there is no such table; nothing where it is not clear which of its columns holds the score.
    """
    told: list[tuple[Item, float, str]] = []
    found = False
    for _, _, rows in _tables(answer)[-MOST:]:
        names, body = _names(rows), rows[1:]
        at = _label_column(names, body)
        if at is None and all([item.kind for item in row[0]] == [LABEL] for row in body):
            at = 0
        numeric = [c for c in range(len(names)) if c != at and all(_number(row[c]) is not None for row in body)]
        if at is None or not (len(numeric) > 1 or (numeric and numeric[0] < at)):
            continue
        found = True
        for row, value in zip(body, _column(names, body, at, "score") or (), strict=False):
            label = next(item for item in row[at] if item.kind == LABEL)
            last = row[-1] if len(names) - 1 not in {at, *numeric} else []
            told.append((label, value, answer.text[last[0].start : last[-1].end] if last else ""))
    return told if found else None


def _tables(answer: Cut) -> list[tuple[int, int, list[Row]]]:
    """Where each table starts and ends, and its rows; the first holds the columns' names."""
    found: list[tuple[int, int, list[Row]]] = []
    rows: list[Row] = []
    start = end = 0
    for line in [*answer.lines, None]:
        cells = None if line is None else _cells(line, rows)
        if cells is None or line is None:
            if len(rows) > 2:  # noqa: PLR2004
                found.append((start, end, rows))
            rows = []
            continue
        if all(item.kind == SIGN for cell in cells for item in cell):
            continue  # the line below the names
        start = line.start if not rows else start
        end = line.end
        rows.append(cells)
    return found


def _cells(line: Line, rows: list[Row]) -> Row | None:
    """A line's cells; None where it is no row. A table of commas begins with words."""
    bars = sum(item.text == "|" for item in line.items)
    parting = "|" if bars else ","
    cells: Row = [[]]
    for item in line.items:
        if item.kind == SIGN and item.text == parting:
            cells.append([])
        else:
            cells[-1].append(item)
    if parting == "|":
        cells = cells[not cells[0] : len(cells) - (not cells[-1])]
    if len(cells) < 2 or (rows and len(rows[0]) != len(cells)):  # noqa: PLR2004
        return None
    if (
        parting == ","
        and not rows
        and any(item.kind != WORD and item.text not in "()" for cell in cells for item in cell)
    ):
        return None
    return cells


def _order(rows: list[Row], answer: Cut) -> tuple[tuple[int, ...], ...] | None:
    names, body = _names(rows), rows[1:]
    at = _label_column(names, body)
    if at is None:
        return None
    labels = [next(item for item in row[at] if item.kind == LABEL).index for row in body]
    known = [index for index in labels if index != UNKNOWN]
    if len(set(known)) < len(known) or not known:
        return None
    ranks = _column(names, body, at, "rank")
    values = _column(names, body, at, "score")
    if ranks is not None:
        by_rank = grouped(list(zip(labels, ranks, strict=True)), falling=False)
        of = dict(zip(labels, values or [0.0] * len(labels), strict=True))
        falls = all(of[a[0]] >= of[b[0]] for a, b in pairwise(by_rank))
        return by_rank if min(ranks) >= 1 and falls else None
    if values is not None:
        return by_number(list(zip(labels, values, strict=True)), {"score"}, answer)
    only = len(names) == 1 + (at > 0 and all(whole_number(row[0][0]) for row in body if row[0]))
    return tuple((index,) for index in labels) if only and not as_shown(labels) else None


def _names(rows: list[Row]) -> list[str]:
    """What the columns are called."""
    return [" ".join(item.text.casefold() for item in cell) for cell in rows[0]]


def _label_column(names: list[str], body: list[Row]) -> int | None:
    """The column that holds a label in each row: the one called so, or the only one with marked labels."""
    columns = [[[item for item in row[c] if item.kind == LABEL] for row in body] for c in range(len(names))]
    single = [c for c, cells in enumerate(columns) if all(len(cell) == 1 for cell in cells)]
    called = [c for c in single if any(is_noun(w) or is_noun(w.removesuffix("s")) for w in names[c].split())]
    marked = [c for c in single if all(cell[0].mark == NAMED for cell in columns[c])]
    for found in (called, marked):
        if len(found) == 1:
            return found[0]
    return None


def _column(names: list[str], body: list[Row], besides: int, kind: str) -> list[float] | None:
    """The numbers of the one column that is called so."""
    pattern, other = (words.RANK, words.SCORE) if kind == "rank" else (words.SCORE, words.RANK)
    found: list[list[float]] = []
    for c, name in enumerate(names):
        if c == besides or not (pattern.search(name) or (kind == "rank" and name in {"#", "no", "no ."})):
            continue
        if other.search(name) and kind == "rank" and not words.RANK.match(name):
            continue
        numbers = [_number(row[c]) for row in body]
        if all(number is not None for number in numbers):
            found.append([number for number in numbers if number is not None])
    return found[0] if len(found) == 1 else None


def _number(cell: list[Item]) -> float | None:
    """The number a cell holds, `9/10` and `1st` too."""
    numbers = [item for item in cell if item.kind == NUMBER or whole_number(item) is not None]
    if not numbers or numbers[0] is not cell[0]:
        return None
    return float(numbers[0].text[:300])
