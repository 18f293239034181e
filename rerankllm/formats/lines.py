"""Files line by line, plain or gzipped, with every complaint naming the file and the line."""

import gzip
import json
import sys
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from io import BufferedReader
from os import PathLike, fspath
from pathlib import Path
from typing import IO, Any, TypeAlias, cast

from rerankllm.errors import InputError

FilePath: TypeAlias = str | PathLike[str]

_GZIP_MAGIC = b"\x1f\x8b"
BOM = b"\xef\xbb\xbf"
_EXCERPT = 80
_SHOWN = 3


def read_lines(path: FilePath) -> Iterator[tuple[int, str]]:
    """The lines of a UTF-8 text file, lazily; blank ones are skipped and still counted.

    Args:
        path: A text file, or a gzipped one: its name ends in `.gz` or its content says so. It is opened once
            and never rewound, so a pipe will do.

    Yields:
        The line's number, from 1, and its text without the line end. A byte order mark at the start is
        dropped.

    Raises:
        InputError: The file is missing, a folder, unreadable, corrupt, or not UTF-8.
    """
    with opened(path) as file:
        for number, line in enumerate(file, 1):
            text = decoded(path, number, line.removeprefix(BOM) if number == 1 else line)
            if text.strip():
                yield number, text


@contextmanager
def opened(path: FilePath) -> Iterator[IO[bytes]]:
    """A file's bytes, unpacked where it is gzipped; `-` is stdin.

    Raises:
        InputError: The file is missing, a folder, unreadable or corrupt.
    """
    try:
        if fspath(path) == "-":
            yield sys.stdin.buffer
            return
        with Path(path).open("rb") as raw, _unpacked(raw, path) as file:
            yield file
    except FileNotFoundError:
        raise InputError(f"{fspath(path)}: no such file{_neighbour(path)}") from None
    except IsADirectoryError:
        raise InputError(f"{fspath(path)}: is a folder; give the path of a file in it") from None
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise InputError(
            f"{fspath(path)}: is no intact gzip file ({error}); compress or fetch it again, "
            "or take .gz off its name if it is plain text"
        ) from None
    except OSError as error:
        raise InputError(
            f"{fspath(path)}: cannot be read ({error.strerror or error}); give a text file you may read or a .gz of one"
        ) from None


def _unpacked(raw: BufferedReader, path: FilePath) -> IO[bytes]:
    if fspath(path).endswith(".gz") or raw.peek(len(_GZIP_MAGIC)).startswith(_GZIP_MAGIC):
        return cast("IO[bytes]", gzip.GzipFile(fileobj=raw))
    return raw


def decoded(path: FilePath, number: int, line: bytes) -> str:
    """A line's text without the line end; raises InputError where it is not UTF-8."""
    try:
        return line.rstrip(b"\r\n").decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(
            f"{fspath(path)}:{number}: expected UTF-8 text, found byte 0x{line[error.start]:02x} at byte "
            f"{error.start + 1} of the line; convert the file to UTF-8"
        ) from None


def _neighbour(path: FilePath) -> str:
    """What to say about a missing file: that its gzipped or unpacked twin is there, or what would work."""
    name = fspath(path)
    twin = Path(name.removesuffix(".gz") if name.endswith(".gz") else f"{name}.gz")
    return f"; there is {twin}" if twin.is_file() else "; give the path of a text file or of a .gz of one"


def read_objects(path: FilePath) -> Iterator[tuple[int, dict[str, Any]]]:
    """The objects of a JSONL file, lazily, each with its line number.

    Raises:
        InputError: As `read_lines`, or a line is not one JSON object.
    """
    for number, line in read_lines(path):
        yield number, parse_object(path, number, line)


def parse_object(path: FilePath, number: int, line: str) -> dict[str, Any]:
    """One line of JSONL.

    Raises:
        InputError: It is not one JSON object.
    """
    try:
        value = json.loads(line)
    except json.JSONDecodeError as error:
        what = f"one JSON object on the line ({error.msg} at column {error.colno})"
        raise expected(path, number, what, line) from None
    except (ValueError, RecursionError) as error:
        raise expected(path, number, f"one JSON object on the line ({error})", line) from None
    if not isinstance(value, dict):
        raise expected(path, number, "one JSON object on the line", line)
    return value


def identifier(path: FilePath, number: int, name: str, record: Mapping[str, Any]) -> str:
    """The id under `name` in a JSON record; whole numbers become their digits.

    Raises:
        InputError: It is missing, empty, or neither text nor a whole number.
    """
    value = record.get(name)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, str) and value and storable(value) == value:
        return value
    raise expected(path, number, f'"{name}" to be a non-empty string or a whole number', excerpt_of(record))


def storable(text: str) -> str:
    r"""`text` with `?` for lone surrogates (`\ud800` in sloppy JSON), which cannot be encoded as UTF-8."""
    return text.encode("utf-8", "replace").decode("utf-8")


def expected(path: FilePath, number: int, what: str, found: str) -> InputError:
    """The error to raise for a line that is not what it should be.

    Args:
        path: The file.
        number: The line, from 1.
        what: What would have been right.
        found: What stands there; the first 80 characters are quoted.
    """
    shown = found if len(found) <= _EXCERPT else found[: _EXCERPT - 1] + "…"
    return InputError(f"{fspath(path)}:{number}: expected {what}, found {shown!r}")


def excerpt_of(value: Any) -> str:
    """A JSON value as it would stand in a file, to be quoted in an error."""
    return json.dumps(value, ensure_ascii=False)


def some(ids: Sequence[str]) -> str:
    """The first three of `ids`, and a sign that there are more."""
    return ", ".join(ids[:_SHOWN]) + (", …" if len(ids) > _SHOWN else "")
