"""Reads prompt templates: from the text of a YAML file to a `Template`.

What such a file says is told in `rerankllm.elicitation.templates`.
"""

import hashlib
import re
from collections.abc import Collection, Iterator
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from rerankllm.calibration.demonstrations import Demonstration
from rerankllm.elicitation.template import Form, Label, Markers, Order, Template, Turn
from rerankllm.errors import TemplateError

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

CARDS = "models"
"""The folder of `prompts/` that holds published models instead of templates for a judgement."""
KEYS = {
    "description", "source", "elicitation", "passage_tokens", "labels", "read", "messages",
    "completion", "continuation", "demonstrations", "passages", "decoder", "order", "markers", "skipped", "asks",
    "between_words",
}  # fmt: skip
ROLES = ("system", "user", "assistant")


def root() -> "Traversable":
    """`prompts/` in the wheel; beside the package in a checkout."""
    packaged = resources.files("rerankllm") / "prompts"
    return packaged if packaged.is_dir() else Path(__file__).parents[2] / "prompts"


def in_folder(folder: "Traversable") -> Iterator[str]:
    """The names of the YAML files in a folder."""
    return (f.name.removesuffix(".yaml") for f in folder.iterdir() if f.name.endswith(".yaml"))


def mapping(what: str, text: str, keys: Collection[str]) -> dict[str, Any]:
    """The mapping that a YAML text is.

    Args:
        what: What it is, such as `template score/text`, for messages.
        text: The file's text.
        keys: The keys it may have.

    Raises:
        TemplateError: It is no mapping, or has other keys.
    """
    import yaml  # noqa: PLC0415

    try:
        data = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 - both are safe
    except yaml.YAMLError as error:
        raise TemplateError(f"{what} is not YAML: {' '.join(str(error).split())}") from error
    return known(what, data, keys)


def known(what: str, data: Any, keys: Collection[str]) -> dict[str, Any]:
    """The same mapping, checked: it has no other keys than these.

    Raises:
        TemplateError: It is no mapping, or has other keys.
    """
    if not isinstance(data, dict) or not data.keys() <= set(keys):
        unknown = sorted(set(data) - set(keys)) if isinstance(data, dict) else ["no keys at all"]
        raise TemplateError(f"{what}: unknown {unknown}; a {what.partition(' ')[0]} has {', '.join(sorted(keys))}")
    return data


def parse(name: str, text: str) -> Template:
    """The template that a file's text is.

    Raises:
        TemplateError: It is malformed.
    """
    data = mapping(f"template {name}", text, KEYS)
    return build(name, hashlib.sha256(text.encode()).hexdigest(), data)


def build(name: str, sha256: str, data: dict[str, Any], form: Form | None = None) -> Template:
    """The template that a mapping is.

    Raises:
        TemplateError: It is malformed.
    """
    if ("messages" in data) == ("completion" in data):
        raise TemplateError(f"template {name} needs either messages or completion")
    try:
        return _build(name, sha256, data, form)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise TemplateError(f"template {name}: {type(error).__name__} {error}") from error


def _build(name: str, sha256: str, data: dict[str, Any], form: Form | None) -> Template:
    labels = data.get("labels", "numbers")
    if not isinstance(labels, str):
        labels = tuple(
            Label(str(item["text"]), float(item["value"]), tuple(map(str, item.get("variants", ()))), item.get("id"))
            for item in labels
        )
    elif labels not in ("numbers", "numbers from 0", "letters"):
        raise ValueError(f"labels should be numbers, numbers from 0, letters or a list, found {labels!r}")
    read = data.get("read", "logprobs")
    if read not in ("logprobs", "logits"):
        raise ValueError(f"read should be logprobs or logits, found {read!r}")
    passages = data.get("passages", "together")
    if passages not in ("together", "apart"):
        raise ValueError(f"passages should be together or apart, found {passages!r}")
    asks = data.get("asks")
    if asks not in (None, "best", "worst"):
        raise ValueError(f"asks should be best or worst, found {asks!r}")
    template = Template(
        name=name,
        sha256=sha256,
        description=str(data["description"]),
        source=str(data["source"]),
        elicitation=str(data["elicitation"]),
        passage_tokens=int(data["passage_tokens"]),
        labels=cast("Any", labels),
        messages=tuple(_turn(role, source) for turn in data.get("messages", ()) for role, source in turn.items()),
        completion=str(data.get("completion", "")),
        continuation=str(data.get("continuation", "")),
        read=cast("Any", read),
        demonstrations=tuple(
            Demonstration(str(item["query"]), str(item["better"]), str(item["worse"]), str(item.get("query_id", "")))
            for item in data.get("demonstrations", ())
        ),
        form=form,
        apart=passages == "apart",
        decoder=str(data.get("decoder", "")),
        order=Order(**data["order"]) if "order" in data else None,
        markers=Markers(**data["markers"]) if "markers" in data else None,
        skipped=str(data.get("skipped", "")),
        between_words=str(data.get("between_words", " ")),
    )
    told = any(re.search(r"\bworst\b", source) for source in template.sources)
    return replace(template, asks=cast("Any", asks or ("either" if told else "best")))


def _turn(role: str, source: Any) -> Turn:
    if role == "each":
        return role, tuple(cast("Any", _turn(inner, text)) for turn in source for inner, text in turn.items())
    if role not in ROLES:
        raise ValueError("a message is from system, user or assistant, or is `each` with those for every document")
    return role, str(source)
