"""Which options can be set without typing them, and what values they take."""

import inspect
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperCommand, TyperOption

from rerankllm.cli import options
from rerankllm.errors import InputError

SHARED = (
    options.Strategy, options.NeededStrategy, options.Model, options.BaseUrl, options.Instruction,
    options.PassageTokens, options.Concurrency, options.Quiet,
)  # fmt: skip
"""Options that mean the same wherever they are: set once, they hold for every command that has them."""
UNREAD = ("resume", "config")
"""Commands that take nothing from files or the environment: `resume` is to repeat a run as it was."""
_WORDS = {bool: "true or false", int: "a whole number", float: "a number", str: "a string"}


@dataclass(frozen=True, slots=True)
class Settable:
    """One option of one command.

    Attributes:
        command: The command.
        key: What files call the option: `max_cost` for `--max-cost`.
        parameter: The option.
        kind: What each value is.
        shared: Whether it may be set for all commands that have it.
    """

    command: TyperCommand
    key: str
    parameter: TyperOption
    kind: type
    shared: bool

    @property
    def name(self) -> str:
        """What the command's function calls it."""
        return str(self.parameter.name)

    def variable(self, *, shared: bool = False) -> str:
        """The environment variable that sets it, for this command or for all that share it."""
        parts = ("rerankllm", self.key) if shared else ("rerankllm", str(self.command.name), self.key)
        return "_".join(parts).upper().replace("-", "_")

    def of_text(self, text: str, where: str) -> Any:
        """The value that an environment variable holds; one a line, where there may be several.

        Raises:
            InputError: It is none.
        """
        given = [line.strip() for line in text.splitlines() if line.strip()] if self.parameter.multiple else text
        return self._checked(given, where)

    def of_file(self, value: Any, folder: Path, where: str) -> Any:
        """The value that a file gives; its paths are relative to the file's folder.

        Raises:
            InputError: It is none.
        """
        pairs = isinstance(value, dict) and "=" in str(self.parameter.metavar)
        many = [f"{name}={each}" for name, each in value.items()] if pairs else value
        if self.parameter.multiple != isinstance(many, list):
            wanted = "an array or a table" if "=" in str(self.parameter.metavar) else "an array"
            single = _WORDS.get(self.kind, _WORDS[str])
            raise InputError(
                f"{where} should be {wanted if self.parameter.multiple else single}, found {_shown(value)}"
            )
        values = [self._of_kind(each, folder, where) for each in (many if isinstance(many, list) else [many])]
        return self._checked(values if self.parameter.multiple else values[0], where)

    def _of_kind(self, value: Any, folder: Path, where: str) -> Any:
        wanted = self.kind if self.kind in _WORDS else str
        fits = type(value) is wanted or (wanted is float and type(value) is int)
        if not fits:
            raise InputError(f"{where} should be {_WORDS[wanted]}, found {_shown(value)}")
        return str(folder / Path(value).expanduser()) if self.kind is Path else value

    def _checked(self, value: Any, where: str) -> Any:
        """The value as the option takes it, by the option's own rules."""
        try:
            return self.parameter.process_value(typer.Context(self.command, info_name=self.command.name), value)
        except typer.BadParameter as error:
            raise InputError(f"{where} cannot be {_shown(value)}: {error.message}") from None


def settables(commands: Mapping[str, Any]) -> list[Settable]:
    """Every option of every command that can be set."""
    return [
        found
        for name, command in commands.items()
        if isinstance(command, TyperCommand) and name not in UNREAD
        for parameter in command.params
        if (found := _settable(command, parameter)) is not None
    ]


def _settable(command: TyperCommand, parameter: Any) -> Settable | None:
    key = next((opt[2:].replace("-", "_") for opt in parameter.opts if opt.startswith("--")), None)
    if not isinstance(parameter, TyperOption) or key is None or command.callback is None:
        return None
    declared = inspect.signature(inspect.unwrap(command.callback)).parameters.get(str(parameter.name))
    if declared is None:  # --help
        return None
    annotation = declared.annotation
    return Settable(command, key, parameter, _kind(annotation), any(annotation is each for each in SHARED))


def _kind(annotation: Any) -> type:
    """What a value is, or one of several: the type inside Annotated, Optional and list."""
    inside = [each for each in typing.get_args(annotation) if each is not types.NoneType]
    if isinstance(annotation, type) and not inside:
        return annotation
    return str if typing.get_origin(annotation) is typing.Literal else _kind(inside[0])


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:60]}…"  # noqa: PLR2004
