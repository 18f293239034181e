"""`rerankllm rerank`: a run in, a better run out."""

import json
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any, Self, TextIO

import typer

from rerankllm.cli import options
from rerankllm.cli.progress import ProgressBar
from rerankllm.cli.source import Source, read_source
from rerankllm.data import Candidate, Ledger, Query, Ranking
from rerankllm.drivers.events import Failed, QueryOutcome
from rerankllm.errors import InputError, QueryFailed
from rerankllm.evaluation.measures import mean, parse_measures, per_query
from rerankllm.formats import trec
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
    source = read_source(
        sample=sample, run=run, queries=queries, corpus=corpus, requests=requests, qrels=qrels,
        skip_missing=skip_missing,
    )  # fmt: skip
    judgements = trec.read_qrels(source.qrels) if source.qrels is not None else None
    bar = ProgressBar(quiet=quiet)
    started = time.monotonic()
    with Reranker(
        strategy, model, instruction=instruction, passage_tokens=max_passage_tokens, depth=depth, observer=bar,
        options=options.model_options(base_url, concurrency, seed),
    ) as reranker:  # fmt: skip
        for note in (*source.notes, *notes_on(reranker, top_k)):
            tell(note)
        writer = Writer(output, jsonl, on_error, truncate)
        calls = sum(reranker.plan(len(candidates), top_k=top_k).calls.high for _, candidates in source.queries)
        with writer, bar.showing(len(source.queries), calls):
            for outcome, entry in zip(reranker.stream(source.queries, top_k=top_k), source.queries, strict=True):
                writer.write(outcome, entry)
        report = _report(reranker, writer, time.monotonic() - started)
    if judgements is not None:
        report |= _before_and_after(judgements, source, writer)
    if summary is not None:
        summary.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    _tell_report(report)
    if writer.failures:
        raise typer.Exit(PARTIAL)


class Writer:
    """Writes outcomes as they come, so that nothing done is lost; keeps what the summary needs."""

    def __init__(self, output: Path | None, jsonl: Path | None, on_error: str, truncate: int | None) -> None:
        self.ledger = Ledger()
        self.rankings: dict[str, tuple[str, ...]] = {}
        self.failures: dict[str, str] = {}
        self._output, self._jsonl, self._on_error, self._truncate = output, jsonl, on_error, truncate
        self._files = ExitStack()
        self._run_file: TextIO | None = None
        self._jsonl_file: TextIO | None = None

    def __enter__(self) -> Self:
        self._run_file = self._open(self._output)
        self._jsonl_file = self._open(self._jsonl)
        if self._output is not None:
            _failed_path(self._output).unlink(missing_ok=True)
        return self

    def __exit__(self, *_: object) -> None:
        self._files.close()

    def write(self, outcome: QueryOutcome, entry: tuple[Query, list[Candidate]]) -> None:
        """Writes one query's ranking, or notes its failure."""
        self.ledger += outcome.ledger
        if isinstance(outcome, Failed):
            self._fail(outcome, entry[1])
            return
        ranking = outcome if self._truncate is None else outcome.top(self._truncate)
        self.rankings[outcome.query.query_id] = ranking.doc_ids
        if self._run_file is not None:
            trec.write_run(self._run_file, outcome.query.query_id, ranking.doc_ids, "rerankllm")
            self._run_file.flush()
        if self._jsonl_file is not None:
            self._jsonl_file.writelines(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows(ranking))
            self._jsonl_file.flush()

    def _fail(self, outcome: Failed, candidates: list[Candidate]) -> None:
        query_id = outcome.query.query_id
        self.failures[query_id] = outcome.reason
        tell(f"query {query_id} failed: {outcome.reason}")
        if self._on_error == "raise":
            raise QueryFailed("stopped here; what was ranked before is in the output", query_id)
        if self._on_error == "fallback" and self._output is not None:
            with _failed_path(self._output).open("a", encoding="utf-8") as file:
                trec.write_run(file, query_id, [c.doc_id for c in candidates], "first-stage")

    def _open(self, path: Path | None) -> TextIO | None:
        if path is None:
            return None
        try:
            return self._files.enter_context(path.open("w", encoding="utf-8", newline="\n"))
        except OSError as error:
            raise InputError(f"cannot write {path}: {error.strerror}") from error


def rows(ranking: Ranking) -> list[dict[str, Any]]:
    """One JSON-ready row a result."""
    return [
        {
            "query_id": ranking.query.query_id,
            "doc_id": result.doc_id,
            "rank": result.rank,
            "score": result.score,
            "provenance": result.provenance.value,
        }
        for result in ranking
    ]


def notes_on(reranker: Reranker, top_k: int | None) -> list[str]:
    """What the user should know before it starts."""
    notes = [f"strategy {reranker.stage} (the default of {reranker.model})"] if reranker.defaulted else []
    depth = reranker.depth or top_k or 0
    settled = reranker.stage.aiming(top_k or 1).strategy.settles(depth)
    if top_k is not None and 0 < settled < min(top_k, depth):
        notes.append(f"{reranker.stage} can place correctly only the best {settled}, not {top_k}")
    return notes


def tell(line: str) -> None:
    """A line on stderr."""
    typer.echo(f"rerankllm: {line}", err=True)


def _failed_path(output: Path) -> Path:
    return output.with_name(f"{output.name}.failed")


def _report(reranker: Reranker, writer: Writer, seconds: float) -> dict[str, Any]:
    ledger = writer.ledger
    return {
        "queries": len(writer.rankings) + len(writer.failures),
        "failed_queries": len(writer.failures),
        "failures": writer.failures,
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
        "model": reranker.backend.model,
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
