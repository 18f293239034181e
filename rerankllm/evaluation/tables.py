"""Tables, and the ways they are written."""

import csv
import io
import re
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TextIO, TypedDict

WIDEST = 10_000
"""Columns of a page that is no terminal: nothing is folded there."""
_NARROWEST = 24
"""Columns that sentences are given at least."""


class _Wrapping(TypedDict):
    break_long_words: bool
    break_on_hyphens: bool


_UNBROKEN: _Wrapping = {"break_long_words": False, "break_on_hyphens": False}
_LATEX = {"&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}", "~": r"\textasciitilde{}",
          "^": r"\textasciicircum{}", "\\": r"\textbackslash{}", "±": r"$\pm$", "≥": r"$\geq$", "–": "--",
          "×": r"$\times$", "−": "$-$", "<": "$<$", ">": "$>$", "|": r"\textbar{}"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Table:
    """Text in rows and columns.

    Attributes:
        title: What it shows.
        head: A name for each column; the first is of words, the others of numbers.
        rows: As many cells each.
        words: How many columns are of words, if it is more than the first.
        prose: Whether the last column holds sentences, which may be broken into lines.
    """

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    words: int = 1
    prose: bool = False

    def columns(self, chosen: Sequence[int]) -> "Table":
        """Some of the columns: the words, and what else is chosen."""
        keep = [*range(self.words), *chosen]
        return replace(
            self, head=tuple(self.head[i] for i in keep), rows=tuple(tuple(row[i] for i in keep) for row in self.rows)
        )


def as_text(tables: Sequence[Table], notes: Sequence[str], width: int | None) -> str:
    """For a terminal of so many columns; None for as wide as the tables are.

    Numbers and names are never cut. A table that is too wide goes on below with the same first columns. Names that take
    more than half of the width are listed first, and the table has their numbers. Where even one column does not fit
    beside the first ones, each row becomes a few lines.
    """
    shown = [part for table in tables for part in _fitted(table, width)]
    return "\n".join([*shown, *(textwrap.fill(note, width, **_UNBROKEN) if width else note for note in notes)])


def _fitted(table: Table, width: int | None) -> list[str]:
    """The table in as many parts as it takes to fit."""
    if width is None or table.prose or _wide(table) <= width:
        return [_drawn(table, width or WIDEST)]
    if _wide(table.columns([])) > width // 2:
        numbers = [str(place) for place in range(1, len(table.rows) + 1)]
        short = replace(
            table,
            head=("#", *table.head[table.words :]),
            rows=tuple((number, *row[table.words :]) for number, row in zip(numbers, table.rows, strict=True)),
            words=1,
            title="",
        )
        if parts := _parts(short, width):
            return [_listed(table, numbers, width), *(_drawn(part, width) for part in parts)]
    return [_drawn(part, width) for part in _parts(table, width)] or [_as_lines(table, width)]


def _listed(table: Table, numbers: Sequence[str], width: int) -> str:
    """The title, and the words of each row behind its number."""
    lines = [*textwrap.wrap(table.title, width, **_UNBROKEN), ""] if table.title else []
    for number, row in zip(numbers, table.rows, strict=True):
        words = "  ".join(filter(None, row[: table.words]))
        lines += textwrap.wrap(words, width, initial_indent=f"{number:>3}  ", subsequent_indent=" " * 5, **_UNBROKEN)
    return "\n".join(lines)


def _parts(table: Table, width: int) -> list[Table]:
    """As many tables with some of the columns each as it takes to fit; none where that cannot be."""
    parts: list[list[int]] = []
    for i in range(table.words, len(table.head)):
        if parts and _wide(table.columns([*parts[-1], i])) <= width:
            parts[-1].append(i)
        else:
            parts.append([i])
    found = [table.columns(chosen) for chosen in parts]
    if not found or any(_wide(part) > width for part in found):
        return []
    return [found[0], *(replace(part, title="") for part in found[1:])]


def _wide(table: Table) -> int:
    """The columns that a table takes at least."""
    from rich.cells import cell_len  # noqa: PLC0415

    longest = [max(map(cell_len, column)) for column in zip(table.head, *table.rows, strict=True)]
    if table.prose:
        longest[-1] = min(longest[-1], _NARROWEST)
    return sum(longest) + 3 * len(longest) + 1


def _drawn(table: Table, width: int) -> str:
    from rich import box  # noqa: PLC0415
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table as Shown  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    if _wide(table) > width:
        return _as_lines(table, width)
    page = io.StringIO()
    console = Console(file=page, width=width, color_system=None, highlight=False, legacy_windows=False)
    shown = Shown(box=box.SIMPLE_HEAD, title=Text(table.title) if table.title else None, title_justify="left")
    for i, name in enumerate(table.head):
        folds = table.prose and i == len(table.head) - 1
        shown.add_column(Text(name), justify="right" if i >= table.words else "left", no_wrap=not folds)
    for row in table.rows:
        shown.add_row(*map(Text, row))
    console.print(shown)
    return "".join(f"{line.rstrip()}\n" for line in page.getvalue().split("\n")).rstrip("\n") + "\n"


def _as_lines(table: Table, width: int) -> str:
    """The rows one after another: the words, then a line a number."""
    lines = [*textwrap.wrap(table.title, width, **_UNBROKEN), ""] if table.title else []
    names = max((len(name) for name in table.head[table.words :]), default=0)
    for row in table.rows:
        for i, cell in enumerate(row[: table.words]):
            indent = "  " if i else ""
            lines += textwrap.wrap(
                cell, width, initial_indent=indent, subsequent_indent=f"{indent}  ", **_UNBROKEN
            ) or [""]
        numbers = zip(table.head[table.words :], row[table.words :], strict=True)
        lines += [f"  {name:<{names}}  {cell}".rstrip() for name, cell in numbers if cell]
        lines.append("")
    return "\n".join(lines)


def as_markdown(tables: Sequence[Table], notes: Sequence[str]) -> str:
    """Pipe tables with a heading each, and the notes as a list."""
    parts = []
    for table in tables:
        rule = tuple("---" if i < table.words else "---:" for i in range(len(table.head)))
        lines = [table.head, rule, *table.rows]
        body = ["".join(["| ", " | ".join(cell.replace("|", "\\|") for cell in line), " |"]) for line in lines]
        parts.append("\n".join([f"**{table.title}**", "", *body]))
    return "\n\n".join([*parts, "\n".join(f"- {note}" for note in notes)])


def as_latex(tables: Sequence[Table], notes: Sequence[str]) -> str:
    """A `table` each, in booktabs' style, and the notes as comments."""
    parts = []
    for table in tables:
        columns = "l" * table.words + "r" * (len(table.head) - table.words)
        head, *rows = (f"{' & '.join(map(escaped, line))} \\\\" for line in (table.head, *table.rows))
        body = "\n".join([r"\toprule", head, r"\midrule", *rows, r"\bottomrule"])
        parts.append(
            f"\\begin{{table}}\n\\caption{{{escaped(table.title)}}}\n\\begin{{tabular}}{{{columns}}}\n{body}\n"
            "\\end{tabular}\n\\end{table}"
        )
    return "\n\n".join([*parts, "\n".join(f"% {' '.join(note.splitlines())}" for note in notes)])


def escaped(text: str) -> str:
    r"""Text as LaTeX prints it, wherever it stands: behind `\\`, a bracket or a star at its start would be no text."""
    plain = re.sub("[{}]".format(re.escape("".join(_LATEX))), lambda found: _LATEX[found[0]], text)
    return f"{'{}' if plain[:1] in set('[*') else ''}{' '.join(plain.splitlines())}"


_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_SIGNS_ALONE = {"-", "+", "="}


def write_csv(file: TextIO, rows: Iterable[Mapping[str, Any]]) -> None:
    """Writes rows that have the same keys as CSV, one after another; no row, no header."""
    writer: csv.DictWriter[str] | None = None
    for row in rows:
        if writer is None:
            writer = csv.DictWriter(file, fieldnames=list(row), lineterminator="\n")
            writer.writeheader()
        writer.writerow({name: _cell(value) for name, value in row.items()})


def _cell(value: Any) -> Any:
    """A cell that no spreadsheet takes for a formula: a text that begins like one gets an apostrophe in front."""
    return f"'{value}" if isinstance(value, str) and value[:1] in _FORMULA and value not in _SIGNS_ALONE else value
