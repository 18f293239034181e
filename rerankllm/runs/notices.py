"""What a calibration and a cut-off made of a run, for the summary and for people."""

from collections.abc import Iterable, Mapping
from typing import Any

from rerankllm.calibration.cutoff import Cutoff
from rerankllm.calibration.relevance import Calibration
from rerankllm.cli.console import tell
from rerankllm.drivers.ranker import Ranker
from rerankllm.formats.lines import some
from rerankllm.runs.writer import Writer


def tell_fit(ranker: Ranker, query_ids: Iterable[str] = ()) -> None:
    """What may be wrong with using a calibration here: other scores than it was fitted on, or the same queries."""
    fitted = ranker.calibration
    if fitted is None:
        return
    tell_other_scores(ranker, fitted)
    these = list(query_ids)
    seen = set(these) & set(fitted.queries)
    if seen:
        tell(
            f"the calibration was fitted on {len(seen)} of these {len(these)} queries: what is measured on "
            "them is not held out"
        )


def tell_other_scores(ranker: Ranker, fitted: Calibration) -> None:
    """Says so where a calibration was fitted on another strategy's or another model's scores."""
    stage, models = str(ranker.stage), ", ".join(ranker.models)
    for what, then, now in (("strategy", fitted.strategy, stage), ("model", fitted.model, models)):
        if then and then != now:
            tell(f"the calibration was fitted on scores of the {what} {then}; those of {now} may mean other things")


def cut_off(reranker: Ranker, cutoff: Cutoff, writer: Writer) -> dict[str, Any]:
    """What was kept and dropped, and what is expected of it."""
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
        for query_id, kept in writer.rankings.items()
        if kept and query_id in qrels
    ]
    mean = sum(found) / len(found) if found else None
    return {"precision": {"mean": mean, "queries": len(found), "relevance_level": level}}


def tell_cut_off(report: Mapping[str, Any]) -> None:
    """That in two lines on stderr."""
    if "cutoff" in report:
        cut, empty = report["cutoff"], report["cutoff"]["empty_queries"]
        named = f" ({some(empty)})" if empty else ""
        precise = "" if cut["expected_precision"] is None else f", expected precision {cut['expected_precision']:.3f}"
        tell(
            f"cut off by {cut['rule']}: {cut['kept']} results kept, {cut['dropped']} dropped, nothing relevant for "
            f"{len(empty)} queries{named}{precise}; {cut['promise']}"
        )
    real = report.get("precision", {})
    if real.get("mean") is not None:
        tell(
            f"precision {real['mean']:.3f} over {real['queries']} judged queries that kept something (relevant: grade "
            f"{real['relevance_level']} or more)"
        )
