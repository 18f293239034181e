"""The commands, put together."""

from typing import Annotated

import typer

from rerankllm import __version__
from rerankllm.cli import (
    calibrate,
    compare,
    datasets,
    diagnose,
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
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Rerank with language models: any strategy, any elicitation, any backend."""


app.command("rerank", epilog=rerank.EXAMPLES)(rerank.command)
app.command("resume", epilog=resume.EXAMPLES)(resume.command)
app.command("journal", epilog=journal.EXAMPLES)(journal.command)
app.command("explain", epilog=explain.EXAMPLES)(explain.command)
app.command("rank", epilog=rank.EXAMPLES)(rank.command)
app.command("fuse", epilog=fuse.EXAMPLES)(fuse.command)
app.command("eval", epilog=evaluate.EXAMPLES)(evaluate.command)
app.command("calibrate", epilog=calibrate.EXAMPLES)(calibrate.command)
app.command("compare", epilog=compare.EXAMPLES)(compare.command)
app.command("robustness", epilog=robustness.EXAMPLES)(robustness.command)
app.command("report", epilog=report.EXAMPLES)(report.command)
app.command("judge-profile", epilog=judge_profile.EXAMPLES)(judge_profile.command)
app.command("experiment", epilog=experiment.EXAMPLES)(experiment.command)
app.command("serve", epilog=serve.EXAMPLES)(serve.command)
app.command("mcp", epilog=mcp.EXAMPLES)(mcp.command)
app.command("retrieve", epilog=retrieve.EXAMPLES)(retrieve.command)
app.command("datasets")(datasets.command)
app.command("plan", epilog=plan.EXAMPLES)(plan.command)
app.command("recommend", epilog=recommend.EXAMPLES)(recommend.command)
app.command("diagnose", epilog=diagnose.EXAMPLES)(diagnose.command)
app.command("parity", epilog=parity.EXAMPLES)(parity.command)
app.command("strategies")(listing.strategies)
app.command("elicitations")(listing.elicitations)
app.command("models")(listing.models)
app.command("aggregations")(listing.aggregations)
app.add_typer(listing.prompts, name="prompts")
