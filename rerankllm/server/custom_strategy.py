"""Strategies that a client writes, on the models of the aliases, if the server allows it."""

import asyncio
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

from rerankllm.errors import RerankError
from rerankllm.plan import Plan
from rerankllm.reranker import Reranker
from rerankllm.server.context import RequestContext
from rerankllm.server.problems import Fault, Problem
from rerankllm.server.service import Service, as_problems
from rerankllm.spec.model import without_folders
from rerankllm.spec.stage import Stage, inner_stages

LONGEST, LARGEST = 500, 1000
"""Most characters of a strategy, and its largest number, so that it is planned quickly."""
SUGGESTED = (
    "pointwise", "full", "sliding(window=8, stride=4)", "setwise(c=3, sort=heap)", "tournament", "tourrank(rounds=2)",
    "prp(sort=heap)", "prp(sort=allpair)", "swiss", "psc(full, shuffles=5)",
)  # fmt: skip
"""Strategies that the page suggests, each for the models that can answer it."""
_NUMBER = re.compile(r"\d+(?:\.\d*)?(?:[eE][-+]?\d+)?")


@dataclass(frozen=True, slots=True)
class Choice:
    """The `Reranker` chosen for a request, and what it will take.

    Attributes:
        reranker: A strategy on the model of an alias.
        top_n: How many first places matter.
        plan: What ranking the documents will take.
    """

    reranker: Reranker
    top_n: int | None
    plan: Plan


class CustomStrategies:
    """Makes a `Reranker` for a strategy that a client writes.

    Args:
        service: Has the aliases.
        most: Most calls that a client's strategy may plan; 0 refuses all of them.
    """

    def __init__(self, service: Service, most: int) -> None:
        self._service, self._most = service, most
        self._offered: list[dict[str, Any]] = []
        self._planner = ThreadPoolExecutor(1, "planner")

    async def choose(
        self, context: RequestContext, model: str | None, strategy: str | None, documents: int, top_n: int | None
    ) -> Choice:
        """Chooses an alias, or another strategy on its model.

        Args:
            context: The request; its alias is filled in.
            model: An alias; None for the default.
            strategy: A stage without a model; None for the alias's own.
            documents: How many documents are ranked.
            top_n: How many first places matter.

        Raises:
            Problem: There is no such alias, the strategy does not parse or work, or it would take too many calls.
        """
        alias, reranker = self._service.find(context, model, documents)
        # One at a time, also after who asked has hung up: planning takes the interpreter from all who rank.
        given = (alias, reranker, strategy, documents, top_n)
        return await asyncio.get_running_loop().run_in_executor(self._planner, self._choose, *given)

    def offers(self) -> list[dict[str, Any]]:
        """Every alias with its strategy, its models and the suggestions that they can answer; computed once."""
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

    def _choose(
        self, alias: str, reranker: Reranker, strategy: str | None, documents: int, top_n: int | None
    ) -> Choice:
        top_k = None if top_n is None else min(top_n, documents)
        if not strategy:
            return Choice(reranker, top_k, reranker.plan(documents, top_k=top_k))
        if not self._most:
            raise Problem(Fault.UNSUPPORTED, "this server ranks by its aliases' own strategies only", param="strategy")
        with as_problems(alias):
            own = _beside(reranker, _read(strategy))
            plan = own.plan(documents, top_k=top_k)
        if plan.calls.high > self._most:
            raise Problem(
                Fault.UNSUPPORTED,
                f"'{strategy}' may take {plan.calls.high} calls for {documents} passages, and this server allows "
                f"{self._most}: take fewer passages, or another strategy",
                param="strategy",
            )
        return Choice(own, top_k, plan)


def names_of(reranker: Reranker) -> list[str]:
    """The models' names without options and folders, which clients need not see."""
    return [without_folders(model.partition("?")[0]) for model in reranker.models]


def _beside(reranker: Reranker, stage: Stage) -> Reranker:
    return reranker.beside(replace(stage, model=reranker.stage.model))


def _works(reranker: Reranker, spec: str) -> bool:
    try:
        _beside(reranker, Stage.parse(spec))
    except RerankError:
        return False
    return True


def _read(text: str) -> Stage:
    """Parses a client's strategy, which may name no model and no file."""
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
