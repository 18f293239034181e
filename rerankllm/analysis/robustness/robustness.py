"""robustness."""

from collections.abc import Sequence

import typer

from rerankllm.analysis.robustness.load import MeasuredOrders
from rerankllm.analysis.robustness.orders import Ordered, Runs
from rerankllm.cli.commands.rerank import INTERRUPTED
from rerankllm.notes import tell
from rerankllm.reranker import Reranker
from rerankllm.runs.cost import cost_beside
from rerankllm.runs.notices import estimate_line


def _estimate(reranker: Reranker, wanted: "Sequence[Ordered]", top_k: int | None) -> str:
    """What all orders will take, in a line."""
    line = estimate_line(reranker, [each for order in wanted for each in order.source.queries], top_k)
    names = ", ".join(order.name for order in wanted)
    return f"{len(wanted)} orders ({names}), {line}; what was asked in the same words before is not asked again"


def _ask(reranker: Reranker, wanted: "Sequence[Ordered]", runs: "Runs") -> "MeasuredOrders":
    """Ranks every order.

    Raises:
        Exit: Ctrl-C.
    """
    from rerankllm.analysis.robustness.load import MeasuredOrders  # noqa: PLC0415

    qrels = wanted[0].source.judgements()
    ranked = runs.all(wanted, qrels)
    if ranked is None or runs.failures:
        tell("what is done is kept in the journal: the same command goes on")
    if ranked is None:
        raise typer.Exit(INTERRUPTED)
    return MeasuredOrders(
        {"strategy": str(reranker.stage), "model": ", ".join(reranker.models)},
        ranked,
        qrels,
        {each.name: cost_beside([runs.path(each.name)]) for each in wanted},
        {each.name: each.seed for each in wanted if each.seed is not None},
        runs.failures,
    )
