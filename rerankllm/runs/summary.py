"""The summary of a run: how many queries were ranked, how good it is, and what it cost."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rerankllm.calibration.cutoff import Cutoff
from rerankllm.drivers.ranker import Ranker
from rerankllm.errors import InputError
from rerankllm.files import digest
from rerankllm.runs.source import Source
from rerankllm.runs.writer import Writer


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
        **({"cached_tokens": ledger.usage.cached_tokens} if ledger.usage.cached_tokens else {}),
        **({"searches": ledger.usage.searches} if ledger.usage.searches else {}),
        "answers": {"parsed": ledger.parsed, "repaired": ledger.repaired, "failed": ledger.failed},
        "forms": dict(ledger.forms),
        "orders": {"read": ledger.orders, "as_shown": ledger.as_shown},
        "without_evidence": writer.without_evidence,
        "notes": dict(ledger.notes),
        "wall_seconds": round(seconds, 3),
        "cost_usd": ledger.cost_usd,
        "strategy": str(reranker.stage),
        "model": ", ".join(reranker.models),
        **({} if reranker.cutoff is None else {"cutoff": cut_off(reranker, reranker.cutoff, writer)}),
    }


def before_and_after(parts: Mapping[str, str] | None, writer: Writer) -> dict[str, Any]:
    """nDCG@10 over the judged queries of the run, by parts where it has parts; a failed query counts as 0 after."""
    return {str(writer.measured.measure()): writer.measured.means(parts)}


DIGEST = "output_sha256"


def summary_beside(run: Path) -> Path:
    """The path of a run file's summary."""
    return run.with_name(f"{run.name}.summary.json")


def signed(report: Mapping[str, Any], run: Path) -> dict[str, Any]:
    """The summary with the digest of its run file, which tells whether the file has changed since."""
    return {**report, DIGEST: digest(run)}


def summary_of(run: Path) -> Mapping[str, Any] | None:
    """The summary beside a run file; None where there is none, or the file has changed since.

    Raises:
        InputError: It is damaged.
    """
    path = summary_beside(run)
    if not path.is_file():
        return None
    try:
        report: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return report if report[DIGEST] == digest(run) else None
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path} is no summary that `rerankllm rerank` wrote: {error!r}") from None


def cut_off(reranker: Ranker, cutoff: Cutoff, writer: Writer) -> dict[str, Any]:
    """How many results a cut-off kept and dropped, and the precision that is expected of them."""
    expected = [cut.expected_precision for cut, _ in writer.cuts.values() if cut.expected_precision is not None]
    return {
        "rule": str(cutoff),
        "kept": sum(kept for _, kept in writer.cuts.values()),
        "dropped": sum(cut.dropped for cut, _ in writer.cuts.values()),
        "empty_queries": [query_id for query_id, (_, kept) in writer.cuts.items() if not kept],
        "expected_precision": sum(expected) / len(expected) if expected else None,
        "promise": "" if reranker.calibration is None else cutoff.guarantee(reranker.calibration),
    }


def real_precision(qrels: Mapping[str, Mapping[str, int]], writer: Writer, reranker: Ranker) -> dict[str, Any]:
    """The mean precision of what a cut-off kept, over the judged queries that kept anything."""
    if reranker.cutoff is None or reranker.calibration is None:
        return {}
    level = reranker.calibration.level
    found = [
        sum(qrels[query_id].get(doc_id, 0) >= level for doc_id in kept) / len(kept)
        for query_id, kept in writer.kept.items()
        if kept and query_id in qrels
    ]
    mean = sum(found) / len(found) if found else None
    return {"precision": {"mean": mean, "queries": len(found), "relevance_level": level}}
