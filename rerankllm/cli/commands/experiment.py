"""`rerankllm experiment`: a matrix of datasets, first stages, strategies, models and seeds, run and tabulated."""

from pathlib import Path
from shlex import quote
from typing import Annotated

import typer

from rerankllm.cli import options
from rerankllm.cli.config.command import origins
from rerankllm.cli.console import PARTIAL, say
from rerankllm.experiments.folder import MANIFEST
from rerankllm.notes import tell

EXAMPLES = """
# what every cell will take; nothing is sent
rerankllm experiment trial.yaml --dry-run
# the same again goes on where it ended, and repeats no call
rerankllm experiment trial.yaml --output trial
rerankllm experiment trial.yaml --only dataset=dl19,strategy=sliding --only model=small

A configuration (docs/experiments.md has every key):

datasets: {dl19: dl19}

strategies: {sliding: 'sliding(window=20, stride=10)', heap: {spec: prp(sort=heap), top_k: 10}}

models: {small: 'llamacpp:smollm2', large: 'openai:NAME'}

Exit status: 0 all done, 1 nothing could be done, 3 some cells or queries failed, 130 Ctrl-C.
"""


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
    """Ranks every dataset with every strategy and model of a file, and makes one table.

    If you run it again, it goes on where it was cut; the same configuration twice makes no calls.
    """
    from rerankllm.experiments.experiment import Experiment  # noqa: PLC0415 - loads NumPy

    experiment = Experiment.load(config, output)
    if dry_run:
        for line in str(experiment.forecast(only or ())).splitlines():
            say(line)
        return
    results = experiment.run(only or (), quiet=quiet, origins=origins())
    say(results.markdown(), nl=False)
    tell(f"every ranking and call to browse: rerankllm report {quote(str(experiment.folder))} -o report.html")
    if results.unfinished:
        tell(
            f"{len(results.unfinished)} of {results.ran} cells are not done: {experiment.folder / MANIFEST} says why; "
            "the same command tries again"
        )
        raise typer.Exit(PARTIAL)
