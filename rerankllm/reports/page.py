"""A report as one HTML file: style, script and data inside it, nothing from anywhere else."""

import base64
import hashlib
import json
import zlib
from collections.abc import Mapping
from typing import Any

from rerankllm.reports.content import Content
from rerankllm.web import files

SCRIPTS = ("state.js", "summary.js", "pareto.js", "deltas.js", "pairs.js", "consistency.js", "attacks.js", "browser.js",
           "rankings.js", "calls.js", "find.js", "address.js", "main.js")  # fmt: skip
"""In the order they are read, after those that all pages have."""
ROOM = "rerankllm.reports"
_SIZE = "\ue000size\ue001"
_ESCAPES = {ord(char): f"\\u{ord(char):04x}" for char in "<>&\u2028\u2029\x7f"}


def page(content: Content) -> str:
    """The HTML.

    What runs and loads is settled by a policy in its head: this script and this style by their digests, and
    nothing from the network. Texts are data in JSON, in which no tag can begin or end.

    Args:
        content: The data.
    """
    from jinja2 import Environment, StrictUndefined  # noqa: PLC0415

    style, script = files.style(ROOM, "report.css"), files.script(ROOM, SCRIPTS)
    template = Environment(autoescape=True, undefined=StrictUndefined, keep_trailing_newline=True).from_string(
        files.read(ROOM, "report.html")
    )
    text = template.render(
        title=content.main["title"],
        version=content.main["version"],
        style=style,
        script=script,
        policy=f"default-src 'none'; script-src '{digest(script)}'; style-src '{digest(style)}'; base-uri 'none'; "
        "form-action 'none'",
        main=as_data(content.main),
        queries={name: packed(each) for name, each in content.queries.items()},
        left_out=content.left_out,
        size=_SIZE,
    )
    return text.replace(_SIZE, size_of(len(text.encode("utf-8", "replace"))))


def digest(text: str) -> str:
    """The hash by which a content security policy allows an inline script or style."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def as_data(value: Mapping[str, Any]) -> str:
    """JSON that can stand in a script element: no text in it can end the element, or a line of JavaScript."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.translate(_ESCAPES).encode("utf-8", "replace").decode()


def packed(value: Mapping[str, Any]) -> str:
    """The same, deflated (RFC 1950) and in base64; the page unpacks it when it is wanted."""
    return base64.b64encode(zlib.compress(as_data(value).encode(), 9)).decode()


def size_of(count: int) -> str:
    """A number of bytes as text, such as `1.2 MB`."""
    return f"{count / 1e6:.1f} MB" if count >= 1e6 else f"{count / 1e3:.0f} kB"  # noqa: PLR2004
