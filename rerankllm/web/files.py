"""The styles and scripts of pages: those that all pages share, and those of one page."""

from collections.abc import Sequence
from importlib import resources

SHARED = ("export.js", "dom.js", "sides.js", "answers.js", "calls.js")
"""The scripts that all pages have, in the order they are read."""


def style(room: str, name: str) -> str:
    """The style that all pages share, followed by that of one page.

    Args:
        room: The package whose `files/` hold it.
        name: The file.
    """
    return read("rerankllm.web", "base.css") + read(room, name)


def script(room: str, names: Sequence[str]) -> str:
    """The scripts that all pages share, followed by those of one page, in one scope.

    Args:
        room: The package whose `files/` hold them.
        names: In the order they are read.
    """
    shared = (read("rerankllm.web", name) for name in SHARED)
    return "\n".join(['(() => {\n"use strict";', *shared, *(read(room, name) for name in names), "})();\n"])


def read(room: str, name: str) -> str:
    """A file of a package."""
    return (resources.files(room) / "files" / name).read_text(encoding="utf-8")
