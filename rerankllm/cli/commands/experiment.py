"""`rerankllm experiment`: a matrix of datasets, first stages, strategies, models and seeds, run and tabulated."""

from pathlib import Path
from typing import Annotated

import typer

from rerankllm.cli import options
from rerankllm.errors import InputError
from rerankllm.experiments.experiment import _foresee, _run
from rerankllm.experiments.rules import Rule

EXAMPLES = """
[bold]Examples[/bold]\n
rerankllm experiment trial.yaml --dry-run  # what every cell will take; nothing is sent\n
rerankllm experiment trial.yaml --output trial  # the same again goes on where it ended, and repeats no call\n
rerankllm experiment trial.yaml --only dataset=dl19,strategy=sliding --only model=small\n
[bold]A configuration[/bold] (docs/experiments.md has every key)\n
datasets: {dl19: dl19}\n
strategies: {sliding: 'sliding(window=20, stride=10)', heap: {spec: prp(sort=heap), top_k: 10}}\n
models: {small: 'llamacpp:smollm2', large: 'openai:NAME'}\n
[bold]Exit status[/bold]: 0 all done, 1 nothing could be done, 3 some cells or queries failed, 130 Ctrl-C.
"""
PARTIAL, INTERRUPTED = 3, 130


def command(
    *,
    config: Annotated[Path, typer.Argument(metavar="CONFIG.yaml", help="What to run.")],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="The folder to write; the configuration's `output:`, or its own name."),
    ] = None,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Print calls, tokens and money of every cell that is to run; send nothing."),
    ] = False,
    only: Annotated[
        list[str] | None,
        typer.Option(
            metavar="AXIS=NAME,…",
            help="Run only these cells now (dataset, first_stage, strategy, model, seed); repeatable.",
        ),
    ] = None,
    quiet: options.Quiet = False,
) -> None:
    """Runs every combination that is not done yet, and writes runs, journals and one table of results.

    A run that was cut goes on where it ended; the same configuration twice makes no calls.
    """
    from rerankllm.evaluation.extras import scipy_module  # noqa: PLC0415
    from rerankllm.experiments.load import read_config  # noqa: PLC0415

    found = read_config(config)
    rules = [Rule.parse(text) for text in only or ()]
    scipy_module("stats")  # which the table needs: to be missed now, not when all is paid for
    folder = output or found.output or config.with_suffix("")
    if folder.resolve() == config.resolve():
        raise InputError(f"{config} has no ending to leave out: name the folder to write with --output")
    if dry_run:
        _foresee(found, folder, rules)
    else:
        _run(found, folder, rules, quiet=quiet)
