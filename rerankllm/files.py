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
from io import BufferedWriter, TextIOWrapper
from numbers import Real
from pathlib import Path
from typing import Any, BinaryIO, TextIO, cast

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


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Meanwhile what goes wrong in writing `path`, such as a full disk, is an InputError that says so in one line."""
    try:
        yield
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror or error}") from error


def open_for_writing(path: Path) -> TextIO:
    """Opens a text file, compressed where its name ends in `.gz`; nobody else may write it meanwhile.

    Raises:
        InputError: It cannot be written, or another process is writing it.
    """
    with writing(path):
        return _opened(path, path.open("ab"))


def _opened(path: Path, file: BufferedWriter) -> TextIO:
    """A file that is open for appending, as an empty text file that is locked where it is a file at all."""
    if path.is_file():
        try:
            lock(file.fileno())
        except BlockingIOError:
            file.close()
            raise InputError(f"another process is writing {path}: wait for it, or name another file") from None
        except OSError:  # a file system without locks
            pass
        file.truncate(0)
    binary = _Compressed(file) if path.suffix == ".gz" else file
    return TextIOWrapper(cast("BinaryIO", binary), encoding="utf-8", newline="\n")


class _Compressed(gzip.GzipFile):
    """A compressed file that closes the file it writes to."""

    def __init__(self, file: BufferedWriter) -> None:
        super().__init__(filename="", mode="wb", fileobj=file)
        self._file = file

    def close(self) -> None:
        try:
            super().close()
        finally:
            self._file.close()


@contextmanager
def replacing(path: Path) -> Iterator[TextIO]:
    """Opens a text file that takes the place of `path` once all is written, and is gone where that fails.

    Raises:
        InputError: It cannot be written.
    """
    if path.exists() and not path.is_file():  # a pipe or a device
        with writing(path), open_for_writing(path) as file:
            yield file
        return
    unfinished = _new(path)
    try:
        with writing(path):
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
    with writing(path):
        unfinished = _new(path)
        with unfinished.open("w", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)


def _new(path: Path) -> Path:
    """A new, empty file beside `path`; what had its name, be it a link to elsewhere, is gone.

    Raises:
        InputError: It cannot be made.
    """
    unfinished = path.with_name(f".unfinished-{os.getpid()}-{path.name}")
    with writing(path):
        unfinished.unlink(missing_ok=True)
        unfinished.open("x").close()
    return unfinished


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


@contextmanager
def alone(path: Path, busy: str) -> Iterator[None]:
    """Keeps other processes that ask for the same out, by a file beside `path` that is gone afterwards.

    Raises:
        InputError: Another process is there; `busy` is the message.
    """
    beside = path.with_name(f"{path.name}.lock")
    with writing(beside):
        file = beside.open("w")
    with file:
        try:
            lock(file.fileno())
        except BlockingIOError:
            raise InputError(busy) from None
        try:
            yield
        finally:
            beside.unlink(missing_ok=True)


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
