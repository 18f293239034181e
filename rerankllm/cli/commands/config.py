"""`rerankllm config`: options set in files and the environment, and where each comes from."""

import os
from pathlib import Path
from typing import Annotated, Any

import typer

from rerankllm.cli.config.command import Known, commands
from rerankllm.cli.config.options import Settable
from rerankllm.cli.config.sources import NAME, unknown_variables
from rerankllm.cli.console import say
from rerankllm.errors import InputError
from rerankllm.notes import tell
from rerankllm.registry import instead

EXAMPLES = """
# what is set, and by which file or variable
rerankllm config
# every option of a command, defaults too
rerankllm config rerank
# the files that are looked for
rerankllm config --path
# writes a rerankllm.toml that explains itself
rerankllm config --init
RERANKLLM_MODEL=openai:NAME RERANKLLM_RERANK_DEPTH=50 rerankllm config

Precedence: command line, environment, rerankllm.toml here or above, the user's own, defaults.
More: docs/configuration.md.
"""
TEMPLATE = """\
# Options for rerankllm in this folder and below. The command line wins over the environment (RERANKLLM_MODEL,
# RERANKLLM_RERANK_DEPTH), that over this file, that over your own (`rerankllm config --path`).
# Keys are the options with _ for -; `rerankllm config rerank` lists those of a command.
# API keys do not belong here: put them into the environment (OPENAI_API_KEY, or what the model's api_key_env names).

# For every command that has the option:
# model = "openai:NAME"
# base_url = "http://localhost:8000/v1"
# strategy = "sliding(window=20, stride=10)"
# instruction = "Prefer primary sources."
# max_passage_tokens = 300
# concurrency = 32

# [rerank]
# depth = 50
# max_cost = 5.0
# on_error = "fallback"

# [serve]
# port = 8001
# keys = "keys.txt"  # relative to this file

# [serve.alias]
# fast = "pointwise / labels @ llamacpp:smollm2"
# best = "sliding @ openai:NAME"
"""


def command(
    context: typer.Context,
    name: Annotated[
        str | None,
        typer.Argument(metavar="[COMMAND]", help="Every option of this command.", autocompletion=commands),
    ] = None,
    *,
    path: Annotated[bool, typer.Option("--path", help="The files that are looked for, the first winning.")] = False,
    init: Annotated[bool, typer.Option("--init", help=f"Write a {NAME} with everything commented out.")] = False,
) -> None:
    """Shows which options are set in files and the environment, and where each comes from."""
    known: Known = context.find_root().obj
    if init:
        _init(Path(NAME))
    elif path:
        for file in known.files:
            say(f"{file}\t{'read' if file.is_file() else 'not there'}")
    else:
        _show(known, name)


def _init(path: Path) -> None:
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(TEMPLATE)
    except OSError as error:
        raise InputError(f"cannot write {path.absolute()}: {error.strerror}") from None
    tell(f"wrote {path.absolute()}")


def _show(known: Known, command: str | None) -> None:
    commands = list(dict.fromkeys(str(option.command.name) for option in known.settable))
    if command is not None and command not in commands:
        raise InputError(f"no options of '{command}' can be set{instead(command, commands)}")
    lines: dict[str, list[str]] = {}
    for option in known.settable:
        name = str(option.command.name)
        setting = known.settings.get(name, {}).get(option.name)
        if setting is not None and command in {None, name}:
            lines.setdefault(f"{option.key}\t{_shown(setting.value)}\t{setting.origin}", []).append(name)
        elif command == name:
            lines[f"{option.key}\t{_shown(_default(option))}\tdefault"] = [name]
    for line, names in lines.items():
        say(line if command else f"{line}\t{', '.join(names)}")
    for variable in unknown_variables(known.settable, os.environ):
        tell(f"{variable} sets no option of any command")


def _default(option: Settable) -> Any:
    return option.parameter.get_default(typer.Context(option.command))


def _shown(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: ""}[value]
    return "; ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
