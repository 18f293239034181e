"""What a run gave and what it cost: a summary for people and for programs."""

from collections.abc import Mapping
from typing import Any

from rerankllm.cli.console import tell
from rerankllm.drivers.ranker import Ranker
from rerankllm.evaluation.measures import mean, parse_measures, per_query
from rerankllm.runs.notices import cut_off, tell_cut_off
from rerankllm.runs.source import Source
from rerankllm.runs.writer import MEASURED, Writer


def summarize(reranker: Ranker, writer: Writer, source: Source, seconds: float) -> dict[str, Any]:
    """The summary, ready for JSON."""
    ledger = writer.ledger
    return {
        "queries": writer.ranked + len(writer.failures),
        "failed_queries": len(writer.failures),
        "failures": writer.failures,
        "skipped_queries": len(source.skipped_queries),
        "skipped_documents": source.skipped_documents,
        "calls": ledger.calls,
        "replayed": ledger.replayed,
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
        **({} if reranker.cutoff is None else {"cutoff": cut_off(reranker, reranker.cutoff, writer)}),
    }


def before_and_after(
    qrels: Mapping[str, Mapping[str, int]], parts: Mapping[str, str] | None, writer: Writer
) -> dict[str, Any]:
    """nDCG@10 over the judged queries of the run, by parts where it has parts; a failed query counts as 0 after."""
    (measure,) = parse_measures([f"nDCG@{MEASURED}"])
    before, after = per_query(qrels, writer.first, [measure]), per_query(qrels, writer.rankings, [measure])
    zeros = {query_id: {str(measure): 0.0} for query_id in before if query_id not in after}
    return {str(measure): {"before": mean(before, measure, parts), "after": mean(after | zeros, measure, parts),
                           "queries": len(before)}}  # fmt: skip


def tell_summary(report: Mapping[str, Any]) -> None:
    """The summary in two lines on stderr."""
    answers = report["answers"]
    tokens = report["prompt_tokens"] + report["completion_tokens"]
    replayed = f", {report['replayed']} of them from the journal" if report["replayed"] else ""
    cost = "cost unknown" if report["cost_usd"] is None else f"${report['cost_usd']:.4g}"
    tell(
        f"{report['queries'] - report['failed_queries']} of {report['queries']} queries ranked: {report['calls']} "
        f"calls ({answers['parsed']} parsed, {answers['repaired']} repaired, {answers['failed']} failed)"
        f"{replayed}, {tokens} tokens, {report['wall_seconds']:.1f} s, {cost}"
    )
    tell_cut_off(report)
    if "nDCG@10" in report:
        value = report["nDCG@10"]
        tell(f"nDCG@10 {value['before']:.4f} before, {value['after']:.4f} after ({value['queries']} judged queries)")
