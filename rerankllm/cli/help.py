"""Help that can be pasted: examples are printed as they are typed, long ones continued with a backslash."""

import shutil
import textwrap
from typing import Any

from typer.core import TyperCommand, TyperGroup

from rerankllm.display import folded

PANELS = {
    "Input": "sample dataset run queries corpus requests qrels ranked other first_stage minilm text_column id_column "
    "title_column score_column query_column query_id_column skip_missing orders shuffles robustness",
    "Strategy and model": "alias strategy elicitation model base_url concurrency instruction demonstrations profile "
    "depth top_k max_passage_tokens seed batch",
    "Output": "output truncate summary jsonl calibration cutoff threshold form json_lines plot",
    "Statistics": "baseline measure relevant_from family correction alternative margin resamples resample_runs cost "
    "notable",
    "Budget": "dry_run max_calls max_tokens max_cost max_searches max_seconds max_rounds per_query",
    "Failures and journal": "on_error journal no_journal",
    "Server": "host port keys max_documents max_bytes max_in_flight max_page_calls grace",
    "Ray cluster": "engine ray_address workers gpus_per_worker worker_journals",
}
"""What the panels of long helps hold, by the names of the options; a short help has one."""
MANY = 12
"""Options that a help has in one panel at most."""

_OTHER = "Other"
_PANEL_OF = {name: panel for panel, names in PANELS.items() for name in names.split()}
_INDENT = "  "


class Command(TyperCommand):
    """A command whose epilog holds examples, one a line, and after an empty line what else is to be known."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Writes the help, then the examples."""
        formatter.write(_with_examples(self, super().format_help, ctx, formatter))


class Group(TyperGroup):
    """A group of commands whose epilog holds examples."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Writes the help, then the examples."""
        formatter.write(_with_examples(self, super().format_help, ctx, formatter))


def _with_examples(command: Any, format_help: Any, ctx: Any, formatter: Any) -> str:
    examples, command.epilog = command.epilog, None
    options = [each for each in command.get_params(ctx) if each.param_type_name == "option"]
    for option in options if len(options) > MANY else ():
        option.rich_help_panel = _PANEL_OF.get(str(option.name), _OTHER)
    try:
        format_help(ctx, formatter)
    finally:
        command.epilog = examples
    return f"{shown(examples, shutil.get_terminal_size().columns)}\n" if examples else ""


def shown(epilog: str, width: int) -> str:
    """The examples and notes of a command, for a terminal of so many columns."""
    listed, notes = parts(epilog)
    lines = [f"{_INDENT}{line}" for example in listed for line in folded(example, width - len(_INDENT)).split("\n")]
    paragraphs = [textwrap.fill(note, max(width, 40), break_long_words=False, break_on_hyphens=False) for note in notes]
    return "\n\n".join(["Examples:\n" + "\n".join(lines), *paragraphs])


def parts(epilog: str) -> tuple[list[str], list[str]]:
    """The examples, comments between them, and the paragraphs after them; a line that begins with a space goes on."""
    first, *notes = epilog.strip("\n").split("\n\n")
    return first.replace("\n ", " ").split("\n"), [" ".join(note.split()) for note in notes]
