"""Help that can be read and pasted on a terminal of any width.

Options stand under headings. What an option says stands beside it, or under it where its name is long. Nothing is cut.
Examples are printed as they are typed; long ones continue with a backslash.
"""

import textwrap
from typing import Any

from rich.console import Console
from rich.text import Text
from typer.core import TyperCommand, TyperGroup

from rerankllm.display import folded

PANELS = {
    "Input": "sample dataset run queries corpus requests qrels ranked other first_stage minilm text_column id_column "
    "title_column score_column query_column query_id_column skip_missing orders shuffles robustness",
    "Strategy and model": "alias strategy elicitation model base_url judge concurrency instruction demonstrations "
    "profile depth number top_k max_passage_tokens passage_tokens seed batch attacks",
    "Output": "output truncate summary jsonl calibration cutoff threshold form json_lines json_file plot title calls "
    "queries_shown max_size",
    "Statistics": "baseline measure relevant_from family correction alternative margin against resamples resample_runs "
    "cost notable",
    "Budget": "dry_run max_calls max_tokens max_cost max_searches max_seconds max_rounds max_slots per_query",
    "Speed": "seconds_per_call tokens_per_second timed every",
    "Failures and journal": "on_error unusable journal no_journal max_journal_mb",
    "Server": "host port keys allow_host cors_origin strict max_documents max_bytes max_in_flight max_page_calls grace "
    "log_level log_format otel",
    "Ray cluster": "engine ray_address workers gpus_per_worker worker_journals",
}
"""What stands under each heading of a long help, by the names of the options, in this order; a short help has one.

An option that means something else in one command says its heading itself.
"""
MANY = 12
"""Options that a help has under one heading at most."""
WIDEST = 100
"""Columns that help takes at most: longer lines are hard to read."""

_OTHER = "Other"
_PANEL_OF = {name: panel for panel, names in PANELS.items() for name in names.split()}
_INDENT = "  "
_VALUES = {"path": "FILE", "str": "TEXT", "int": "N", "float": "X"}
"""What an option takes, by its type, where the option itself does not say."""


class Command(TyperCommand):
    """A command whose epilog holds examples, one a line, and after an empty line what else is to be known."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Prints the help, then the examples."""
        del formatter
        _print(self, ctx, {})


class Group(TyperGroup):
    """A group of commands whose epilog holds examples."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Prints the help, then the examples."""
        del formatter
        found: dict[str, list[tuple[str, str]]] = {}
        for name in self.list_commands(ctx):
            command: Any = self.get_command(ctx, name)
            says = " ".join((command.help or "").strip().partition("\n\n")[0].split())
            found.setdefault(command.rich_help_panel or "Commands", []).append((name, says))
        _print(self, ctx, found)


def _print(command: Any, ctx: Any, commands: dict[str, list[tuple[str, str]]]) -> None:
    """Prints a help; where the terminal shows colours, headings and names have them."""
    console = Console(highlight=False, soft_wrap=True)
    width = min(console.width, WIDEST)
    says = [" ".join(paragraph.split()) for paragraph in (command.help or "").strip().split("\n\n")]
    blocks = [Text(_wrapped(line, width)) for line in (f"Usage: {usage(command, ctx)}", *says)]
    listed = {"Arguments": _arguments(command, ctx), **_options(command, ctx), **commands}
    column = min(28, width // 3 + 2, max(len(_INDENT + name) + 2 for rows in listed.values() for name, _ in rows))
    for heading, rows in listed.items():
        if rows:
            entries = [_entry(name, text, column, width) for name, text in rows]
            blocks.append(Text("\n").join([Text(f"{heading}:", style="bold"), *entries]))
    if command.epilog:
        blocks.append(Text(shown(command.epilog, width)))
    console.print(Text("\n\n").join(blocks))


def usage(command: Any, ctx: Any) -> str:
    """How a command is called, in a line."""
    arguments = [(each, value(each, ctx)) for each in command.params if each.param_type_name == "argument"]
    called = [name if each.required or name.startswith("[") else f"[{name}]" for each, name in arguments]
    return " ".join([ctx.command_path, "[OPTIONS]", *called, *["COMMAND"] * isinstance(command, TyperGroup)])


def value(parameter: Any, ctx: Any) -> str:
    """What an argument is called, or what an option takes; empty for a flag."""
    if parameter.param_type_name == "argument":
        return str(parameter.metavar or parameter.name.upper())
    if parameter.is_flag or parameter.metavar:
        return parameter.metavar or ""
    kind = parameter.get_help_record(ctx)[0].partition(f"{max(parameter.opts, key=len)} ")[2].strip("<>")
    return str(_VALUES.get(kind.removeprefix("list[").removesuffix("]").removesuffix(" range").lower(), kind))


def described(option: Any, ctx: Any) -> tuple[str, str]:
    """An option as it is typed, and what it says, with its default."""
    names = ", ".join(sorted([*option.opts, *option.secondary_opts], key=len))
    default = option.get_default(ctx, call=False) if option.show_default and not option.is_flag else None
    notes = ["required"] * option.required + ([] if default in {None, ()} else [f"default: {default}"])
    says = f"{option.help or ''} [{'; '.join(notes)}]" if notes else option.help or ""
    return f"{names} {value(option, ctx)}".strip(), says


def _arguments(command: Any, ctx: Any) -> list[tuple[str, str]]:
    return [(value(each, ctx), each.help or "") for each in command.params if each.param_type_name == "argument"]


def _options(command: Any, ctx: Any) -> dict[str, list[tuple[str, str]]]:
    """The options by heading."""
    options = [each for each in command.get_params(ctx) if each.param_type_name == "option" and not each.hidden]
    if len(options) <= MANY:
        return {"Options": [described(each, ctx) for each in options]}
    found: dict[str, list[tuple[str, str]]] = {heading: [] for heading in (*PANELS, _OTHER)}
    for option in options:
        panel = option.rich_help_panel or _PANEL_OF.get(str(option.name), _OTHER)
        found[panel].append(described(option, ctx))
    return found


def _entry(name: str, says: str, column: int, width: int) -> Text:
    """A name and, from a column on, what it says: beside the name where there is room, else under it."""
    lines = _wrapped(says, width - column).split("\n")
    beside = len(_INDENT + name) + 2 <= column
    first = f"{_INDENT}{name}".ljust(column) + lines.pop(0) if beside else f"{_INDENT}{name}"
    text = Text("\n".join([first.rstrip(), *(" " * column + line for line in lines if line)]))
    text.stylize("cyan", 0, len(_INDENT + name))
    return text


def _wrapped(text: str, width: int) -> str:
    """A paragraph in lines that end between words."""
    return textwrap.fill(text, max(width, 20), break_long_words=False, break_on_hyphens=False)


def shown(epilog: str, width: int) -> str:
    """The examples and notes of a command, for a terminal of so many columns."""
    listed, notes = parts(epilog)
    lines = [f"{_INDENT}{line}" for example in listed for line in folded(example, width - len(_INDENT)).split("\n")]
    return "\n\n".join(["Examples:\n" + "\n".join(lines), *(_wrapped(note, max(width, 40)) for note in notes)])


def parts(epilog: str) -> tuple[list[str], list[str]]:
    """The examples, comments between them, and the paragraphs after them; a line that begins with a space goes on."""
    first, *notes = epilog.strip("\n").split("\n\n")
    return first.replace("\n ", " ").split("\n"), [" ".join(note.split()) for note in notes]
