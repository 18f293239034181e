"""`rerankllm rerank`: a run in, a better run out."""

import time
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, get_args, get_type_hints

import typer

from rerankllm.cli import options
from rerankllm.cli.commands.datasets import Dataset
from rerankllm.cli.config.command import origins, recall_origins
from rerankllm.cli.console import INTERRUPTED, PARTIAL, check_paths
from rerankllm.distributed.pool import Size
from rerankllm.drivers.budget import Limits
from rerankllm.drivers.recipe import Recipe
from rerankllm.errors import InputError
from rerankllm.notes import tell
from rerankllm.reranker import Reranker
from rerankllm.runs.job import Done, Job, perform
from rerankllm.runs.notices import estimate_line, tell_fit, tell_notes, tell_summary
from rerankllm.runs.on_ray import Input, Kept, perform_on_workers
from rerankllm.runs.progress import ProgressBar
from rerankllm.runs.source import read_source
from rerankllm.runs.writer import OnError
from rerankllm.version import __version__

EXAMPLES = """
[bold]Examples[/bold]\n
rerankllm rerank --sample\n
rerankllm rerank --run bm25.txt --queries queries.tsv --corpus corpus.jsonl --output reranked.txt\n
rerankllm rerank --run bm25.txt --queries queries.tsv --corpus corpus.jsonl --output reranked.txt
 --model openai:qwen3 --base-url http://localhost:8000/v1 --strategy 'sliding(window=20, stride=10)'
 --qrels qrels.txt --summary summary.json\n
rerankllm rerank … --strategy pointwise --calibration fit.json --cutoff auto --output best.txt  # see `calibrate`\n
rerankllm rerank --dataset beir/scifact --output reranked.txt  # BM25's candidates; or your own with --run\n
rerankllm rerank … --model openai:NAME --dry-run  # what it will cost\n
rerankllm rerank … --model openai:NAME --max-cost 5  # stops in time; see `resume`\n
rerankllm rerank --requests queries.parquet --output reranked.txt --engine ray --workers 4 --gpus-per-worker 1\n
[bold]Exit status[/bold]: 0 all ranked, 1 nothing could be done, 3 some queries failed (named on stderr), 130 Ctrl-C.
"""
ORIGINS = "from"
"""Among the options that a journal notes: where those come from that were not typed."""


