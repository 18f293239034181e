"""What commands write: lines on stderr, rows of JSON, and files that are not lost."""

from collections.abc import Mapping
from pathlib import Path

from rerankllm.errors import InputError


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
