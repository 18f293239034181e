"""Any strategy on the models that are served, where the server lets it be written."""

import asyncio
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from rerankllm.errors import RerankError
from rerankllm.plan import Plan
from rerankllm.reranker import Reranker
from rerankllm.server.context import RequestContext
from rerankllm.server.problems import Fault, Problem
from rerankllm.server.service import Service, worded
from rerankllm.spec.stage import Stage, inner_stages

LONGEST, LARGEST = 500, 1000
"""Characters of a strategy that is written, and the largest number in it: so that it is planned in no time."""
SUGGESTED = (
    "pointwise", "full", "sliding(window=8, stride=4)", "setwise(c=3, sort=heap)", "tournament", "tourrank(rounds=2)",
    "prp(sort=heap)", "prp(sort=allpair)", "swiss", "psc(full, shuffles=5)",
)  # fmt: skip
"""Strategies to begin with; those that a model cannot answer are not offered for it."""
_NUMBER = re.compile(r"\d+(?:\.\d*)?(?:[eE][-+]?\d+)?")


@dataclass(frozen=True, slots=True)
class Mixed:
    """Who ranks, and what that will take.

    Attributes:
        reranker: A strategy on a model that is served.
        top_n: How many first places matter.
        plan: What it will take.
    """

    reranker: Reranker
    top_n: int | None
    plan: Plan


class Mixing:
    """Makes rerankers beside those that are served.

    Args:
        service: Has the aliases.
        most: Calls that a strategy may plan which is no alias's own; 0 refuses them all.
    """

    def __init__(self, service: Service, most: int) -> None:
        self._service, self._most = service, most
        self._offered: list[dict[str, Any]] = []

    async def mixed(
        self, visit: RequestContext, model: str | None, strategy: str | None, documents: int, top_n: int | None
    ) -> Mixed:
        """An alias, or another strategy on its model.

        Args:
            visit: The request; told the alias.
            model: An alias; None for the default.
            strategy: A stage without a model; None for the alias's own.
            documents: How many are to be ranked.
            top_n: How many first places matter.

        Raises:
            Problem: There is no such alias, the strategy does not read or work, or would take too much.
        """
        alias, reranker = self._service.named(visit, model, documents)
        return await asyncio.to_thread(self._mixed, alias, reranker, strategy, documents, top_n)

    def offers(self) -> list[dict[str, Any]]:
        """Every alias with its strategy, its models and what else they can do; worked out once."""
        if not self._offered:
            self._offered = [
                {
                    "name": name,
                    "strategy": str(reranker.stage),
                    "models": names_of(reranker),
                    "offers": [spec for spec in SUGGESTED if self._most and _works(reranker, spec)],
                }
                for name, reranker in self._service.aliases.items()
            ]
        return self._offered

    def _mixed(self, alias: str, reranker: Reranker, strategy: str | None, documents: int, top_n: int | None) -> Mixed:
        top_k = None if top_n is None else min(top_n, documents)
        if not strategy:
            return Mixed(reranker, top_k, reranker.plan(documents, top_k=top_k))
        if not self._most:
            raise Problem(Fault.UNSUPPORTED, "this server ranks by its aliases' own strategies only", param="strategy")
        with worded(alias):
            own = _beside(reranker, _read(strategy))
            plan = own.plan(documents, top_k=top_k)
        if plan.calls.high > self._most:
            raise Problem(
                Fault.UNSUPPORTED,
                f"'{strategy}' may take {plan.calls.high} calls for {documents} passages, and this server allows "
                f"{self._most}: take fewer passages, or another strategy",
                param="strategy",
            )
        return Mixed(own, top_k, plan)


def names_of(reranker: Reranker) -> list[str]:
    """The models, without options and folders, which are the server's own business."""
    return [re.sub(r":/.*/", ":", model.partition("?")[0]) for model in reranker.models]


def _beside(reranker: Reranker, stage: Stage) -> Reranker:
    return reranker.beside(replace(stage, model=reranker.stage.model))


def _works(reranker: Reranker, spec: str) -> bool:
    try:
        _beside(reranker, Stage.parse(spec))
    except RerankError:
        return False
    return True


def _read(text: str) -> Stage:
    """A strategy that somebody else wrote: it may name no model, and no file."""
    if len(text) > LONGEST:
        raise Problem(Fault.INVALID, f"a strategy has at most {LONGEST} characters here", param="strategy")
    if any(float(number) > LARGEST for number in _NUMBER.findall(text)):
        raise Problem(Fault.INVALID, f"numbers in a strategy are at most {LARGEST} here", param="strategy")
    stage = Stage.parse(text)
    for inner in _stages(stage):
        if inner.model is not None:
            raise Problem(Fault.INVALID, "a strategy names no model here: choose it by its alias", param="strategy")
        if str(getattr(inner.elicitation, "prompt", "")).endswith((".yaml", ".yml")):
            raise Problem(Fault.INVALID, "a strategy names no file here: name a prompt that ships", param="strategy")
    return stage


def _stages(stage: Stage) -> Iterator[Stage]:
    yield stage
    for inner in inner_stages(stage.strategy):
        yield from _stages(inner)
