"""Files, once each: opened for writing, replaced in one step, locked, digested; and JSON that every reader takes."""

import dataclasses
import gzip
import hashlib
import json
import math
import os
import re
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from numbers import Real
from pathlib import Path
from typing import Any, TextIO, cast

from rerankllm.errors import InputError


def as_json(value: Any, *, indent: int | None = None) -> str:
    """JSON that every reader takes: `plain`, with question marks for half surrogates."""
    text = json.dumps(plain(value), indent=indent, ensure_ascii=False, allow_nan=False)
    return text.encode("utf-8", "replace").decode()


def plain(value: Any) -> Any:
    """The value as JSON has it.

    Dataclasses become objects and tuples lists. NaN and infinities, which JSON does not have, become null, and NumPy's
    numbers Python's.
    """
    if value is None or isinstance(value, (str, int)):
        return value
    if isinstance(value, (float, Real)):
        number = float(value)
        return number if math.isfinite(number) else None
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    return value


def open_for_writing(path: Path) -> TextIO:
    """Opens a text file, compressed where its name ends in `.gz`.

    Raises:
        InputError: It cannot be written.
    """
    try:
        if path.suffix == ".gz":
            return cast("TextIO", gzip.open(path, "wt", encoding="utf-8", newline="\n"))
        return path.open("w", encoding="utf-8", newline="\n")
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror}") from error


@contextmanager
def replacing(path: Path) -> Iterator[TextIO]:
    """Opens a text file that takes the place of `path` once all is written, and is gone where that fails.

    Raises:
        InputError: It cannot be written.
    """
    if path.exists() and not path.is_file():  # a pipe or a device
        with open_for_writing(path) as file:
            yield file
        return
    unfinished = path.with_name(f".unfinished-{path.name}")
    try:
        with open_for_writing(unfinished) as file:
            yield file
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def replace_text(path: Path, text: str) -> None:
    """Puts a text file in the place of another in one step, on disk before its name is.

    Raises:
        InputError: It cannot be written.
    """
    unfinished = path.with_name(f".unfinished-{path.name}")
    try:
        with unfinished.open("w", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror}") from error


def safe(name: str) -> str:
    """A name as it stands in paths: letters, digits and ``.-_@``; the rest become dashes."""
    return re.sub(r"[^\w.@-]+", "-", name).strip("-.") or "-"


def digest(run: Path) -> str:
    """SHA-256 of a file.

    Raises:
        InputError: It cannot be read.
    """
    try:
        with run.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InputError(f"{run}: cannot be read ({error.strerror})") from error


STEP = 0.1
"""Seconds between tries."""


def lock(file: int, patience: float = 0.0) -> None:
    """Locks an open file for as long as it is open.

    Args:
        file: Its descriptor.
        patience: Seconds to wait for a process that has it.

    Raises:
        BlockingIOError: Another process still has it.
    """
    until = time.monotonic() + patience
    while True:
        try:
            _try(file)
        except BlockingIOError:
            if time.monotonic() >= until:
                raise
            time.sleep(STEP)
        else:
            return


def _try(file: int) -> None:
    if sys.platform == "win32":
        import msvcrt  # noqa: PLC0415 - not everywhere

        try:
            msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
        except OSError:
            raise BlockingIOError from None
    else:
        import fcntl  # noqa: PLC0415 - not everywhere

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