def command(
    *,
    sample: Annotated[bool, typer.Option("--sample", help="Rerank the sample collection that ships.")] = False,
    dataset: Dataset = None,
    run: options.Run = None,
    queries: options.Queries = None,
    corpus: options.Corpus = None,
    requests: options.Requests = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="The TREC run to write.")] = None,
    qrels: Annotated[Path | None, typer.Option(help="Judgements: prints nDCG@10 before and after.")] = None,
    strategy: options.Strategy = None,
    profile: options.JudgeProfile = None,
    model: options.Model = None,
    base_url: options.BaseUrl = None,
    instruction: options.Instruction = None,
    demonstrations: options.Demonstrations = None,
    depth: Annotated[int, typer.Option(min=1, help="Candidates read per query; the rest follow unread.")] = 100,
    top_k: options.TopK = None,
    truncate: options.Truncate = None,
    max_passage_tokens: options.PassageTokens = None,
    concurrency: options.Concurrency = None,
    on_error: Annotated[
        OnError,
        typer.Option(
            help="A query that fails: left out and named (partial), also written unchanged to OUTPUT.failed "
            "(fallback), or the end of the run (raise)."
        ),
    ] = "partial",
    seed: options.Seed = None,
    max_calls: options.MaxCalls = None,
    max_tokens: options.MaxTokens = None,
    max_cost: options.MaxCost = None,
    max_seconds: options.MaxSeconds = None,
    per_query: options.PerQuery = None,
    journal: Annotated[
        Path | None,
        typer.Option(
            help="Keep every completed call in this file; what it holds is not asked again. For models "
            "behind an API, and on Ray, the default is OUTPUT.journal."
        ),
    ] = None,
    no_journal: Annotated[bool, typer.Option("--no-journal", help="Keep no calls.")] = False,
    batch: Annotated[
        bool, typer.Option("--batch", help="Through the host's batch API: half the price, hours.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print calls, tokens and money that it will take; send nothing.")
    ] = False,
    summary: Annotated[
        Path | None,
        typer.Option(help="Write what it cost and gave, as JSON, here too; OUTPUT.summary.json always has it."),
    ] = None,
    jsonl: Annotated[
        Path | None, typer.Option(help="Write every result with its own score and provenance, as JSON lines.")
    ] = None,
    skip_missing: options.SkipMissing = False,
    calibration: Annotated[
        Path | None,
        typer.Option(help="What `rerankllm calibrate` wrote: says how likely each result is relevant, in --jsonl."),
    ] = None,
    cutoff: options.CutoffRule = None,
    threshold: Annotated[
        float | None, typer.Option(metavar="P", help="Drop what is relevant with less than this probability.")
    ] = None,
    engine: options.Engine = "here",
    ray_address: options.RayAddress = None,
    workers: options.Workers = None,
    gpus_per_worker: options.GpusPerWorker = None,
    worker_journals: options.WorkerJournals = None,
    quiet: options.Quiet = False,
) -> None:
    """Reranks the queries of a run and writes the new run."""
    settings = dict(locals())
    if output is None and not (sample or dry_run):
        raise InputError("--output missing: name the run file to write")
    _check(output, on_error, journal if no_journal else None)
    rule = options.cutoff_of(cutoff, threshold)
    inputs = {"--run": run, "--queries": queries, "--corpus": corpus, "--requests": requests, "--qrels": qrels}
    fitted = {"--calibration": calibration, "--profile": profile}
    beside = output.with_name(f"{output.name}.journal") if output is not None else None
    written = {"--output": output, "--jsonl": jsonl, "--summary": summary, "--journal": journal or beside}
    check_paths({**inputs, **fitted, "--demonstrations": demonstrations}, written)
    reading: dict[str, Any] = {
        **{k[2:]: v for k, v in inputs.items()},
        "sample": sample,
        "skip_missing": skip_missing,
        "dataset": dataset,
        "depth": depth,
    }
    given = options.model_options(model, base_url=base_url, concurrency=concurrency, seed=seed, batch=batch)
    job = Job(
        output=output,
        jsonl=jsonl,
        summary=summary,
        depth=depth,
        top_k=top_k,
        truncate=truncate,
        on_error=on_error,
        origins=origins(),
    )
    recipe = Recipe(
        strategy=strategy, model=model, instruction=instruction, passage_tokens=max_passage_tokens,
        demonstrations=demonstrations, depth=depth, driver="rounds" if batch else None, options=given,
        limits=Limits(max_calls, max_tokens, max_cost, max_seconds), per_query=options.limits_of(per_query),
        calibration=calibration, cutoff=rule, profile=profile,
    )  # fmt: skip
    for_ray = {"ray-address": ray_address, "workers": workers, "gpus-per-worker": gpus_per_worker,
               "worker-journals": worker_journals}  # fmt: skip
    if engine == "ray":
        if batch or dry_run:
            raise InputError(f"--{'batch' if batch else 'dry-run'} is done in this process: leave --engine ray out")
        kept = None if no_journal else journal or beside
        done = perform_on_workers(
            recipe,
            Size(workers or 1, gpus_per_worker or 0, ray_address),
            Input(reading),
            job,
            Kept(kept, worker_journals, (str(Path.cwd()), _noted(settings))),
            quiet=quiet,
        )  # fmt: skip
        _finish(done, kept)
        return
    for name, value in for_ray.items():
        if value is not None:
            raise InputError(f"--{name} is for Ray: give --engine ray too, or leave it out")
    source = read_source(**reading)
    job = replace(job, source=source, judgements=source.judgements(), started=time.monotonic())
    bar = ProgressBar(quiet=quiet)
    with Reranker.from_recipe(recipe, observer=bar) as reranker:
        source.tell_skipped()
        tell_fit(reranker, (query.query_id for query, _ in source.queries))
        tell_notes(reranker, top_k, min(depth, max(len(candidates) for _, candidates in source.queries)))
        if dry_run:
            typer.echo(estimate_line(reranker, source.queries, top_k))
            return
        if reranker.paid:
            bar.announce(estimate_line(reranker, source.queries, top_k))
        if journal is None and reranker.paid:
            journal = beside
        if journal is not None and not no_journal:
            reranker.keep(journal).begin(str(Path.cwd()), _noted(settings), __version__)
        done = perform(reranker, job, bar)
    _finish(done, None if reranker.journal is None else reranker.journal.path)


def _finish(done: Done, journal: Path | None) -> None:
    """Tells what came of it."""
    tell_summary(done.report)
    if done.failures:
        if journal is not None:
            tell(f"what is done is kept: rerankllm resume {journal}")
        raise typer.Exit(INTERRUPTED if done.interrupted else PARTIAL)


def _check(output: Path | None, on_error: OnError, unwanted: Path | None) -> None:
    if output is None and on_error == "fallback":
        raise InputError("--on-error fallback writes OUTPUT.failed: it needs --output")
    if unwanted is not None:
        raise InputError(f"--no-journal and --journal {unwanted} contradict each other: leave one out")


def repeat(settings: dict[str, Any], journal: Path) -> None:
    """Runs the command again with the options that `begin` noted, and this journal; nothing else that is set counts."""
    recall_origins(settings.pop(ORIGINS, {}))
    hints = get_type_hints(command)
    for name, value in settings.items():
        if value is not None and Path in get_args(hints[name]):
            settings[name] = Path(value)
    command(**settings | {"journal": journal})


def _noted(settings: dict[str, Any]) -> dict[str, Any]:
    """The options of the command as JSON has them, and where those come from that were not typed."""
    plain = {name: str(value) if isinstance(value, Path) else value for name, value in settings.items()}
    return plain | ({ORIGINS: dict(origins())} if origins() else {})
