"""What every report's page has around its data: style, script and HTML."""

from rerankllm.web import files

SCRIPTS = ("state.js", "summary.js", "pareto.js", "deltas.js", "pairs.js", "consistency.js", "attacks.js",
           "browser.js", "rankings.js", "together.js", "calls.js", "find.js", "address.js", "main.js")  # fmt: skip
"""In the order they are read, after those that all pages have."""
ROOM = "rerankllm.reports"
SENTENCES = 4000
"""Bytes for a title, a policy and what is said to be left out."""


def style() -> str:
    """The style."""
    return files.style(ROOM, "report.css")


def script() -> str:
    """The script."""
    return files.script(ROOM, SCRIPTS)


def html() -> str:
    """The template of the page."""
    return files.read(ROOM, "report.html")


def size() -> int:
    """Bytes of a page without its data."""
    return sum(len(text.encode()) for text in (style(), script(), html())) + SENTENCES
