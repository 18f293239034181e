"""What all commands share: exit statuses, notes on stderr, and a check of the paths they are given."""

import logging
import os
import shutil
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from rerankllm.display import visible
from rerankllm.errors import InputError
from rerankllm.notes import log, tell

if TYPE_CHECKING:
    from rerankllm.evaluation.tables import Table

PARTIAL, INTERRUPTED = 3, 130
"""Exit statuses: some queries or cells failed; Ctrl-C ended the command."""


def say(text: str = "", *, nl: bool = True, err: bool = False) -> None:
    """Prints a text, with nothing in it that could steer the terminal."""
    typer.echo(visible(text), nl=nl, err=err)


def confirm(lines: Iterable[str], unless: str) -> None:
    """Shows what somebody else wrote, and asks whether to run it.

    Args:
        lines: What it names.
        unless: How to say so where nobody is there to ask.

    Raises:
        InputError: It is not to be run, or nobody is there to ask.
    """
    for line in lines:
        tell(line)
    if not sys.stdin.isatty():
        raise InputError(unless)
    if not typer.confirm("Run it?", err=True):
        raise InputError("nothing was run")


class _Stderr(logging.Handler):
    """Prints each note as a line on stderr, whatever stderr is at that moment."""

    def emit(self, record: logging.LogRecord) -> None:
        say(f"rerankllm: {record.getMessage()}", err=True)


@contextmanager
def notes_on_stderr() -> Iterator[None]:
    """Meanwhile the library's notes are printed on stderr, and nowhere else."""
    handler, before = _Stderr(), log.propagate
    log.addHandler(handler)
    log.propagate = False
    try:
        yield
    finally:
        log.removeHandler(handler)
        log.propagate = before


@contextmanager
def waiting(what: str, every: float = 10.0) -> Iterator[None]:
    """Says at once what is waited for, and every so many seconds that it still is."""
    tell(f"{what} …")
    begun, done = time.monotonic(), threading.Event()

    def go_on() -> None:
        while not done.wait(every):
            tell(f"{what}: {time.monotonic() - begun:.0f} s so far …")

    thread = threading.Thread(target=go_on, name="waiting", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def terminal_width() -> int | None:
    """Columns of the terminal that stdout is, or those that $COLUMNS asks for; None where there is neither."""
    asked = sys.stdout.isatty() or os.environ.get("COLUMNS", "").isdecimal()
    return shutil.get_terminal_size((120, 24)).columns if asked else None


def show_table(table: "Table") -> None:
    """Prints a table: laid out on a terminal, else its rows with tabs between the cells."""
    from rerankllm.evaluation.tables import as_text  # noqa: PLC0415

    width = terminal_width() if sys.stdout.isatty() else None
    rows = "\n".join("\t".join(row) for row in table.rows)
    say(rows if width is None else as_text([table], [], width))


def check_paths(read: Mapping[str, Path | None], written: Mapping[str, Path | None]) -> None:
    """Checks that nothing that is written overwrites something else of this command, and that it can be written.

    Args:
        read: Input files by option.
        written: Output files by option.

    Raises:
        InputError: Two options name one file, or its folder is not there.
    """
    taken = {path.resolve(): option for option, path in read.items() if path is not None}
    for option, path in written.items():
        if path is None:
            continue
        other = taken.setdefault(path.resolve(), option)
        if other != option:
            raise InputError(f"{option} and {other} name the same file, {path}")
        if path.is_dir() or not path.parent.is_dir():
            raise InputError(f"cannot write {path}: {'it is a folder' if path.is_dir() else 'its folder is not there'}")
