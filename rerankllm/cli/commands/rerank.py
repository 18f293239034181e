"""`rerankllm rerank`: a run in, a better run out."""

import shutil
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, TypeAlias, get_args, get_type_hints

import typer

from rerankllm.cli import options
from rerankllm.cli.commands.datasets import Dataset
from rerankllm.cli.config.command import origins, recall_origins
from rerankllm.cli.config.noted import SEAL, sealed
from rerankllm.cli.console import INTERRUPTED, PARTIAL, check_paths, say
from rerankllm.data import Ranking
from rerankllm.distributed.pool import Size
from rerankllm.drivers.budget import Limits
from rerankllm.drivers.panel import model_named_by
from rerankllm.drivers.recipe import DEFAULT_MODEL, Recipe
from rerankllm.errors import InputError
from rerankllm.files import alone
from rerankllm.notes import tell
from rerankllm.reranker import Reranker
from rerankllm.runs.job import Done, Job, perform
from rerankllm.runs.notices import estimate_line, tell_fit, tell_notes, tell_summary
from rerankllm.runs.on_ray import Input, Kept, perform_on_workers
from rerankllm.runs.preview import before_and_after
from rerankllm.runs.progress import ProgressBar
from rerankllm.runs.source import read_source
from rerankllm.runs.writer import OnError
from rerankllm.spec.stage import Stage
from rerankllm.version import __version__

EXAMPLES = """
rerankllm rerank --sample
rerankllm rerank --run bm25.txt --queries queries.tsv --corpus corpus.jsonl --output reranked.txt
rerankllm rerank --run bm25.txt --queries queries.tsv --corpus corpus.jsonl --output reranked.txt
  --model openai:qwen3 --base-url http://localhost:8000/v1 --strategy 'sliding(window=20, stride=10)'
  --qrels qrels.txt --summary summary.json
# see `calibrate`
rerankllm rerank --run bm25.txt --queries queries.tsv --corpus corpus.jsonl --strategy pointwise
  --calibration fit.json --cutoff auto --output best.txt
# BM25's candidates; or your own with --run
rerankllm rerank --dataset beir/scifact --output reranked.txt
# what it will cost
rerankllm rerank --run bm25.txt --queries queries.tsv --corpus corpus.jsonl --model openai:NAME --dry-run
# stops in time; see `resume`
rerankllm rerank --run bm25.txt --queries queries.tsv --corpus corpus.jsonl --model openai:NAME
  --max-cost 5 --output reranked.txt
rerankllm rerank --requests queries.parquet --output reranked.txt --engine ray --workers 4 --gpus-per-worker 1

Exit status: 0 all ranked, 1 nothing could be done, 3 some queries failed (named on stderr), 130 Ctrl-C.
"""
EARLIER_MODEL = "llamacpp:smollm2"
"""What judged where a journal notes no model: since the default is another one, every journal notes its model."""
ORIGINS = "from"
"""Where a journal notes, among the options, which of them nobody typed, and who set them."""

Sample: TypeAlias = Annotated[bool, typer.Option("--sample", help="Rerank the sample collection that ships.")]
Output: TypeAlias = Annotated[Path | None, typer.Option("--output", "-o", help="The TREC run to write.")]
Qrels: TypeAlias = Annotated[Path | None, typer.Option(help="Judgements: prints nDCG@10 before and after.")]
Depth: TypeAlias = Annotated[
    int, typer.Option(min=1, help="How many candidates of each query the model reads; the others follow behind them.")
]
OnFailure: TypeAlias = Annotated[
    OnError,
    typer.Option(
        help="What happens with a query that fails. partial: it is left out and named. fallback: its first-stage order "
        "is also written to OUTPUT.failed. raise: the run stops."
    ),
]
JournalFile: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        help="Keep every completed call in this file; what it holds is not asked again. For models "
        "behind an API, and on Ray, the default is OUTPUT.journal."
    ),
]
NoJournal: TypeAlias = Annotated[bool, typer.Option("--no-journal", help="Keep no calls.")]
Batch: TypeAlias = Annotated[
    bool, typer.Option("--batch", help="Use the host's batch API: half the price, but it takes hours.")
]
Summary: TypeAlias = Annotated[
    Path | None,
    typer.Option(help="Write costs and measures into this JSON file, too; OUTPUT.summary.json always has them."),
]
JsonLines: TypeAlias = Annotated[
    Path | None, typer.Option(help="Write every result with its own score and provenance, as JSON lines.")
]
CalibrationFile: TypeAlias = Annotated[
    Path | None,
    typer.Option(help="A file that `rerankllm calibrate` wrote: --jsonl then says how likely each result is relevant."),
]
Threshold: TypeAlias = Annotated[
    float | None,
    typer.Option(metavar="P", help="Leave out documents that are relevant with less than this probability."),
]


