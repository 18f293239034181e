"""The value that an annotation asks for, from one that a user wrote."""

import types
import typing
from collections.abc import Callable, Mapping
from typing import Any, Literal, TypeAlias

from rerankllm.errors import SpecError
from rerankllm.spec.grammar import WORDS, Node

Builders: TypeAlias = Mapping[type, tuple[str, Callable[[Node], Any]]]
"""By the type asked for: what it is called in an error message, and what makes one of a parsed expression."""


def coerce(value: Any, hint: Any, where: str, builders: Builders | None = None) -> Any:
    """The value an annotation asks for.

    Args:
        value: As the parser read it: a literal, a list, or a `Node`.
        hint: The annotation: a type, an optional, a tuple of any length, a literal, or a key of `builders`.
        where: What the value is for, for error messages.
        builders: How to make what is more than a literal.

    Raises:
        SpecError: The value is not what the annotation asks for.
    """
    builders = builders or {}
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        if bare(value) is None:
            return None
        return coerce(value, next(a for a in arguments if a is not type(None)), where, builders)
    if origin is tuple:
        if not isinstance(value, list):
            raise SpecError(f"{where} should be a [list], found {_written(value)}")
        return tuple(coerce(item, arguments[0], where, builders) for item in value)
    if origin is Literal:
        return _one_of(value, arguments, where)
    if hint in builders:
        noun, build = builders[hint]
        if not isinstance(value, Node):
            raise SpecError(f"{where} should be {noun}, found {_written(value)}")
        return build(value)
    return _plain(value, hint, where)


def bare(value: Any) -> Any:
    """A word as the value it stands for (`true`, `none`, or itself); anything else as it is."""
    if isinstance(value, Node):
        word = value.word
        return WORDS.get(word, word) if word is not None else value
    return value


def _one_of(value: Any, choices: tuple[Any, ...], where: str) -> Any:
    plain = bare(value)
    if plain not in choices:
        raise SpecError(f"{where} should be one of {', '.join(map(_word, choices))}; found {_written(value)}")
    return plain


def _plain(value: Any, hint: Any, where: str) -> Any:
    plain = bare(value)
    if hint is float and type(plain) is int:
        return float(plain)
    if type(plain) is not hint:
        noun = {int: "a whole number", float: "a number", bool: "true or false", str: "a word or 'text'"}[hint]
        raise SpecError(f"{where} should be {noun}, found {_written(value)}")
    return plain


def _word(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _written(value: Any) -> str:
    return f"'{value.call.name}…'" if isinstance(value, Node) and value.word is None else f"'{bare(value)}'"
