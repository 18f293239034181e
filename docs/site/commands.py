"""A page for every command, from its own help."""

import re
from typing import Any

import typer.main
from text import table

from rerankllm.cli.app import app
from rerankllm.cli.help import described, parts, usage, value
from rerankllm.display import folded

WIDTH = 90
"""Columns of an example."""


def pages() -> dict[str, str]:
    """Every page by its address, the index first."""
    root = typer.main.get_command(app)
    context = root.make_context("rerankllm", [], resilient_parsing=True)
    found = dict(_commands(root, context))
    panels: dict[str, list[tuple[str, str]]] = {}
    for name, command in found.items():
        if command.rich_help_panel:
            says = command.help.strip().partition("\n")[0]
            panels.setdefault(command.rich_help_panel, []).append((f"[`{name}`]({name}.md)", says))
    index = "\n\n".join(f"## {panel}\n\n{table(('command', ''), rows)}" for panel, rows in panels.items())
    head = (
        "# Commands\n\n`rerankllm COMMAND --help` says the same. Results go to stdout, everything else to stderr. Exit "
        "status: 0 all went well, 1 bad usage or input, 3 some queries failed or a run was cut short, 130 Ctrl-C."
    )
    return {"commands/index.md": f"{head}\n\n{index}"} | {
        f"commands/{name}.md": _page(name, command, context) for name, command in found.items() if " " not in name
    }


def _commands(group: Any, context: Any, before: str = "") -> list[tuple[str, Any]]:
    """Every command with its name."""
    return [(f"{before}{name}", group.get_command(context, name)) for name in group.list_commands(context)]


def _page(name: str, command: Any, parent: Any) -> str:
    context = command.make_context(name, [], parent=parent, resilient_parsing=True)
    parts = [f"# {name}", _plain(command.help), f"```text\n{usage(command, context)}\n```",
             _examples(command.epilog or "")]  # fmt: skip
    arguments = [(f"`{value(each, context)}`", _plain(each.help)) for each in command.params
                 if each.param_type_name == "argument"]  # fmt: skip
    if arguments:
        parts += ["## Arguments", table(("argument", ""), arguments)]
    records = [described(each, context) for each in command.params if each.param_type_name == "option"]
    options = [(_code(shown), _plain(says)) for shown, says in records]
    parts += ["## Options", table(("option", ""), options)] if options else []
    for inner, each in _commands(command, context) if hasattr(command, "list_commands") else ():
        parts.append(_page(inner, each, context).replace("\n## ", "\n### ").replace("# ", f"## {name} ", 1))
    return "\n\n".join(filter(None, parts))


def _plain(text: str | None) -> str:
    """Help without marks of style, lines joined, paragraphs kept, and nothing that reads as HTML."""
    paragraphs = re.sub(r"\[/?(?:bold|dim)\]", "", text or "").strip().split("\n\n")
    lines = "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)
    return "`".join(part if i % 2 else part.replace("<", "&lt;") for i, part in enumerate(lines.split("`")))


def _code(shown: str) -> str:
    """An option as code, with what it takes."""
    return ", ".join(f"`{part}`" for part in shown.split(", "))


def _examples(epilog: str) -> str:
    listed, notes = parts(epilog) if epilog else ([], [])
    commands = "\n".join(folded(line, WIDTH) for line in listed)
    return "\n\n".join([f"## Examples\n\n```\n{commands}\n```", *map(_plain, notes)]) if listed else ""
