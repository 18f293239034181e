"""Tables in files: CSV, TSV, JSON, JSON lines and Parquet, row by row."""

import csv
import importlib.util
import json
from collections.abc import Iterator, Sequence
from itertools import chain
from os import fspath
from pathlib import Path
from typing import IO, Any, Literal, TypeAlias

from rerankllm.errors import InputError, MissingExtra
from rerankllm.formats.columns import NAMES, Columns, shown
from rerankllm.formats.lines import BOM, FilePath, decoded, excerpt_of, expected, opened, parse_object

Kind: TypeAlias = Literal["csv", "tsv", "json", "jsonl", "parquet", "lines"]
Row: TypeAlias = tuple[int, dict[str, Any]]
"""The line or row in the file, from 1, and the values by column."""

LONGEST_CELL = 2**27
"""Characters of a cell; the `csv` module would stop at 2**17."""

_KINDS: dict[str, Kind] = {
    ".csv": "csv", ".tsv": "tsv", ".tab": "tsv", ".json": "json", ".jsonl": "jsonl", ".ndjson": "jsonl",
    ".parquet": "parquet",
}  # fmt: skip
_DELIMITERS = ",;\t|"
_TOGETHER = 256


def kind_of(path: FilePath) -> Kind | None:
    """Which kind of table a file is, by its name; None if that does not say. A folder of Parquet files is Parquet."""
    path = Path(path)
    if path.is_dir():
        return "parquet" if any(path.glob("*.parquet")) else None
    return _KINDS.get((Path(path.stem) if path.suffix == ".gz" else path).suffix.lower())


def read_rows(path: FilePath, columns: Columns, needed: Sequence[str], default: Kind) -> Iterator[Row]:
    """The rows of a table, as the caller advances; what the file is says its name, or else its first line.

    - CSV has a header. Commas, semicolons, tabs or `|` part its columns: whichever makes the header's names known.
    - TSV is the same with tabs; without a header it has the two columns that are `needed`, and quotes mean nothing.
    - JSON is a list of objects or texts, or an object that holds one such list.
    - JSON lines, and Parquet (a file or a folder of such).
    - Lines of text, each a row with nothing but a text.

    Args:
        path: The file, plain or gzipped; `-` is stdin.
        columns: Which column is which.
        needed: The two fields that every row should have, the id before the text.
        default: What the file is if neither its name nor its first line says.

    Raises:
        InputError: The file cannot be read, or a row does not fit the header; the message says the line.
        MissingExtra: It is Parquet, and pyarrow is not installed.
    """
    named = kind_of(path)
    if named == "parquet":
        yield from _parquet(path)
        return
    with opened(path) as file:
        if named == "json":
            yield from _json(path, file.read().removeprefix(BOM))
            return
        lines = _lines(path, file)
        first = next((each for each in lines if each[1].strip()), None)
        if first is None:
            return
        kind = named or _looks_like(first[1], columns, needed) or default
        if kind in {"csv", "tsv"}:
            marks = "\t" if kind == "tsv" else _DELIMITERS
            yield from _separated(path, first, lines, columns, needed, delimiters=marks)
            return
        for number, line in chain([first], lines):
            if line.strip():
                yield number, parse_object(path, number, line) if kind == "jsonl" else {NAMES[needed[1]][0]: line}


def _lines(path: FilePath, file: IO[bytes]) -> Iterator[tuple[int, str]]:
    """All lines, the blank ones too: a quoted cell may hold some."""
    for number, line in enumerate(file, 1):
        yield number, decoded(path, number, line.removeprefix(BOM) if number == 1 else line)


def _looks_like(line: str, columns: Columns, needed: Sequence[str]) -> Kind | None:
    """JSON lines where the first line opens with `{`; a CSV where it is a header: columns, one of them of texts."""
    if line.lstrip().startswith("{"):
        return "jsonl"
    names, _ = _header(line, columns, needed, _DELIMITERS)
    return "csv" if len(names) > 1 and columns.find(needed[1], names) is not None else None


