"""Ranks the queries of one run and writes its files: `rerank` does it once, `experiment` for every cell."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rerankllm.data import Ranking
from rerankllm.drivers.events import Failed, QueryOutcome
from rerankllm.drivers.ranker import Ranker
from rerankllm.errors import QueryFailed
from rerankllm.files import as_json
from rerankllm.formats.join import ids_of
from rerankllm.reranker import Reranker
from rerankllm.runs import provenance
from rerankllm.runs.interrupt import stop_in_order
from rerankllm.runs.progress import ProgressBar
from rerankllm.runs.source import Source
from rerankllm.runs.summary import before_and_after, real_precision, signed, summarize, summary_beside
from rerankllm.runs.writer import OnError, Writer
from rerankllm.version import __version__


@dataclass(frozen=True, slots=True)
class Job:
    """What is to be ranked, and what is to be written.

    Attributes:
        source: The queries.
        judgements: Grades to measure the run with, if there are any.
        output: The run to write; its summary and its provenance record are written beside it.
        jsonl: Where every result is written with its own score.
        summary: Where the summary is written, too.
        depth: Candidates read per query.
        top_k: How many first places matter.
        truncate: How many documents of each query are written.
        on_error: What becomes of queries that failed.
        origins: Which files or environment variables set the options that nobody typed, by option; they are noted in
            the provenance record.
        started: When it began, on the monotonic clock.
        show: Called with the first ranking as soon as it is there, for whoever waits to see one.
    """

    source: Source = field(default_factory=lambda: Source([], None))
    judgements: Mapping[str, Mapping[str, int]] | None = None
    output: Path | None = None
    jsonl: Path | None = None
    summary: Path | None = None
    depth: int = 100
    top_k: int | None = None
    truncate: int | None = None
    on_error: OnError = "partial"
    origins: Mapping[str, str] = field(default_factory=dict)
    started: float = field(default_factory=time.monotonic)
    show: Callable[[Ranking], None] | None = None


@dataclass(frozen=True, slots=True)
class Done:
    """The outcome of a job.

    Attributes:
        report: The summary, as it was written.
        failures: The reason for each query that failed.
        interrupted: Whether Ctrl-C ended the run.
    """

    report: Mapping[str, Any]
    failures: Mapping[str, str]
    interrupted: bool


def perform(reranker: Reranker, job: Job, bar: ProgressBar) -> Done:
    """Ranks all queries and writes what was asked for.

    Raises:
        QueryFailed: A query failed, and the run is to stop then.
        RerankError: The model cannot be used, or something not be written.
    """
    queries, collection = job.source.queries, job.source.collection
    parts = None if collection is None else collection.parts
    calls = sum(reranker.plan(len(candidates), top_k=job.top_k).calls.high for _, candidates in queries)
    with bar.showing(len(queries), calls):
        outcomes = reranker.stream(queries, top_k=job.top_k)
        ids = (ids_of(candidates) for _, candidates in queries)
        return write_all(reranker, zip(outcomes, ids, strict=True), job, parts)


def write_all(
    ranker: Ranker,
    outcomes: Iterable[tuple[QueryOutcome, Sequence[str]]],
    job: Job,
    parts: Mapping[str, str] | None = None,
) -> Done:
    """Writes each outcome as it comes, then the summary and the provenance record.

    Args:
        ranker: What ranks the queries.
        outcomes: The outcome of each query, with the ids of its documents in the first stage's order.
        job: What is to be written; the queries of its source are not read.
        parts: Which part of the collection each query belongs to, where it has parts.

    Raises:
        QueryFailed: A query failed, and the run is to stop then.
        RerankError: The model cannot be used, or something not be written.
    """
    with Writer(job.output, job.jsonl, job.on_error, job.truncate, job.judgements) as writer:
        interrupted = _write_each(ranker, outcomes, writer, job.show)
    report = summarize(ranker, writer, job.source, time.monotonic() - job.started)
    _record(ranker, job)
    if job.judgements is not None:
        report |= before_and_after(parts, writer)
        report |= real_precision(job.judgements, writer, ranker)
    _keep(report, job.output, job.summary)
    return Done(report, writer.failures, interrupted)


def _write_each(
    ranker: Ranker,
    outcomes: Iterable[tuple[QueryOutcome, Sequence[str]]],
    writer: Writer,
    show: Callable[[Ranking], None] | None,
) -> bool:
    """Writes query after query, and shows the first ranking; returns whether Ctrl-C ended the run."""
    with stop_in_order(ranker) as interrupted:
        failed: QueryFailed | None = None
        for outcome, doc_ids in outcomes:
            try:
                if failed is None:
                    writer.write(outcome, doc_ids)
                if show is not None and not isinstance(outcome, Failed):
                    show(outcome)
                    show = None
            except QueryFailed as error:
                failed = error
                ranker.stop("stopped at the first failure")  # running calls finish and are kept
    if failed is not None and not interrupted.happened:
        raise failed
    return interrupted.happened


def _record(ranker: Ranker, job: Job) -> None:
    """Writes the provenance record beside the run."""
    if job.output is None:
        return
    tool, models = f"rerankllm {__version__}", ", ".join(ranker.models)
    stage = {"tool": tool, "strategy": str(ranker.stage), "model": models, "depth": job.depth, "top_k": job.top_k}
    if job.origins:
        stage["options from elsewhere"] = dict(job.origins)
    provenance.write(job.output, job.source.retrieval, stage)


def _keep(report: dict[str, Any], output: Path | None, summary: Path | None) -> None:
    """Writes the summary beside the output, unless that is a pipe or a device, and where it was asked for."""
    beside = None
    if output is not None and output.is_file():
        report, beside = signed(report, output), summary_beside(output)
    for path in (beside, summary):
        if path is not None:
            path.write_text(f"{as_json(report, indent=2)}\n", encoding="utf-8")
