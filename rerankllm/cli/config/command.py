"""Commands that take options from the environment and from files, say so, and let it be noted in what they write."""

import os
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer

from rerankllm.cli.completion import beginning
from rerankllm.cli.config.options import Settable, settables
from rerankllm.cli.config.sources import InForce, Setting, files, in_force
from rerankllm.cli.help import Command
from rerankllm.drivers.recipe import DEFAULT_MODEL
from rerankllm.notes import tell
from rerankllm.spec.model import ModelSpec
from rerankllm.spec.stage import Stage

_origins: ContextVar[Mapping[str, str]] = ContextVar("origins", default={})  # noqa: B039 - never changed in place
_OF_HOSTS = ("base_url", "concurrency")


@dataclass(frozen=True, slots=True)
class Known:
    """What is set for the commands of this process.

    Attributes:
        files: Where files may be, the first winning.
        settable: Every option that can be set.
        settings: What holds.
    """

    files: list[Path]
    settable: list[Settable]
    settings: InForce

    @classmethod
    def of(cls, context: typer.Context, chosen: str | None) -> "Known":
        """Looks for it.

        Raises:
            InputError: A file or a variable says what cannot be.
        """
        found, settable = files(chosen), settables(context.command.commands)  # type: ignore[attr-defined]
        return cls(found, settable, in_force(settable, found, os.environ))

    def defaults(self) -> dict[str, dict[str, Any]]:
        """For the parser: values by command and option."""
        return {
            command: {name: setting.value for name, setting in found.items()}
            for command, found in self.settings.items()
        }


class Configured(Command):
    """A command whose options may be set elsewhere than on the command line."""

    def invoke(self, ctx: Any) -> Any:
        """Runs it, with a line on stderr on what was set elsewhere and is used."""
        known = ctx.find_root().obj
        settings = known.settings.get(str(self.name), {}) if isinstance(known, Known) else {}
        used = {name: setting for name, setting in settings.items() if _source(ctx, name) == "DEFAULT_MAP"}
        for name in _idle(ctx.params, used):
            ctx.params[name] = None
            del used[name]
        _origins.set({setting.key: setting.origin for setting in used.values()})
        if used and not ctx.params.get("quiet"):
            tell(f"options from elsewhere: {_told(used)}")
        return super().invoke(ctx)


def origins() -> Mapping[str, str]:
    """Where options of the running command come from that nobody typed: files and environment variables."""
    return _origins.get()


def recall_origins(noted: Mapping[str, str]) -> None:
    """Says so of a run that is repeated."""
    _origins.set(noted)


def _source(ctx: typer.Context, name: str) -> str:
    source = ctx.get_parameter_source(name)
    return "" if source is None else source.name


def _idle(params: Mapping[str, Any], used: Mapping[str, Setting]) -> list[str]:
    """Settings that say nothing here: a model where the strategy typed names one, a host's where the model has none."""
    hosts = [name for name in _OF_HOSTS if name in used]
    if not hosts and "model" not in used:
        return []
    strategy = str(params.get("strategy") or "")
    named = Stage.parse(strategy).model if "@" in strategy else None
    model = ["model"] if named and "model" in used and "strategy" not in used else []
    if not hosts or (named is None and "@" in strategy):  # a stage inside names one, which the host's may be about
        return model
    known = ModelSpec.parse(named or params.get("model") or DEFAULT_MODEL).known_options()
    return [*model, *(name for name in hosts if name not in known)]


def _told(used: Mapping[str, Setting]) -> str:
    by_origin: dict[str, list[str]] = {}
    for setting in used.values():
        by_origin.setdefault(setting.origin, []).append(setting.key)
    return "; ".join(f"{', '.join(keys)} in {origin}" for origin, keys in by_origin.items())


def commands(context: typer.Context, incomplete: str) -> list[str]:
    """Names of commands, for completion."""
    found = settables(context.find_root().command.commands)  # type: ignore[attr-defined]
    return beginning(incomplete, dict.fromkeys(str(each.command.name) for each in found))
