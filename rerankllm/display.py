"""Tables of results, as HTML for notebooks and as text for terminals; command lines that fit and can be pasted."""

import html
import re
import shutil
import unicodedata
from collections.abc import Sequence

LONGEST = 240
"""Characters of a cell of HTML."""
_LEAST = 12
"""Characters of the last column of a text table, however narrow the terminal is."""

_WORD = re.compile(r"""(?:'[^']*+'|"[^"]*+"|\S)++""")


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
    line = one_line(text)
    return f"<bdi>{html.escape(line if len(line) <= LONGEST else line[: LONGEST - 1] + '…')}</bdi>"


def text_table(header: Sequence[str], rows: Sequence[Sequence[str]], right: frozenset[int], width: int = 0) -> str:
    """A table for a terminal; only the last column is cut to make it fit.

    Args:
        header: Names of the columns; the last holds long text.
        rows: Cells.
        right: Which columns are of numbers, from 0.
        width: Of the terminal; 0 asks it.
    """
    from rich.cells import cell_len, set_cell_size  # noqa: PLC0415

    width = width or shutil.get_terminal_size().columns
    lines = [header, *([one_line(cell) for cell in row] for row in rows)]
    widths = [max(cell_len(line[i]) for line in lines) for i in range(len(header) - 1)]
    left = max(_LEAST, width - sum(widths) - 2 * len(widths))
    shown = []
    for line in lines:
        cells = [
            " " * (widths[i] - cell_len(cell)) + cell if i in right else set_cell_size(cell, widths[i])
            for i, cell in enumerate(line[:-1])
        ]
        last = line[-1] if cell_len(line[-1]) <= left else set_cell_size(line[-1], left - 1).rstrip() + "…"
        shown.append("  ".join([*cells, last]).rstrip())
    return "\n".join(shown)


def one_line(text: object) -> str:
    """Any text as one line without control characters."""
    line = " ".join(str(text).encode("utf-8", "replace").decode().split())
    return "".join("\ufffd" if unicodedata.category(character) == "Cc" else character for character in line)


def _cell(value: object) -> str:
    return f'<td style="text-align: left; vertical-align: top; overflow-wrap: anywhere">{plain(value)}</td>'


def folded(line: str, width: int) -> str:
    r"""A command line in lines of at most `width` columns, where its words allow, each but the last ending in a `\`."""
    if len(line) <= width or line.startswith("#"):
        return line
    lines: list[list[str]] = [[]]
    for word in _pieces(line):
        taken = len(" ".join([*lines[-1], word])) + len(" \\") + (len("    ") if len(lines) > 1 else 0)
        if lines[-1] and taken > width:
            lines.append([])
        lines[-1].append(word)
    return " \\\n    ".join(" ".join(words) for words in lines)


def _pieces(line: str) -> list[str]:
    """Words, an option together with its value."""
    pieces: list[str] = []
    for word in _WORD.findall(line):
        if pieces and pieces[-1].startswith("-") and " " not in pieces[-1] and not word.startswith(("-", "|")):
            pieces[-1] += f" {word}"
        else:
            pieces.append(word)
    return pieces


_CONTROL = {code: 0x2400 + code for code in range(0x20) if chr(code) not in "\t\n"} | {0x7F: 0x2421}
_CONTROL |= dict.fromkeys(range(0x80, 0xA0), 0xFFFD)


def visible(text: str) -> str:
    """A text for a terminal: control characters, which could steer it, are shown as their pictures, such as `␛`."""
    return text.translate(_CONTROL)