@dataclass(frozen=True, slots=True)
class Journaling:
    """Which journal keeps the calls.

    Attributes:
        given: What --journal names.
        beside: OUTPUT.journal; None where there is no output.
        wanted: Whether calls are to be kept at all.
        noted: The options that the journal notes, for `resume`.
    """

    given: Path | None
    beside: Path | None
    wanted: bool
    noted: Mapping[str, Any]

    def path(self, *, usual: bool) -> Path | None:
        """The journal: the one that is named, else OUTPUT.journal where keeping one is usual; None to keep none."""
        return (self.given or (self.beside if usual else None)) if self.wanted else None


def command(
    *,
    sample: Sample = False,
    dataset: Dataset = None,
    run: options.Run = None,
    queries: options.Queries = None,
    corpus: options.Corpus = None,
    requests: options.Requests = None,
    text_column: options.TextColumn = None,
    id_column: options.IdColumn = None,
    title_column: options.TitleColumn = None,
    query_column: options.QueryColumn = None,
    query_id_column: options.QueryIdColumn = None,
    output: Output = None,
    qrels: Qrels = None,
    strategy: options.Strategy = None,
    profile: options.JudgeProfile = None,
    model: options.Model = None,
    base_url: options.BaseUrl = None,
    instruction: options.Instruction = None,
    demonstrations: options.Demonstrations = None,
    depth: Depth = 100,
    top_k: options.TopK = None,
    truncate: options.Truncate = None,
    max_passage_tokens: options.PassageTokens = None,
    concurrency: options.Concurrency = None,
    on_error: OnFailure = "partial",
    unusable: options.WhenUnusable = "keep",
    seed: options.Seed = None,
    max_calls: options.MaxCalls = None,
    max_tokens: options.MaxTokens = None,
    max_cost: options.MaxCost = None,
    max_searches: options.MaxSearches = None,
    max_seconds: options.MaxSeconds = None,
    per_query: options.PerQuery = None,
    journal: JournalFile = None,
    no_journal: NoJournal = False,
    batch: Batch = False,
    dry_run: options.DryRun = False,
    summary: Summary = None,
    jsonl: JsonLines = None,
    skip_missing: options.SkipMissing = False,
    calibration: CalibrationFile = None,
    cutoff: options.CutoffRule = None,
    threshold: Threshold = None,
    engine: options.Engine = "here",
    ray_address: options.RayAddress = None,
    workers: options.Workers = None,
    gpus_per_worker: options.GpusPerWorker = None,
    worker_journals: options.WorkerJournals = None,
    quiet: options.Quiet = False,
) -> None:
    """Reranks the queries of a run and writes the new run."""
    noted = _noted(dict(locals()) | {"model": _judge(model, strategy, DEFAULT_MODEL)})
    _check_output(output, on_error, needed=not (sample or dry_run))
    beside = None if output is None else output.with_name(f"{output.name}.journal")
    journaling = Journaling(journal, beside, not no_journal, noted)
    rule = options.cutoff_of(cutoff, threshold)
    read = {"run": run, "queries": queries, "corpus": corpus, "requests": requests, "qrels": qrels}
    given = {**read, "calibration": calibration, "profile": profile, "demonstrations": demonstrations}
    _check_files(given, {"output": output, "jsonl": jsonl, "summary": summary}, journaling)
    for_ray = {"ray-address": ray_address, "workers": workers, "gpus-per-worker": gpus_per_worker,
               "worker-journals": worker_journals}  # fmt: skip
    _check_engine(engine, here={"batch": batch, "dry-run": dry_run}, ray=for_ray)
    recipe = Recipe(
        strategy=strategy, model=model, instruction=instruction, passage_tokens=max_passage_tokens,
        demonstrations=demonstrations, depth=depth, driver="rounds" if batch else None,
        options=options.model_options(model, base_url=base_url, concurrency=concurrency, seed=seed, batch=batch),
        limits=Limits(max_calls, max_tokens, max_cost, max_seconds, max_searches),
        per_query=options.limits_of(per_query),
        calibration=calibration, cutoff=rule, profile=profile, unusable=unusable,
    )  # fmt: skip
    job = Job(output=output, jsonl=jsonl, summary=summary, depth=depth, top_k=top_k, truncate=truncate,
              on_error=on_error, origins=origins())  # fmt: skip
    columns = {"text": text_column, "id": id_column, "title": title_column, "query": query_column,
               "query_id": query_id_column}  # fmt: skip
    reading = {
        **read,
        "columns": columns,
        "sample": sample,
        "skip_missing": skip_missing,
        "dataset": dataset,
        "depth": depth,
    }
    if engine == "ray":
        kept = Kept(journaling.path(usual=True), worker_journals, (str(Path.cwd()), sealed(str(Path.cwd()), noted)))
        size = Size(workers or 1, gpus_per_worker or 0, ray_address)
        _finish(perform_on_workers(recipe, size, Input(reading), job, kept, quiet=quiet), kept.journal)
    else:
        _rerank_here(recipe, reading, job, None if dry_run else journaling, quiet=quiet)


