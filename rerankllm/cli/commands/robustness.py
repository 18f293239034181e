"""`rerankllm robustness`: what the order of the candidates does to a system's rankings and to their quality."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

import typer

from rerankllm.cli import options
from rerankllm.cli.commands.datasets import Dataset
from rerankllm.cli.config.command import origins
from rerankllm.cli.console import PARTIAL, say, terminal_width
from rerankllm.drivers.budget import Limits
from rerankllm.drivers.recipe import Recipe
from rerankllm.errors import InputError
from rerankllm.files import as_json
from rerankllm.reranker import Reranker
from rerankllm.runs.notices import tell_notes
from rerankllm.runs.progress import ProgressBar
from rerankllm.runs.source import Source, read_source
from rerankllm.sample import path as sample_path

if TYPE_CHECKING:
    from rerankllm.analysis.robustness.report import RobustnessReport
    from rerankllm.analysis.robustness.results import RobustnessSettings
    from rerankllm.analysis.robustness.robustness import RobustnessPlan

EXAMPLES = """
rerankllm robustness --sample --depth 8 --output orders
rerankllm robustness --run bm25.txt --queries queries.tsv --corpus corpus.jsonl --qrels qrels.txt --strategy sliding
  --model openai:NAME --output orders --dry-run
rerankllm robustness --run bm25.txt --queries queries.tsv --corpus corpus.jsonl --orders given,shuffled --shuffles 5
  --first-stage splade=splade.txt --output orders
# runs that are there
rerankllm robustness --qrels qrels.txt --ranked given=a.txt --ranked reversed=b.txt
# a folder of `rerankllm experiment` whose first stages are orders of one
rerankllm robustness EXPERIMENT

What it prints is explained in docs/evaluation.md. A run that was cut goes on with the same command.

