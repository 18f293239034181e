"""The commands, put together."""

from typing import Annotated

import typer

from rerankllm.cli.commands import (
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
)
from rerankllm.cli.config.command import Configured, Known
from rerankllm.version import __version__

app = typer.Typer(
    name="rerankllm",
    help="Rerank with language models: any strategy, any elicitation, any backend.",
    no_args_is_help=True,
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
    """Rerank with language models: any strategy, any elicitation, any backend."""
    if context.invoked_subcommand != "resume":  # which repeats a run as it was
        context.obj = known = Known.of(context, config_file)
        context.default_map = known.defaults()


for _panel, _commands in {
    "Rank": {"rerank": rerank, "rank": rank, "resume": resume, "retrieve": retrieve, "fuse": fuse},
    "Offer it to others": {"serve": serve, "mcp": mcp},
    "Before it runs": {"plan": plan, "recommend": recommend},
    "What came of it": {"journal": journal, "explain": explain, "report": report},
    "Measure": {"eval": evaluate, "compare": compare, "experiment": experiment, "robustness": robustness},
    "Know the judge": {
        "diagnose": diagnose, "judge-profile": judge_profile, "calibrate": calibrate, "parity": parity
    },
}.items():  # fmt: skip
    for _name, _module in _commands.items():
        app.command(_name, cls=Configured, epilog=_module.EXAMPLES, rich_help_panel=_panel)(_module.command)

_THERE = "What there is"
for _name, _module in {"doctor": doctor, "datasets": datasets, "config": config}.items():
    app.command(_name, cls=Configured, epilog=_module.EXAMPLES, rich_help_panel=_THERE)(_module.command)
for _listing in (listing.strategies, listing.elicitations, listing.aggregations):
    _epilog = listing.EXAMPLES[_listing.__name__]
    app.command(_listing.__name__, epilog=_epilog, rich_help_panel=_THERE)(_listing)
app.add_typer(listing.models, name="models", rich_help_panel=_THERE)
app.add_typer(listing.prompts, name="prompts", rich_help_panel=_THERE)
