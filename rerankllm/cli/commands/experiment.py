"""`rerankllm experiment`: a matrix of datasets, first stages, strategies, models and seeds, run and tabulated."""

from dataclasses import replace
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Annotated

import typer

from rerankllm.cli import options
from rerankllm.cli.config.command import origins
from rerankllm.cli.config.noted import agree, not_agreed
from rerankllm.cli.console import PARTIAL, confirm, say
from rerankllm.experiments.folder import MANIFEST
from rerankllm.notes import tell

if TYPE_CHECKING:
    from rerankllm.experiments.config import Config

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
    yes: Annotated[
        bool, typer.Option("--yes", help="Use the hosts, keys and folders that the configuration names.")
    ] = False,
    quiet: options.Quiet = False,
) -> None:
    """Ranks every dataset with every strategy and model of a file, and makes one table.

    If you run it again, it goes on where it was cut; the same configuration twice makes no calls. Before it sends
    anything to a host that the configuration names by its address, it asks once, unless the host is this machine.
    """
    from rerankllm.experiments.experiment import Experiment  # noqa: PLC0415 - loads NumPy

    experiment = Experiment.load(config, output)
    if experiment.config is not None:
        _ask(experiment.config if output is None else replace(experiment.config, output=None), yes=yes)
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


def _ask(config: "Config", *, yes: bool) -> None:
    """Asks about what a configuration names beyond its folder, where this user has not agreed to it before.

    Raises:
        InputError: It is not to be used, or nobody is there to ask.
    """
    from rerankllm.experiments.outside import named_outside  # noqa: PLC0415

    new = not_agreed(named_outside(config))
    if new and not yes:
        lines = [f"{config.file} names what you have not agreed to on this machine. It", *(f"  {line}" for line in new)]
        confirm(lines, f"give --yes once if you trust every host, key and folder that {config.file} names")
    agree(new)
