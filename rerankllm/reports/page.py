"""A report as one HTML file: style, script and data inside it, nothing from anywhere else."""

import base64
import hashlib

from rerankllm.reports import frame
from rerankllm.reports.content import Content
from rerankllm.reports.packing import as_data

_SIZE = "\ue000size\ue001"


def page(content: Content) -> str:
    """The HTML.

    What runs and loads is settled by a policy in its head: this script and this style by their digests, and
    nothing from the network. Texts are data in JSON, in which no tag can begin or end.

    Args:
        content: The data.
    """
    from jinja2 import Environment, StrictUndefined  # noqa: PLC0415

    style, script = frame.style(), frame.script()
    template = Environment(autoescape=True, undefined=StrictUndefined, keep_trailing_newline=True).from_string(
        frame.html()
    )
    text = template.render(
        title=content.main["title"],
        version=content.main["version"],
        style=style,
        script=script,
        policy=f"default-src 'none'; script-src '{digest(script)}'; style-src '{digest(style)}'; base-uri 'none'; "
        "form-action 'none'",
        main=as_data(content.main),
        scripts=content.scripts,
        left_out=content.left_out,
        size=_SIZE,
    )
    return text.replace(_SIZE, size_of(len(text.encode("utf-8", "replace"))))


def digest(text: str) -> str:
    """The hash by which a content security policy allows an inline script or style."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def size_of(count: int) -> str:
    """A number of bytes as text, such as `1.2 MB`."""
    return f"{count / 1e6:.1f} MB" if count >= 1e6 else f"{count / 1e3:.0f} kB"  # noqa: PLR2004