Exit status: 0 all ranked, 1 nothing could be done, 3 some queries failed (named on stderr), 130 Ctrl-C.
"""
Format: TypeAlias = Literal["table", "json", "markdown"]


Qrels: TypeAlias = Annotated[
    Path | None, typer.Option(help="Judgements; without any, how rankings agree is measured, and no quality.")
]
Orders: TypeAlias = Annotated[
    str, typer.Option(metavar="ORDERS", help="Of the first --depth candidates: given, reversed, shuffled.")
]
Shuffles: TypeAlias = Annotated[int, typer.Option(min=1, metavar="N", help="How many shuffles.")]
Seed: TypeAlias = Annotated[
    int,
    typer.Option(
        min=0, help="Seed of the first shuffle; the next shuffles take the next numbers.", rich_help_panel="Statistics"
    ),
]
FirstStages: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME=FILE", help="Another first stage's run of the same queries; repeatable."),
]
Depth: TypeAlias = Annotated[int, typer.Option(min=1, help="How many candidates of each query are reordered.")]
DryRun: TypeAlias = Annotated[
    bool, typer.Option("--dry-run", help="Print calls, tokens and money that all orders will take; send nothing.")
]
Ranked: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME=RUN[,CANDIDATES]",
        help="Instead of ranking: the run that a system made of an order, and the run that went in, which tells "
        "how much of it was kept. NAME-1, NAME-2, … are averaged. Repeatable, the given order first.",
    ),
]
Other: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME", help="The --ranked of this name is of another first stage; repeatable."),
]
Notable: TypeAlias = Annotated[
    float, typer.Option(min=0, metavar="X", help="Count the queries whose nDCG@10 ranges over more than this.")
]
Output: TypeAlias = Annotated[
    Path | None, typer.Option("--output", "-o", metavar="FOLDER", help="Write runs, journal and result there.")
]


def command(
    *,
    experiment: Annotated[
        Path | None, typer.Argument(help="The folder of an experiment: every system of it that ran on several orders.")
    ] = None,
    sample: Annotated[bool, typer.Option("--sample", help="Use the sample collection that ships.")] = False,
    dataset: Dataset = None,
    run: options.Run = None,
    queries: options.Queries = None,
    corpus: options.Corpus = None,
    qrels: Qrels = None,
    orders: Orders = "given,reversed,shuffled",
    shuffles: Shuffles = 3,
    seed: Seed = 0,
    first_stage: FirstStages = None,
    strategy: options.Strategy = None,
    profile: options.JudgeProfile = None,
    model: options.Model = None,
    base_url: options.BaseUrl = None,
    instruction: options.Instruction = None,
    demonstrations: options.Demonstrations = None,
    depth: Depth = 100,
    top_k: options.TopK = None,
    max_passage_tokens: options.PassageTokens = None,
    concurrency: options.Concurrency = None,
    max_calls: options.MaxCalls = None,
    max_tokens: options.MaxTokens = None,
    max_cost: options.MaxCost = None,
    max_searches: options.MaxSearches = None,
    max_seconds: options.MaxSeconds = None,
    skip_missing: options.SkipMissing = False,
    dry_run: DryRun = False,
    ranked: Ranked = None,
    other: Other = None,
    notable: Notable = 0.1,
    output: Output = None,
    form: Annotated[Format, typer.Option("--format", help="What to print.")] = "table",
    quiet: options.Quiet = False,
) -> None:
    """Reranks the same candidates in several orders, and measures whether the result depends on the order.

    All orders share one model and one journal: a question that was asked before in the same words is not asked again.
    """
    from rerankllm.analysis.robustness.report import RobustnessReport  # noqa: PLC0415 - loads NumPy
    from rerankllm.analysis.robustness.results import RobustnessSettings  # noqa: PLC0415
    from rerankllm.analysis.robustness.robustness import RobustnessPlan  # noqa: PLC0415
    from rerankllm.analysis.robustness.systems import of_experiment, of_runs  # noqa: PLC0415

    asking = {"--sample": sample, "--dataset": dataset, "--run": run, "--queries": queries, "--corpus": corpus,
              "--first-stage": first_stage, "--strategy": strategy, "--model": model, "--dry-run": dry_run}  # fmt: skip
    reading = {"EXPERIMENT": experiment, "--ranked": ranked}
    _check(asking, reading, qrels if experiment is not None else None, other if ranked is None else None)
    settings = RobustnessSettings(notable=notable)
    if experiment is not None or ranked is not None:
        there = of_experiment(experiment) if experiment else [of_runs(ranked or [], other or [], qrels)]
        report = RobustnessReport.of(there, settings)
        if output is not None:
            report.save(output)
        _show(report, form)
        return
    if output is None and not dry_run:
        raise InputError("--output missing: name the folder for runs, journal and result")
    source, others = _sources(
        first_stage or [], sample=sample, dataset=dataset, run=run, queries=queries, corpus=corpus, qrels=qrels,
        skip_missing=skip_missing, depth=depth,
    )  # fmt: skip
    plan = RobustnessPlan.of(
        source, orders=[name.strip() for name in orders.split(",")], shuffles=shuffles, seed=seed,
        first_stages=others, depth=depth, top_k=top_k, origins=origins(),
    )  # fmt: skip
    recipe = Recipe(
        strategy=strategy, model=model, instruction=instruction, passage_tokens=max_passage_tokens,
        demonstrations=demonstrations, depth=depth, profile=profile,
        limits=Limits(max_calls, max_tokens, max_cost, max_seconds, max_searches),
        options=options.model_options(model, base_url=base_url, concurrency=concurrency),
    )  # fmt: skip
    _ask(plan, recipe, None if dry_run else output, settings, form, quiet=quiet)


def _ask(
    plan: "RobustnessPlan",
    recipe: Recipe,
    output: Path | None,
    settings: "RobustnessSettings",
    form: Format,
    *,
    quiet: bool,
) -> None:
    """Ranks every order, measures and prints; without an output, says what that will take."""
    bar = ProgressBar(quiet=quiet)
    with Reranker.from_recipe(recipe, observer=bar) as reranker:
        tell_notes(reranker, plan.top_k, plan.longest)
        if output is None:
            say(plan.forecast(reranker))
            return
        if reranker.paid:
            bar.announce(plan.forecast(reranker))
        report = plan.run(reranker, output, settings=settings, progress=bar)
    _show(report, form)
    if report.failed:
        raise typer.Exit(PARTIAL)


def _show(report: "RobustnessReport", form: Format) -> None:
    if form == "json":
        say(as_json(report.to_dict(), indent=2))
        return
    width = terminal_width()
    say(report.text(markdown=form == "markdown", width=width))


def _sources(first_stages: Sequence[str], *, sample: bool, **given: Any) -> tuple[Source, dict[str, Source]]:
    """The given candidates, and those of every other first stage by its name."""
    source = read_source(sample=sample, requests=None, **given)
    others: dict[str, Source] = {}
    if sample:
        given |= {"queries": sample_path("queries.tsv"), "corpus": sample_path("corpus.jsonl")}
    for option in first_stages:
        name, equals, file = option.partition("=")
        if not (name and equals and file) or name in others:
            raise InputError(f"--first-stage {option} should read NAME=FILE, each name once")
        others[name] = read_source(sample=False, requests=None, **given | {"run": Path(file), "qrels": None})
    for each in (source, *others.values()):
        each.tell_skipped()
    return source, others


def _check(asking: Mapping[str, Any], reading: Mapping[str, Any], qrels: Path | None, other: Any) -> None:
    """Refuses options that would have no effect."""
    chosen = [name for name, value in reading.items() if value]
    idle = [name for name, value in asking.items() if value and name[2:].replace("-", "_") not in origins()]
    if len(chosen) > 1 or (chosen and idle):
        raise InputError(f"{chosen[0]} reads runs that are there: leave {' and '.join([*chosen[1:], *idle])} out")
    if qrels is not None:
        raise InputError("an experiment has its own judgements: leave --qrels out")
    if other:
        raise InputError("--other names a --ranked: give that, or --first-stage NAME=FILE to rank another first stage")
