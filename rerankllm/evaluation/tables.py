"""Tables, and the ways they are written."""

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TextIO

WIDEST = 10_000
"""Columns of a page that is no terminal: nothing is folded there."""
_LATEX = {"&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}", "~": r"\textasciitilde{}",
          "^": r"\textasciicircum{}", "\\": r"\textbackslash{}", "±": r"$\pm$", "≥": r"$\geq$", "–": "--",
          "×": r"$\times$", "−": "$-$", "<": "$<$", ">": "$>$"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Table:
    """Text in rows and columns.

    Attributes:
        title: What it shows.
        head: A name for each column; the first is of words, the others of numbers.
        rows: As many cells each.
        words: How many columns are of words, if it is more than the first.
    """

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    words: int = 1


def as_text(tables: Sequence[Table], notes: Sequence[str], width: int | None) -> str:
    """For a terminal of so many columns; for none, nothing is folded."""
    from rich import box  # noqa: PLC0415
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table as Shown  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    page = io.StringIO()
    console = Console(file=page, width=width or WIDEST, color_system=None, highlight=False, legacy_windows=False)
    for table in tables:
        shown = Shown(box=box.SIMPLE_HEAD, title=Text(table.title), title_justify="left")
        for i, name in enumerate(table.head):
            shown.add_column(Text(name), justify="right" if i >= table.words else "left")
        for row in table.rows:
            shown.add_row(*map(Text, row))
        console.print(shown)
    for note in notes:
        console.print(Text(note))
    return "".join(f"{line.rstrip()}\n" for line in page.getvalue().split("\n")).rstrip("\n")


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
        head, *rows = (f"{' & '.join(map(_escaped, line))} \\\\" for line in (table.head, *table.rows))
        body = "\n".join([r"\toprule", head, r"\midrule", *rows, r"\bottomrule"])
        parts.append(
            f"\\begin{{table}}\n\\caption{{{_escaped(table.title)}}}\n\\begin{{tabular}}{{{columns}}}\n{body}\n"
            "\\end{tabular}\n\\end{table}"
        )
    return "\n\n".join([*parts, "\n".join(f"% {note}" for note in notes)])


def _escaped(text: str) -> str:
    return re.sub("[{}]".format(re.escape("".join(_LATEX))), lambda found: _LATEX[found[0]], text)


def write_csv(file: TextIO, rows: Iterable[Mapping[str, Any]]) -> None:
    """Writes rows that have the same keys as CSV, one after another; no row, no header."""
    writer: csv.DictWriter[str] | None = None
    for row in rows:
        if writer is None:
            writer = csv.DictWriter(file, fieldnames=list(row), lineterminator="\n")
            writer.writeheader()
        writer.writerow(row)