def _rerank_here(
    recipe: Recipe, reading: Mapping[str, Any], job: Job, journaling: Journaling | None, *, quiet: bool
) -> None:
    """Reranks in this process.

    Args:
        recipe: How the reranker is made.
        reading: The arguments of `read_source`.
        job: What is to be written; its source is filled in.
        journaling: Which journal keeps the calls; None to print the estimate only.
        quiet: Show no progress.
    """
    source = read_source(**reading)
    job = replace(job, source=source, judgements=source.judgements(), started=time.monotonic())
    bar = ProgressBar(quiet=quiet)
    with ExitStack() as stack, Reranker.from_recipe(recipe, observer=bar) as reranker:
        source.tell_skipped()
        tell_fit(reranker, (query.query_id for query, _ in source.queries))
        longest = max(len(candidates) for _, candidates in source.queries)
        tell_notes(reranker, job.top_k, min(job.depth, longest), scored=source.scored)
        if journaling is None:
            say(estimate_line(reranker, source.queries, job.top_k))
            return
        if reranker.paid:
            bar.announce(estimate_line(reranker, source.queries, job.top_k))
        journal = journaling.path(usual=reranker.paid)
        if journal is not None:
            busy = f"another run is using the journal {journal}, and would pay for the same calls: wait for it"
            stack.enter_context(alone(journal, busy))
            folder = str(Path.cwd())
            reranker.keep(journal).begin(folder, sealed(folder, journaling.noted), __version__)
        if job.output is None:
            job = replace(job, show=lambda ranking: _show(ranking, job.judgements, bar))
        done = perform(reranker, job, bar)
    _finish(done, journal)


def _show(ranking: Ranking, judgements: Mapping[str, Mapping[str, int]] | None, bar: ProgressBar) -> None:
    """Prints the first passages of a ranking, before and after: what a run gives that writes no file."""
    grades = None if judgements is None else judgements.get(ranking.query.query_id)
    with bar.aside():
        say(before_and_after(ranking, grades, shutil.get_terminal_size().columns))


def _finish(done: Done, journal: Path | None) -> None:
    """Prints the summary on stderr; exits with the status for failed queries, if there are any."""
    tell_summary(done.report)
    if done.failures:
        if journal is not None:
            tell(f"what is done is kept: rerankllm resume {journal}")
        raise typer.Exit(INTERRUPTED if done.interrupted else PARTIAL)


def _check_output(output: Path | None, on_error: OnError, *, needed: bool) -> None:
    """Checks that there is an output where one is written."""
    if output is None and needed:
        raise InputError("--output missing: name the run file to write")
    if output is None and on_error == "fallback":
        raise InputError("--on-error fallback writes OUTPUT.failed: it needs --output")


def _check_files(read: Mapping[str, Path | None], written: Mapping[str, Path | None], journaling: Journaling) -> None:
    """Checks that no file is written over another one, and that a journal is not both named and unwanted."""
    if journaling.given is not None and not journaling.wanted:
        raise InputError(f"--no-journal and --journal {journaling.given} contradict each other: leave one out")
    written = {**written, "journal": journaling.given or journaling.beside}
    check_paths(*({f"--{name}": path for name, path in files.items()} for files in (read, written)))


def _check_engine(engine: str, *, here: Mapping[str, bool], ray: Mapping[str, Any]) -> None:
    """Checks that no option is given that the engine has no use for."""
    if engine == "ray":
        for name, wanted in here.items():
            if wanted:
                raise InputError(f"--{name} is done in this process: leave --engine ray out")
    else:
        for name, value in ray.items():
            if value is not None:
                raise InputError(f"--{name} is for Ray: give --engine ray too, or leave it out")


def repeat(settings: dict[str, Any], journal: Path) -> None:
    """Runs the command again.

    Args:
        settings: The options that the journal noted; files and environment variables set none now.
        journal: The journal.
    """
    recall_origins(settings.pop(ORIGINS, {}))
    settings.pop(SEAL, None)
    if unknown := sorted(settings.keys() - get_type_hints(command).keys()):
        raise InputError(f"{journal} notes options that there are not: {', '.join(unknown)}")
    settings = {"model": None, "strategy": None, **settings}
    settings["model"] = _judge(settings["model"], settings["strategy"], EARLIER_MODEL)
    hints = get_type_hints(command)
    for name, value in settings.items():
        if value is not None and Path in get_args(hints[name]):
            settings[name] = Path(value)
    command(**settings | {"journal": journal})


def _judge(model: str | None, strategy: str | None, default: str) -> str | None:
    """The model that judges where a stage names none; None where the strategy itself names one."""
    named = model is None and strategy is not None and model_named_by(Stage.parse(strategy)) is not None
    return None if named else model or default


def _noted(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The command's options as JSON, and who set those that nobody typed."""
    plain = {name: str(value) if isinstance(value, Path) else value for name, value in settings.items()}
    return plain | ({ORIGINS: dict(origins())} if origins() else {})
