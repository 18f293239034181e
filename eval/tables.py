"""The tables of a results file, read back: what a command wrote in Markdown is data for the next."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Table:
    """One table.

    Attributes:
        heading: The heading above it, without its marks.
        columns: Names of the columns.
        rows: Cells as they are written, one a column, without the backquotes of code.
    """

    heading: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def cell(self, row: str, column: str) -> str:
        """The cell of the one row that has a cell reading `row`.

        Raises:
            LookupError: No row has, or several have, or there is no such column.
        """
        found = [cells for cells in self.rows if row in cells]
        if len(found) != 1 or column not in self.columns:
            raise LookupError(f"'{row}' × '{column}' under '{self.heading}': {len(found)} rows, {self.columns}")
        return found[0][self.columns.index(column)]

    def number(self, row: str, column: str) -> float:
        """The cell's number, without the interval that may follow it."""
        return self.interval(row, column)[0]

    def interval(self, row: str, column: str) -> tuple[float, float]:
        """The cell's number, and half of the interval that follows it; 0 where none does."""
        mean, _, half = self.cell(row, column).partition(" ±")
        return float(mean), float(half or 0)


def read_tables(path: Path) -> list[Table]:
    """Every table of a Markdown file, in order."""
    return parse_tables(path.read_text(encoding="utf-8"))


def parse_tables(text: str) -> list[Table]:
    """Every table of a Markdown text, in order."""
    return list(_tables(text.split("\n")))


def _tables(lines: list[str]) -> Iterator[Table]:
    heading, rows = "", list[tuple[str, ...]]()
    for line in [*lines, ""]:
        if line.startswith("|"):
            rows.append(tuple(cell.strip().strip("`") for cell in line.strip().strip("|").split("|")))
        elif rows:
            yield Table(heading, rows[0], tuple(rows[2:]))
            rows = []
        if line.startswith("#"):
            heading = line.lstrip("# ")
