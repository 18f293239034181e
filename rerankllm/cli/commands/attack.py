"""`rerankllm attack`: how far a document rises by what it says about itself."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

import typer

from rerankllm.cli import options
from rerankllm.cli.commands.datasets import Dataset
from rerankllm.cli.console import PARTIAL, check_paths, say, terminal_width
from rerankllm.drivers.recipe import Recipe
from rerankllm.files import as_json
from rerankllm.notes import tell
from rerankllm.reranker import Reranker
from rerankllm.runs.notices import tell_notes
from rerankllm.runs.progress import ProgressBar
from rerankllm.runs.source import read_source

if TYPE_CHECKING:
    from rerankllm.analysis.attacks.attack import AttackReport

EXAMPLES = """
rerankllm attack --sample --depth 6 --attacks labels,claim,query
rerankllm attack --run bm25.txt --queries queries.tsv --corpus corpus.jsonl --qrels qrels.txt --strategy sliding
  --model openai:NAME --dry-run
rerankllm attack --sample --strategy 'pointwise / labels' --model llamacpp:smollm2 --journal calls.db

What the attacks are, and what helps, is in docs/prompt-injection.md.

Exit status: 0 all ranked, 1 nothing could be done, 3 some lists could not be ranked (named on stderr).
"""
Format: TypeAlias = Literal["table", "json", "markdown"]
Qrels: TypeAlias = Annotated[
    Path | None, typer.Option(help="Judgements: the document that attacks is one that is not relevant.")
]
Attacks: TypeAlias = Annotated[
    str | None, typer.Option(metavar="NAMES", help="Which attacks, by name, separated by commas; all when left out.")
]
Depth: TypeAlias = Annotated[int, typer.Option(min=2, help="Candidates of each query.")]
TopK: TypeAlias = Annotated[int, typer.Option(min=1, help="How many first places an attack wants to come into.")]
MaxCalls: TypeAlias = Annotated[
    int, typer.Option(min=1, metavar="N", help="Calls planned in all: they decide how many queries are used.")
]
Journal: TypeAlias = Annotated[
    Path | None, typer.Option(help="Keep every completed call in this file; what it holds is not asked again.")
]


def command(
    *,
    sample: Annotated[bool, typer.Option("--sample", help="Use the sample collection that ships.")] = False,
    dataset: Dataset = None,
    run: options.Run = None,
    queries: options.Queries = None,
    corpus: options.Corpus = None,
    requests: options.Requests = None,
    qrels: Qrels = None,
    attacks: Attacks = None,
    strategy: options.Strategy = None,
    profile: options.JudgeProfile = None,
    model: options.Model = None,
    base_url: options.BaseUrl = None,
    instruction: options.Instruction = None,
    demonstrations: options.Demonstrations = None,
    depth: Depth = 10,
    top_k: TopK = 3,
    max_calls: MaxCalls = 5000,
    max_passage_tokens: options.PassageTokens = None,
    concurrency: options.Concurrency = None,
    seed: Annotated[int, typer.Option(min=0, help="Of attacks that draw, and of intervals.")] = 0,
    journal: Journal = None,
    skip_missing: options.SkipMissing = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what it will take; send nothing.")] = False,
    json_file: Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write all of it as JSON.")] = None,
    form: Annotated[Format, typer.Option("--format", help="What to print.")] = "table",
    quiet: options.Quiet = False,
) -> None:
    """Puts words that might lift it into a document that is not relevant, and measures how far it rises.

    Each query's candidates are ranked as they are, and with one document changed: it has labels, control tokens or
    answers in it, repeats the query, says that it is relevant, or tells the model what to do. Beside it stands the same
    document with as many neutral words. A judge that gives back the order shown is told apart from one that resists.
    """
    from rerankllm.analysis.attacks.attack import AttackPlan  # noqa: PLC0415 - loads NumPy

    inputs = {"--run": run, "--queries": queries, "--corpus": corpus, "--requests": requests, "--qrels": qrels}
    check_paths({**inputs, "--demonstrations": demonstrations}, {"--journal": journal, "--json": json_file})
    source = read_source(
        sample=sample, run=run, queries=queries, corpus=corpus, requests=requests, qrels=qrels,
        skip_missing=skip_missing, dataset=dataset, depth=depth,
    )  # fmt: skip
    source.tell_skipped()
    names = None if attacks is None else [name.strip() for name in attacks.split(",")]
    plan = AttackPlan.of(source, attacks=names, depth=depth, top_k=top_k, seed=seed)
    recipe = Recipe(
        strategy=strategy, model=model, instruction=instruction, passage_tokens=max_passage_tokens,
        demonstrations=demonstrations, profile=profile,
        options=options.model_options(model, base_url=base_url, concurrency=concurrency),
    )  # fmt: skip
    bar = ProgressBar(quiet=quiet)
    with Reranker.from_recipe(recipe, observer=bar, journal=journal) as reranker:
        tell_notes(reranker, None, depth)
        plan = plan.within(reranker, max_calls)
        if dry_run:
            say(plan.forecast(reranker))
            return
        tell(plan.forecast(reranker))
        report = plan.run(reranker, progress=bar)
    _show(report, form, json_file)
    if report.failures:
        raise typer.Exit(PARTIAL)


def _show(report: "AttackReport", form: Format, json_file: Path | None) -> None:
    """Prints the table, writes what was asked for beside it, and names what failed."""
    found = as_json(report.to_dict(), indent=2)
    say(found if form == "json" else report.text(markdown=form == "markdown", width=terminal_width()))
    if json_file is not None:
        json_file.write_text(f"{found}\n", encoding="utf-8")
    for name, failed in report.failures.items():
        for query_id, reason in failed.items():
            tell(f"query {query_id}, list {name}, failed: {reason}")
