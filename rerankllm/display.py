"""Tables for notebooks: HTML that takes the page's own colours, and shows any text as text."""

import html
import unicodedata
from collections.abc import Sequence

LONGEST = 240
"""Characters of a cell."""


def table(title: str, header: Sequence[str], rows: Sequence[Sequence[object]], below: str = "") -> str:
    """An HTML table; colours are those of the page, light or dark.

    Args:
        title: Stands above it.
        header: Names of the columns; the last holds long text.
        rows: Cells, printed with `str`.
        below: Stands under it.
    """
    head = "".join(f'<th style="text-align: left">{plain(name)}</th>' for name in header)
    body = "".join(f"<tr>{''.join(_cell(value) for value in row)}</tr>" for row in rows)
    foot = f"<div>{plain(below)}</div>" if below else ""
    # Notebooks typeset what is between dollar signs, except in these classes.
    return (
        f'<div class="mathjax_ignore tex2jax_ignore"><div><b>{plain(title)}</b></div>'
        f'<table style="color: inherit"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{foot}</div>'
    )


def plain(text: object) -> str:
    """Any text as one line of HTML that neither acts nor leaks out of its place, cut where it is long."""
    line = " ".join(str(text).encode("utf-8", "replace").decode().split())
    line = "".join("\ufffd" if unicodedata.category(character) == "Cc" else character for character in line)
    return f"<bdi>{html.escape(line if len(line) <= LONGEST else line[: LONGEST - 1] + '…')}</bdi>"


def _cell(value: object) -> str:
    return f'<td style="text-align: left; vertical-align: top; overflow-wrap: anywhere">{plain(value)}</td>'
