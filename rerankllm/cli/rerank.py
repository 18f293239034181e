"""`rerankllm rerank`: a run in, a better run out."""

import time
from pathlib import Path
from typing import Annotated, Any

import typer

from rerankllm.cli import options
from rerankllm.cli.output import as_json, check_paths, tell, tell_notes
from rerankllm.cli.progress import ProgressBar
from rerankllm.cli.source import Source, read_judgements, read_source
from rerankllm.cli.writer import Writer
from rerankllm.errors import InputError
from rerankllm.evaluation.measures import mean, parse_measures, per_query
from rerankllm.reranker import Reranker

EXAMPLES = """
[bold]Examples[/bold]\n
rerankllm rerank --sample\n
rerankllm rerank --run bm25.txt --queries queries.tsv --corpus corpus.jsonl --output reranked.txt\n
rerankllm rerank --run bm25.txt --queries queries.tsv --corpus corpus.jsonl --output reranked.txt
 --model openai:qwen3 --base-url http://localhost:8000/v1 --strategy 'sliding(window=20, stride=10)'
 --qrels qrels.txt --summary summary.json\n
[bold]Exit status[/bold]: 0 all ranked, 1 nothing could be done, 3 some queries failed (named on stderr).
"""
PARTIAL = 3
"""Exit status when some queries failed."""


def command(
    *,
    sample: Annotated[bool, typer.Option("--sample", help="Rerank the sample collection that ships.")] = False,
    run: Annotated[Path | None, typer.Option(help="TREC run of the first stage (may be .gz).")] = None,
    queries: Annotated[Path | None, typer.Option(help="Query texts: qid<TAB>text, or BEIR JSONL or folder.")] = None,
    corpus: Annotated[Path | None, typer.Option(help="BEIR corpus.jsonl, or the folder it is in.")] = None,
    requests: Annotated[
        Path | None, typer.Option(help="Castorini JSONL instead: queries with their candidates' texts.")
    ] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="The TREC run to write.")] = None,
    qrels: Annotated[Path | None, typer.Option(help="Judgements: prints nDCG@10 before and after.")] = None,
    strategy: options.Strategy = None,
    model: options.Model = None,
    base_url: options.BaseUrl = None,
    instruction: options.Instruction = None,
    depth: Annotated[int, typer.Option(min=1, help="Candidates read per query; the rest follow unread.")] = 100,
    top_k: options.TopK = None,
    truncate: options.Truncate = None,
    max_passage_tokens: options.PassageTokens = None,
    concurrency: options.Concurrency = None,
    on_error: Annotated[
        options.OnError,
        typer.Option(
            help="A query that fails: left out and named (partial), also written unchanged to OUTPUT.failed "
            "(fallback), or the end of the run (raise)."
        ),
    ] = "partial",
    seed: options.Seed = None,
    summary: Annotated[Path | None, typer.Option(help="Write what it cost and gave, as JSON.")] = None,
    jsonl: Annotated[
        Path | None, typer.Option(help="Write every result with its own score and provenance, as JSON lines.")
    ] = None,
    skip_missing: Annotated[
        bool, typer.Option("--skip-missing", help="Leave out queries and documents that have no text.")
    ] = False,
    quiet: options.Quiet = False,
) -> None:
    """Reranks the queries of a run and writes the new run."""
    if output is None and not sample:
        raise InputError("--output missing: name the run file to write")
    if output is None and on_error == "fallback":
        raise InputError("--on-error fallback writes OUTPUT.failed: it needs --output")
    inputs = {"--run": run, "--queries": queries, "--corpus": corpus, "--requests": requests, "--qrels": qrels}
    check_paths(inputs, {"--output": output, "--jsonl": jsonl, "--summary": summary})
    source = read_source(sample=sample, **{k[2:]: v for k, v in inputs.items()}, skip_missing=skip_missing)
    judgements = read_judgements(source.qrels) if source.qrels is not None else None
    bar = ProgressBar(quiet=quiet)
    started = time.monotonic()
    with Reranker(
        strategy, model, instruction=instruction, passage_tokens=max_passage_tokens, depth=depth, observer=bar,
        options=options.model_options(model, base_url=base_url, concurrency=concurrency, seed=seed),
    ) as reranker:  # fmt: skip
        source.tell_skipped()
        tell_notes(reranker, top_k, min(depth, max(len(candidates) for _, candidates in source.queries)))
        calls = sum(reranker.plan(len(candidates), top_k=top_k).calls.high for _, candidates in source.queries)
        with Writer(output, jsonl, on_error, truncate) as writer, bar.showing(len(source.queries), calls):
            for outcome, (_, candidates) in zip(
                reranker.stream(source.queries, top_k=top_k), source.queries, strict=True
            ):
                writer.write(outcome, candidates)
        report = _report(reranker, writer, source, time.monotonic() - started)
    if judgements is not None:
        report |= _before_and_after(judgements, source, writer)
    if summary is not None:
        summary.write_text(f"{as_json(report, indent=2)}\n", encoding="utf-8")
    _tell_report(report)
    if writer.failures:
        raise typer.Exit(PARTIAL)


def _report(reranker: Reranker, writer: Writer, source: Source, seconds: float) -> dict[str, Any]:
    ledger = writer.ledger
    return {
        "queries": len(writer.rankings) + len(writer.failures),
        "failed_queries": len(writer.failures),
        "failures": writer.failures,
        "skipped_queries": len(source.skipped_queries),
        "skipped_documents": source.skipped_documents,
        "calls": ledger.calls,
        "attempts": ledger.attempts,
        "rounds": ledger.rounds,
        "slots": ledger.slots,
        "prompt_tokens": ledger.usage.prompt_tokens,
        "completion_tokens": ledger.usage.completion_tokens,
        "answers": {"parsed": ledger.parsed, "repaired": ledger.repaired, "failed": ledger.failed},
        "notes": dict(ledger.notes),
        "wall_seconds": round(seconds, 3),
        "cost_usd": ledger.cost_usd,
        "strategy": str(reranker.stage),
        "model": ", ".join(reranker.models),
    }


def _before_and_after(qrels: dict[str, dict[str, int]], source: Source, writer: Writer) -> dict[str, Any]:
    """nDCG@10 over the judged queries of the run; a failed query counts as 0 after."""
    (measure,) = parse_measures(["nDCG@10"])
    first = {query.query_id: [c.doc_id for c in candidates] for query, candidates in source.queries}
    before, after = per_query(qrels, first, [measure]), per_query(qrels, writer.rankings, [measure])
    zeros = {query_id: {str(measure): 0.0} for query_id in before if query_id not in after}
    return {str(measure): {"before": mean(before, measure), "after": mean(after | zeros, measure),
                           "queries": len(before)}}  # fmt: skip


def _tell_report(report: dict[str, Any]) -> None:
    answers = report["answers"]
    tokens = report["prompt_tokens"] + report["completion_tokens"]
    cost = "cost unknown" if report["cost_usd"] is None else f"${report['cost_usd']:.4g}"
    tell(
        f"{report['queries'] - report['failed_queries']} of {report['queries']} queries ranked: {report['calls']} "
        f"calls ({answers['parsed']} parsed, {answers['repaired']} repaired, {answers['failed']} failed), "
        f"{tokens} tokens, {report['wall_seconds']:.1f} s, {cost}"
    )
    if "nDCG@10" in report:
        value = report["nDCG@10"]
        tell(f"nDCG@10 {value['before']:.4f} before, {value['after']:.4f} after ({value['queries']} judged queries)")
