"""Docstrings, defaults and tables as Markdown."""

import dataclasses
import inspect
import re
import types
import typing
from collections.abc import Iterable, Sequence
from typing import Any, Literal

import griffe

from rerankllm.aggregation.base import Aggregation
from rerankllm.spec.stage import Stage, show_value

ARGUMENTS = (griffe.DocstringSectionKind.attributes, griffe.DocstringSectionKind.parameters)


@dataclasses.dataclass(frozen=True, slots=True)
class Described:
    """A docstring taken apart.

    Attributes:
        summary: Its first line.
        body: The paragraphs between that and the first section.
        arguments: What it says of each attribute or argument.
    """

    summary: str
    body: str
    arguments: dict[str, str]

    @classmethod
    def of(cls, thing: Any) -> "Described":
        """Reads a docstring in Google's style; what that of a class does not say of an argument, its bases may."""
        text, arguments = "", {}
        for base in inspect.getmro(thing)[1:-1][::-1] if inspect.isclass(thing) else ():
            arguments |= cls.of(base).arguments if base.__doc__ else {}
        for section in griffe.Docstring(inspect.getdoc(thing) or "").parse("google", warnings=False):
            if section.kind is griffe.DocstringSectionKind.text:
                text = text or section.value
            elif section.kind in ARGUMENTS:
                arguments |= {item.name: on_one_line(item.description) for item in section.value}
        summary, _, body = text.partition("\n")
        return cls(summary, body.strip(), arguments)


def on_one_line(text: str) -> str:
    """The text without line breaks."""
    return " ".join(text.split())


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; a column whose name ends in `:` is of numbers. Bars inside cells are escaped."""
    head = f"| {' | '.join(name.removesuffix(':') for name in columns)} |"
    rule = f"|{'|'.join('---:' if name.endswith(':') else '---' for name in columns)}|"
    lines = (" | ".join(cell.replace("|", "\\|") for cell in row) for row in rows)
    return "\n".join([head, rule, *(f"| {line} |" for line in lines)])


def code(text: str) -> str:
    """The text as code."""
    return f"`{text}`" if text else ""


def parameters(cls: Any) -> str:
    """The parameters of a registered dataclass: what each may be, its default, what it does."""
    said, hints = Described.of(cls).arguments, typing.get_type_hints(cls)
    rows = [
        (code(f.name), kind(hints[f.name]), code(default(f)) or "needed", said[f.name]) for f in dataclasses.fields(cls)
    ]
    return table(("parameter", "is", "default", "meaning"), rows) if rows else "It has no parameters."


def default(field: "dataclasses.Field[Any]") -> str:
    """A parameter's default as a spec says it; nothing where there is none."""
    if field.default_factory is not dataclasses.MISSING:
        return show_value(field.default_factory())
    return "" if field.default is dataclasses.MISSING else show_value(field.default)


def kind(hint: Any) -> str:
    """What a parameter or an option may be, in words."""
    plain = {
        int: "whole number", float: "number", bool: "`true` or `false`", str: "text",
        Stage: "stage", Aggregation: "aggregation", type(None): "`none`",
    }  # fmt: skip
    if hint in plain:
        return plain[hint]
    inner = typing.get_args(hint)
    if typing.get_origin(hint) is Literal:
        return ", ".join(f"`{show_value(value)}`" for value in inner)
    if typing.get_origin(hint) in (types.UnionType, typing.Union):
        return " or ".join(kind(each) for each in inner)
    if typing.get_origin(hint) in (tuple, list):
        return f"list of: {kind(inner[0])}"
    return code(re.sub(r"[\w.]+\.", "", str(hint)))
