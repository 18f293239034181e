"""From queries to files: what `rerank` does once, and `experiment` for every cell."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rerankllm import __version__, provenance
from rerankllm.cli.configured import origins
from rerankllm.cli.cutting import real_precision
from rerankllm.cli.interrupt import stopping_in_order
from rerankllm.cli.options import OnError
from rerankllm.cli.output import as_json
from rerankllm.cli.progress import ProgressBar
from rerankllm.cli.source import Source
from rerankllm.cli.spent import signed, summary_beside
from rerankllm.cli.summary import before_and_after, summarize
from rerankllm.cli.writer import Writer
from rerankllm.drivers.events import Failed
from rerankllm.errors import QueryFailed
from rerankllm.reranker import Reranker


@dataclass(frozen=True, slots=True)
class Job:
    """What is to be ranked, and what is to be written.

    Attributes:
        source: The queries.
        judgements: Grades to measure with; None for none.
        output: The run; its summary and its record of provenance go beside it.
        jsonl: Every result with its own score.
        summary: The summary, here too.
        depth: Candidates read per query.
        top_k: How many first places matter.
        truncate: How many documents of each query are written.
        on_error: What becomes of queries that failed.
        started: When it began, on the monotonic clock.
    """

    source: Source
    judgements: Mapping[str, Mapping[str, int]] | None = None
    output: Path | None = None
    jsonl: Path | None = None
    summary: Path | None = None
    depth: int = 100
    top_k: int | None = None
    truncate: int | None = None
    on_error: OnError = "partial"
    started: float = field(default_factory=time.monotonic)


@dataclass(frozen=True, slots=True)
class Done:
    """What came of it.

    Attributes:
        report: The summary, as it was written.
        failures: Reasons by query.
        interrupted: Whether Ctrl-C put an end to it.
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
    with Writer(job.output, job.jsonl, job.on_error, job.truncate) as writer:
        interrupted = _rank_all(reranker, job, writer, bar)
    report = summarize(reranker, writer, job.source, time.monotonic() - job.started)
    _record(reranker, job)
    if job.judgements is not None:
        report |= before_and_after(job.judgements, job.source, writer)
        report |= real_precision(job.judgements, writer, reranker)
    _keep(report, job.output, job.summary)
    return Done(report, writer.failures, interrupted)


def _rank_all(reranker: Reranker, job: Job, writer: Writer, bar: ProgressBar) -> bool:
    """Ranks and writes query after query; returns whether Ctrl-C put an end to it."""
    queries, top_k = job.source.queries, job.top_k
    calls = sum(reranker.plan(len(candidates), top_k=top_k).calls.high for _, candidates in queries)
    with stopping_in_order(reranker) as interrupted, bar.showing(len(queries), calls):
        failed: QueryFailed | None = None
        outcomes = reranker.stream(queries, top_k=top_k)
        for number, outcome in enumerate(outcomes):
            try:
                if failed is None:
                    writer.write(outcome, queries[number][1] if isinstance(outcome, Failed) else ())
            except QueryFailed as error:
                failed = error
                reranker.stop("stopped at the first failure")  # calls under way come back and are kept
    if failed is not None and not interrupted.happened:
        raise failed
    return interrupted.happened


def _record(reranker: Reranker, job: Job) -> None:
    """Notes beside the run that was written where it comes from."""
    if job.output is None:
        return
    tool, models = f"rerankllm {__version__}", ", ".join(reranker.models)
    stage = {"tool": tool, "strategy": str(reranker.stage), "model": models, "depth": job.depth, "top_k": job.top_k}
    if origins():
        stage["options from elsewhere"] = dict(origins())
    provenance.write(job.output, job.source.retrieval, stage)


def _keep(report: dict[str, Any], output: Path | None, summary: Path | None) -> None:
    """Writes the summary beside the output, unless that is a pipe or a device, and where it was asked for."""
    beside = None
    if output is not None and output.is_file():
        report, beside = signed(report, output), summary_beside(output)
    for path in (beside, summary):
        if path is not None:
            path.write_text(f"{as_json(report, indent=2)}\n", encoding="utf-8")