def _parquet(path: FilePath) -> Iterator[Row]:
    """The rows of a Parquet file, or of all those in a folder in the order of their names."""
    if importlib.util.find_spec("pyarrow") is None:
        raise MissingExtra(f"{fspath(path)} is Parquet, which needs pyarrow: pip install 'rerankllm[tables]'")
    import pyarrow as pa  # noqa: PLC0415
    import pyarrow.parquet as pq  # noqa: PLC0415

    for file in sorted(Path(path).glob("*.parquet")) if Path(path).is_dir() else [Path(path)]:
        try:
            with pq.ParquetFile(file) as table:
                rows = (row for batch in table.iter_batches(_TOGETHER) for row in batch.to_pylist())
                yield from enumerate(rows, 1)
        except (OSError, pa.ArrowException) as error:
            raise InputError(f"{file}: cannot be read as Parquet ({str(error).splitlines()[0]})") from None


def _json(path: FilePath, content: bytes) -> Iterator[Row]:
    """Objects of a JSON file; one with an object on each line is read as JSON lines."""
    text = decoded(path, 1, content)
    try:
        found = json.loads(text)
    except json.JSONDecodeError as error:
        if error.msg != "Extra data":
            what = f"JSON ({error.msg} at column {error.colno})"
            raise expected(path, error.lineno, what, text.splitlines()[error.lineno - 1] if text else "") from None
        for number, line in enumerate(text.split("\n"), 1):
            if line.strip():
                yield number, parse_object(path, number, line)
        return
    lists = [each for each in found.values() if isinstance(each, list)] if isinstance(found, dict) else [found]
    if len(lists) != 1 or not isinstance(lists[0], list):
        raise expected(path, 1, "a list of objects, or an object with one such list", excerpt_of(found))
    for place, item in enumerate(lists[0], 1):
        record = {"text": item} if isinstance(item, str) else item
        if not isinstance(record, dict):
            raise expected(path, place, "an object or a text as item of the list", excerpt_of(item))
        yield place, record


def _separated(
    path: FilePath,
    first: tuple[int, str],
    lines: Iterator[tuple[int, str]],
    columns: Columns,
    needed: Sequence[str],
    *,
    delimiters: str,
) -> Iterator[Row]:
    """Rows of a CSV or TSV."""
    number, line = first
    names, delimiter = _header(line, columns, needed, delimiters)
    if delimiters == "\t" and not columns.given and all(columns.find(field, names) is None for field in needed):
        for number, line in chain([first], lines):
            if line.strip():
                yield number, _pair(path, number, line, needed)
        return
    repeated = sorted({name for name in names if name and names.count(name) > 1})
    if repeated:
        raise InputError(f"{fspath(path)}:{number}: two columns are called {shown(repeated)}; rename one")
    csv.field_size_limit(max(csv.field_size_limit(), LONGEST_CELL))
    rows = csv.reader((f"{line}\n" for _, line in lines), delimiter=delimiter, strict=True)
    try:
        for cells in rows:
            if any(cell.strip() for cell in cells):
                yield number + rows.line_num, _row(path, number + rows.line_num, names, cells)
    except csv.Error as error:
        raise InputError(
            f"{fspath(path)}:{number + rows.line_num}: expected cells as spreadsheets write them ({error}); a quote "
            "inside a quoted cell is written twice"
        ) from None


def _header(line: str, columns: Columns, needed: Sequence[str], delimiters: str) -> tuple[list[str], str]:
    """The names in a header, and what parts them: what makes most names known, and then most names."""
    tried = {mark: [name.strip() for name in next(csv.reader([line], delimiter=mark), [])] for mark in delimiters}
    best = max(
        tried, key=lambda mark: (sum(columns.find(f, tried[mark]) is not None for f in needed), len(tried[mark]))
    )
    return tried[best], best


def _pair(path: FilePath, number: int, line: str, needed: Sequence[str]) -> dict[str, Any]:
    """The row in a line of a TSV that has no header: an id and a text."""
    doc_id, tab, text = line.partition("\t")
    if not tab or not doc_id.strip():
        raise expected(path, number, "an id, a tab and a text, or a first line with the names of the columns", line)
    return {NAMES[needed[0]][0]: doc_id.strip(), NAMES[needed[1]][0]: text}


def _row(path: FilePath, number: int, names: Sequence[str], cells: Sequence[str]) -> dict[str, Any]:
    if len(cells) != len(names):
        what = f"{len(names)} columns ({shown(names)}), with quotes around a text that holds the separator"
        raise expected(path, number, what, f"{len(cells)} columns")
    return {name: cell for name, cell in zip(names, cells, strict=True) if name}
