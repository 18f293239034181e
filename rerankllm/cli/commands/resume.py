"""`rerankllm resume`: goes on with a run that ended before it was done."""

import os
from pathlib import Path
from typing import Annotated, Any

import typer

from rerankllm.cli import options
from rerankllm.cli.commands import rerank
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
    quiet: options.Quiet = False,
) -> None:
    """Repeats the run that wrote a journal; what the journal holds is not asked again.

    All options are the run's own, its limits too, unless they are given anew here.
    """
    journal = Journal(file, create=False)
    try:
        folder, command = journal.command()
    finally:
        journal.close()
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
