"""The notes that a run tells its user: before it starts, and what came of it."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rerankllm.calibration.relevance import Calibration
from rerankllm.data import Candidate, Query
from rerankllm.drivers.ranker import Ranker
from rerankllm.formats.lines import some
from rerankllm.notes import tell
from rerankllm.reranker import Reranker
from rerankllm.runs.forecast import Forecast
from rerankllm.spec.stage import Stage

if TYPE_CHECKING:  # loads NumPy
    from rerankllm.evaluation.systems import Pool


def tell_fit(ranker: Ranker, query_ids: Iterable[str] = ()) -> None:
    """Warns of a calibration that was fitted on other scores than these, or on the same queries."""
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
    """Warns of a calibration that was fitted on the scores of another strategy or another model."""
    stage, models = str(ranker.stage), ", ".join(ranker.models)
    for what, then, now in (("strategy", fitted.strategy, stage), ("model", fitted.model, models)):
        if then and then != now:
            tell(f"the calibration was fitted on scores of the {what} {then}; those of {now} may mean other things")


def tell_cut_off(report: Mapping[str, Any]) -> None:
    """Tells what the cut-off kept and dropped, and, with judgements, how precise that is."""
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


def tell_notes(reranker: Reranker, top_k: int | None, depth: int, *, scored: bool = True) -> None:
    """Tells what the user should know before the run starts.

    Args:
        reranker: What will rank.
        top_k: How many first places matter.
        depth: Candidates of the longest list that are read.
        scored: Whether candidates come with the scores of a first stage.
    """
    if reranker.defaulted:
        use = f"; {_use_of_scores(reranker.stage)}" if scored else ""
        tell(f"strategy {reranker.stage}, the default of {reranker.backend.model}{use}")
    tell_other_judge(reranker)
    tell_settled(reranker, top_k, depth)


def _use_of_scores(stage: Stage) -> str:
    """What a default does with the scores that come with the documents."""
    from rerankllm.strategies.interpolate import Interpolate  # noqa: PLC0415 - loads NumPy

    if isinstance(stage.strategy, Interpolate):
        weight = stage.strategy.weight
        return f"the first stage's scores count {1 - weight:.0%}, the model's {weight:.0%}"
    return "the first stage's scores are not used"


def tell_settled(ranker: Ranker, top_k: int | None, depth: int) -> None:
    """Warns of a strategy that cannot place the `top_k` best of `depth` candidates correctly."""
    if top_k is not None:
        settled = ranker.stage.aiming(top_k).strategy.settles(depth)
        if settled is not None and settled < min(top_k, depth):
            tell(f"{ranker.stage} can place correctly only the best {settled} of {depth}, not {top_k}")


def tell_other_judge(ranker: Ranker) -> None:
    """Warns of a judge's profile that is of another model than those that judge."""
    differs = ranker.profile and ranker.profile.differs(ranker.models)
    if differs:
        tell(differs)


def estimate_line(reranker: Reranker, queries: Sequence[tuple[Query, Sequence[Candidate]]], top_k: int | None) -> str:
    """What the run will take, in one line."""
    return str(Forecast.of(reranker, queries, top_k))


def tell_summary(report: Mapping[str, Any]) -> None:
    """Tells the summary of a run in two lines."""
    answers = report["answers"]
    tokens = report["prompt_tokens"] + report["completion_tokens"]
    replayed = f", {report['replayed']} of them from the journal" if report["replayed"] else ""
    cached = f" ({report['cached_tokens']} of them cached)" if report.get("cached_tokens") else ""
    searches = f", {report['searches']:g} search units" if report.get("searches") else ""
    unanswered = sum(answers.values()) - report["calls"]  # what the budget refused, or no host answered
    none = f", {unanswered} not answered" if unanswered > 0 else ""
    cost = "cost unknown" if report["cost_usd"] is None else f"${report['cost_usd']:.4g}"
    tell(
        f"{report['queries'] - report['failed_queries']} of {report['queries']} queries ranked: {report['calls']} "
        f"calls ({answers['parsed']} parsed, {answers['repaired']} repaired, {answers['failed'] - max(0, unanswered)} "
        f"failed){replayed}{none}, {tokens} tokens{cached}{searches}, {report['wall_seconds']:.1f} s, {cost}"
    )
    tell_evidence(report)
    tell_cut_off(report)
    if "nDCG@10" in report:
        value = report["nDCG@10"]
        before_after = f"nDCG@10 {value['before']:.4f} before, {value['after']:.4f} after"
        failed = report["failed_queries"]
        zeros = f"; {failed} failed, and a failed one counts as 0" if failed else ""
        tell(f"{before_after} ({value['queries']} judged queries{zeros})")


def tell_evidence(report: Mapping[str, Any]) -> None:
    """Tells where answers said nothing, and where they only gave back the order shown."""
    lost, orders = report.get("without_evidence"), report.get("orders")
    if lost:
        count = sum(lost.values())
        tell(
            f"{count} answer{'s' * (count > 1)} of {some(list(lost))} could not be used, asked twice where that helps: "
            "what they were about stays in the order it had"
        )
    if orders and orders["as_shown"] * OFTEN > orders["read"]:
        tell(
            f"{orders['as_shown']} of {orders['read']} orders only give back the order shown (chance: once in "
            "24 at most): the lists were in order, or the model does not read them; `rerankllm diagnose` tells which"
        )


OFTEN = 8
"""One order in so many that is the order shown is three times what chance gives, and worth a note."""


def tell_levels(pool: "Pool", *, asked: bool) -> None:
    """Tells which grades a binary measure counts as relevant, where one was asked for and that is not all above 0."""
    for name in pool.raised:
        why = "as asked" if asked else "the scale of TREC-DL; --relevant-from 1 for any"
        tell(f"{name}: binary measures that do not say rel= count grades from {pool.levels[name]} as relevant ({why})")
