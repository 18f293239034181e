"""The commands, put together."""

from typing import Annotated, Any

import typer

from rerankllm.cli.commands import (
    attack,
    calibrate,
    compare,
    config,
    datasets,
    diagnose,
    doctor,
    evaluate,
    experiment,
    explain,
    fuse,
    init,
    journal,
    judge_profile,
    listing,
    mcp,
    parity,
    plan,
    rank,
    recommend,
    report,
    rerank,
    resume,
    retrieve,
    robustness,
    serve,
    train,
)
from rerankllm.cli.config.command import Configured, Known
from rerankllm.cli.help import Command, Group
from rerankllm.version import __version__

FIRST = """
rerankllm puts search results into a better order by asking a language model.

Try it on the sample that ships:
  rerankllm rerank --sample

Rank passages of your own for one query (CSV, TSV, JSON lines, Parquet, or one a line):
  rerankllm rank "how long do fleas live" passages.csv

Start a folder with sample data, a configuration and a command that runs:
  rerankllm init trial

See what is installed and what to install next, or all commands:
  rerankllm doctor
  rerankllm --help
"""

app = typer.Typer(
    name="rerankllm",
    cls=Group,
    help="Rerank with language models: any strategy, any way of asking, any model.",
    invoke_without_command=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:  # noqa: FBT001
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _main(
    context: typer.Context,
    *,
    config_file: Annotated[
        str | None,
        typer.Option(
            "--config",
            envvar="RERANKLLM_CONFIG",
            metavar="FILE|none",
            help="Take options from this file instead of rerankllm.toml, or from none; see `rerankllm config`.",
        ),
    ] = None,
    version: Annotated[  # noqa: ARG001 - its callback takes it
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Rerank with language models: any strategy, any way of asking, any model."""
    if context.invoked_subcommand is None:
        typer.echo(FIRST.strip())
        return
    if context.invoked_subcommand != "resume":  # which repeats a run as it was
        context.obj = known = Known.of(context, config_file)
        context.default_map = known.defaults()


_PANELS: dict[str, dict[str, Any]] = {
    "Start here": {"rank": rank, "rerank": rerank, "compare": compare, "serve": serve, "doctor": doctor},
    "Set up": {"init": init, "config": config, "datasets": datasets, "mcp": mcp},
    "More about ranking": {
        "recommend": recommend, "plan": plan, "resume": resume, "retrieve": retrieve, "fuse": fuse
    },
    "Measure and explain": {
        "eval": evaluate, "experiment": experiment, "report": report, "robustness": robustness, "attack": attack,
        "explain": explain, "journal": journal,
    },
    "Make a small model of a large one": {"train": train},
    "Know the model that judges": {
        "diagnose": diagnose, "judge-profile": judge_profile, "calibrate": calibrate, "parity": parity
    },
}  # fmt: skip
"""Commands by panel, those that matter first in the first."""

for _panel, _commands in _PANELS.items():
    for _name, _module in _commands.items():
        app.command(_name, cls=Configured, epilog=_module.EXAMPLES, rich_help_panel=_panel)(_module.command)

_THERE = "Lists of what there is"
for _listing in (listing.strategies, listing.elicitations, listing.aggregations):
    _epilog = listing.EXAMPLES[_listing.__name__]
    app.command(_listing.__name__, cls=Command, epilog=_epilog, rich_help_panel=_THERE)(_listing)
app.add_typer(listing.models, name="models", rich_help_panel=_THERE)
app.add_typer(listing.prompts, name="prompts", rich_help_panel=_THERE)
