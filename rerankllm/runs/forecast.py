"""Forecasts what a run will take, before anything is sent."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from rerankllm.data import Candidate, Query
from rerankllm.drivers.estimate import Estimate
from rerankllm.plan import Bound
from rerankllm.reranker import Reranker


@dataclass(frozen=True, slots=True)
class Forecast:
    """Calls, tokens and money that some queries will take; the forecasts of several runs add up."""

    queries: int
    calls: Bound
    estimate: Estimate

    @classmethod
    def of(cls, reranker: Reranker, queries: Sequence[tuple[Query, Sequence[Candidate]]], top_k: int | None) -> Self:
        """The forecast of a run, from the texts of its queries.

        Raises:
            CapabilityError: The tokens of the strategy's prompts cannot be counted.
        """
        plans = [reranker.plan(len(candidates), top_k=top_k) for _, candidates in queries]
        calls = Bound(sum(plan.calls.low for plan in plans), sum(plan.calls.high for plan in plans))
        return cls(len(queries), calls, reranker.estimate(queries, top_k=top_k))

    def __add__(self, other: "Forecast") -> "Forecast":
        return Forecast(self.queries + other.queries, self.calls.plus(other.calls), self.estimate + other.estimate)

    def __str__(self) -> str:
        found = self.estimate
        cost = "unknown: give ?price_prompt=…&price_completion=…"
        if found.cost_usd is not None:
            low, high = found.cost_usd
            cost = f"${low:.4g}" if low == high else f"${low:.4g} to ${high:.4g}"
        searches = f", {_range(found.searches)} search units" if found.searches.high else ""
        tokens = "no prompts"
        if found.prompt_tokens.high:
            tokens = (
                f"{_range(found.prompt_tokens)} prompt tokens ({found.typical.prompt_tokens:,} with passages of median "
                f"length), at most {found.completion_tokens.high:,} generated"
            )
        queries = "1 query" if self.queries == 1 else f"{self.queries} queries"
        calls = "1 call" if self.calls == Bound(1, 1) else f"{_range(self.calls)} calls"
        return f"estimate for {queries}: {calls}, {tokens}{searches}; cost {cost}"


def _range(bound: Bound) -> str:
    return f"{bound.low:,}" if bound.low == bound.high else f"{bound.low:,} to {bound.high:,}"
