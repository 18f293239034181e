"""`rerankllm diagnose`: how far a judge can be trusted, on one's own queries."""

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from rerankllm.analysis.diagnose import plots
from rerankllm.analysis.diagnose.diagnose import Diagnosis, DiagnosisPlan
from rerankllm.cli import completion as completing
from rerankllm.cli import options
from rerankllm.cli.commands.datasets import Dataset
from rerankllm.cli.console import PARTIAL, check_paths, say, terminal_width
from rerankllm.files import as_json
from rerankllm.notes import tell
from rerankllm.runs.progress import ProgressBar
from rerankllm.runs.source import read_source

EXAMPLES = """
rerankllm diagnose --sample --max-calls 300 --journal calls.db
rerankllm diagnose --run bm25.txt --queries queries.tsv --corpus corpus.jsonl --model openai:NAME --dry-run
rerankllm diagnose --sample --elicitation 'labels(prompt=prp-demos)' --json judge.json --plot plots/
# what a model answered is kept by `rerankllm journal --export`; nothing is asked
rerankllm diagnose --run bm25.txt --queries queries.tsv --corpus corpus.jsonl --model recorded:recording.jsonl

Exit status: 0 diagnosed, 1 nothing could be done, 3 some queries failed (named on stderr).
"""


Elicitation: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="SPEC",
        autocompletion=completing.elicitations,
        help="Such as text, or labels(prompt=prp-demos); the model's own when left out.",
    ),
]
Depth: TypeAlias = Annotated[
    int | None,
    typer.Option(
        min=2,
        show_default="8; of a recording all",
        help="Documents of each query; every pair of them is asked about in both orders.",
    ),
]
Shuffles: TypeAlias = Annotated[
    int, typer.Option(min=1, help="In how many orders all documents of a query are listed.")
]
MaxCalls: TypeAlias = Annotated[
    int, typer.Option(min=1, metavar="N", help="Calls in all: they decide how many queries are used.")
]
Journal: TypeAlias = Annotated[
    Path | None, typer.Option(help="Keep every completed call in this file; what it holds is not asked again.")
]


def command(
    *,
    sample: Annotated[bool, typer.Option("--sample", help="Use the sample collection that ships.")] = False,
    run: options.Run = None,
    queries: options.Queries = None,
    corpus: options.Corpus = None,
    dataset: Dataset = None,
    requests: options.Requests = None,
    model: options.Model = None,
    base_url: options.BaseUrl = None,
    elicitation: Elicitation = None,
    instruction: options.Instruction = None,
    demonstrations: options.Demonstrations = None,
    depth: Depth = None,
    shuffles: Shuffles = 4,
    max_calls: MaxCalls = 500,
    max_passage_tokens: options.PassageTokens = None,
    concurrency: options.Concurrency = None,
    seed: Annotated[int, typer.Option(help="Of the shuffles.")] = 0,
    journal: Journal = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what it will take; send nothing.")] = False,
    json_file: Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write all of it as JSON.")] = None,
    plot: Annotated[Path | None, typer.Option(metavar="FOLDER", help="Draw it (needs the extra `plots`).")] = None,
    skip_missing: options.SkipMissing = False,
    quiet: options.Quiet = False,
) -> None:
    """Measures how often a model contradicts itself, on the first queries of a run, and says what to do about it.

    It compares pairs of documents in both orders, and lists the same documents in several orders. It reports how often
    the winner of a pair changes with the order, whether the model prefers a place in the prompt, and how far its lists
    agree. Kinds of question that the model cannot answer are left out, with a note. Of a recording (recorded:FILE) all
    is measured that it holds, and nothing is asked.
    """
    inputs = {"--run": run, "--queries": queries, "--corpus": corpus, "--requests": requests}
    check_paths({**inputs, "--demonstrations": demonstrations}, {"--journal": journal, "--json": json_file})
    if plot is not None:
        plots.check(plot)
    source = read_source(
        sample=sample, run=run, queries=queries, corpus=corpus, requests=requests, qrels=None,
        skip_missing=skip_missing, dataset=dataset, depth=depth or 100,
    )  # fmt: skip
    plan = DiagnosisPlan(
        model, elicitation, max_calls, depth, shuffles, seed, instruction, max_passage_tokens, demonstrations,
        options.model_options(model, base_url=base_url, concurrency=concurrency),
    )  # fmt: skip
    if dry_run:
        say(str(plan.forecast(source)))
        return
    found = plan.ask(source, journal=journal, progress=ProgressBar(quiet=quiet))
    _write(found, json_file, plot)
    if found.failures:
        raise typer.Exit(PARTIAL)


def _write(found: Diagnosis, json_file: Path | None, plot: Path | None) -> None:
    """Prints the table, and writes what was asked for beside it."""
    say(found.text(terminal_width()))
    if json_file is not None:
        json_file.write_text(f"{as_json(found.to_dict(), indent=2)}\n", encoding="utf-8")
    if plot is not None:
        plots.draw(found.findings, plot, found.model)
    for query_id, reason in found.failures.items():
        tell(f"query {query_id} failed: {reason}")
