"""`rerankllm resume`: goes on with a run that ended before it was done."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from rerankllm.cli import options
from rerankllm.cli.commands import rerank
from rerankllm.cli.config.noted import SEAL, is_own
from rerankllm.cli.console import confirm
from rerankllm.errors import InputError
from rerankllm.journal.store import Journal

EXAMPLES = """
rerankllm resume reranked.txt.journal
# the same run, with a higher limit
rerankllm resume reranked.txt.journal --max-cost 20

Exit status: that of the run.
"""


def command(
    *,
    file: Annotated[Path, typer.Argument(help="The run's journal.")],
    max_calls: options.MaxCalls = None,
    max_tokens: options.MaxTokens = None,
    max_cost: options.MaxCost = None,
    max_searches: options.MaxSearches = None,
    max_seconds: options.MaxSeconds = None,
    per_query: options.PerQuery = None,
    concurrency: options.Concurrency = None,
    yes: Annotated[bool, typer.Option("--yes", help="Run what the journal notes, whoever wrote it.")] = False,
    quiet: options.Quiet = False,
) -> None:
    """Repeats the run that wrote a journal; what the journal holds is not asked again.

    All options are the run's own, its limits too, unless they are given anew here. Options that were not noted by you
    on this machine are shown first, and run only if you say so: they name hosts, files, and variables that hold keys.
    """
    journal = Journal(file, create=False)
    try:
        folder, command = journal.command()
    finally:
        journal.close()
    if not yes and not is_own(folder, command):
        _ask(file, folder, command)
    file = file.resolve()
    try:
        os.chdir(folder)
    except OSError as error:
        raise InputError(f"the run was started in {folder}, which cannot be used: {error.strerror}") from None
    given: dict[str, Any] = {
        "max_calls": max_calls,
        "max_tokens": max_tokens,
        "max_cost": max_cost,
        "max_searches": max_searches,
        "max_seconds": max_seconds,
        "per_query": per_query,
        "concurrency": concurrency,
        "quiet": quiet or None,
    }
    command |= {name: value for name, value in given.items() if value is not None}
    rerank.repeat(command, file)


def _ask(file: Path, folder: str, command: Mapping[str, Any]) -> None:
    """Shows the command that a stranger may have noted, and asks whether to run it.

    Raises:
        InputError: It is not to be run, or nobody is there to ask.
    """
    lines = [f"{file} was not written by you on this machine (or by an earlier version). In {folder!r} it would run:"]
    lines += [
        f"  --{name.replace('_', '-')} {value!r}"
        for name, value in command.items()
        if name != SEAL and value not in (None, False, [], {})
    ]
    confirm(lines, f"give --yes to run what {file} notes, if you trust every host, file and key that it names")
