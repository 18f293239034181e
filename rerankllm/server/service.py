"""What the routes have in common: a request that was read goes in, a ranking with relevance scores comes out."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass

from rerankllm.calibration.scale import Relevance, Scale
from rerankllm.data import Document, Query, Ranking, Usage
from rerankllm.drivers.events import Event, Failed, QueryOutcome
from rerankllm.drivers.task import Observer
from rerankllm.errors import BackendError, CapabilityError, InputError, RerankError
from rerankllm.judgements import Score
from rerankllm.reranker import Reranker
from rerankllm.server.context import RequestContext
from rerankllm.server.metrics import Metrics
from rerankllm.server.problems import Fault, Problem
from rerankllm.spec.stage import inner_stages

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Asked:
    """For whom something is asked, and how.

    Attributes:
        model: An alias; None for the default.
        instruction: What counts as relevant, instead of the alias's own.
        passage_tokens: Cut of every document, instead of the alias's own.
    """

    model: str | None = None
    instruction: str | None = None
    passage_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Ranked:
    """A ranking, ready to be worded.

    Attributes:
        alias: Who ranked.
        ranking: Every document once, best first. Its `doc_id`s are positions in the request.
        relevance: The scores, in the order of the ranking.
    """

    alias: str
    ranking: Ranking
    relevance: Relevance

    def places(self, top_n: int | None) -> list[tuple[int, float]]:
        """Position in the request and relevance score of the first `top_n` results, best first."""
        values = zip(self.ranking, self.relevance.values, strict=True)
        return [(int(result.doc_id), value) for result, value in values][:top_n]


@dataclass(frozen=True, slots=True)
class Scored:
    """Scores of pairs, in their order.

    Attributes:
        alias: Who scored.
        values: From 0 to 1.
        scale: What they are.
        usage: Tokens.
    """

    alias: str
    values: tuple[float, ...]
    scale: Scale
    usage: Usage


class Service:
    """Who answers to which name, on engines that all share.

    Args:
        aliases: Rerankers by name, the first of which is the default.
        max_documents: Documents a request may have.
        metrics: Told what is asked.
    """

    def __init__(self, aliases: Mapping[str, Reranker], max_documents: int, metrics: Metrics) -> None:
        self.aliases = aliases
        self._max_documents = max_documents
        self._metrics = metrics

    async def rank(
        self, visit: RequestContext, asked: Asked, query: str, documents: Sequence[str], top_n: int | None = None
    ) -> Ranked:
        """Ranks; cancelled, it asks nothing more.

        Args:
            visit: The request; told who answers.
            asked: Who, and how.
            query: The query.
            documents: The documents.
            top_n: How many first places are wanted; the strategy aims for them.

        Raises:
            Problem: There is no ranking.
        """
        alias, reranker = self._reranker(visit, asked, len(documents))
        future = self.submit(visit, reranker, query, documents, top_n=top_n)
        with worded(alias):
            ranking = ranked(await asyncio.wrap_future(future))
        return Ranked(alias, ranking, Relevance.of(ranking, probabilities=reranker.gives_probabilities))

    def submit(
        self,
        visit: RequestContext,
        reranker: Reranker,
        query: str | Query,
        documents: Sequence[str | Document],
        *,
        top_n: int | None = None,
        observer: Observer | None = None,
    ) -> Future[QueryOutcome]:
        """Starts ranking, and counts what is asked.

        Args:
            visit: The request, its alias found.
            reranker: Ranks.
            query: The query.
            documents: The documents.
            top_n: How many first places are wanted.
            observer: Told every event, too.

        Raises:
            Problem: It cannot be started.
        """
        alias = visit.alias or ""
        self._metrics.documents(alias, len(documents))
        counted = self._metrics.observer(alias)

        def observe(event: Event) -> None:
            counted(event)
            if observer is not None:
                observer(event)

        top_k = None if top_n is None else min(top_n, len(documents))
        with worded(alias):
            return reranker.submit(query, documents, top_k=top_k, observer=observe)

    async def score(self, visit: RequestContext, asked: Asked, pairs: Sequence[tuple[str, str]]) -> Scored:
        """Scores every pair of a query and a document by itself.

        Raises:
            Problem: One of them has no score, or the alias does not judge documents one by one.
        """
        alias, reranker = self._reranker(visit, asked, len(pairs))
        strategy = reranker.stage.strategy
        if strategy.asks != (Score,) or inner_stages(strategy):
            raise Problem(
                Fault.UNSUPPORTED,
                f"'{alias}' ranks documents against one another and scores none by itself: rerank with it, or name an "
                "alias with a pointwise strategy",
                param="model",
            )
        observer = self._metrics.observer(alias)
        self._metrics.documents(alias, len(pairs))
        futures: list[Future[QueryOutcome]] = []
        try:
            with worded(alias):
                futures += (reranker.submit(query, [document], observer=observer) for query, document in pairs)
                rankings = [ranked(o) for o in await asyncio.gather(*map(asyncio.wrap_future, futures))]
        finally:
            for future in futures:
                future.cancel()
        found = [Relevance.of(ranking, probabilities=reranker.gives_probabilities) for ranking in rankings]
        usage = sum((ranking.ledger.usage for ranking in rankings), Usage())
        return Scored(alias, tuple(value for each in found for value in each.values), found[0].scale, usage)

    def named(self, visit: RequestContext, model: str | None, documents: int) -> tuple[str, Reranker]:
        """An alias, after checking what can be checked before.

        Raises:
            Problem: There is none of this name, or there are no documents, or too many.
        """
        alias = next(iter(self.aliases)) if model is None else model
        if alias not in self.aliases:
            known = ", ".join(self.aliases)
            raise Problem(Fault.NO_MODEL, f"there is no model '{alias}' here; there are: {known}", param="model")
        visit.alias = alias
        if not documents:
            raise Problem(Fault.EMPTY, "there are no documents: give at least one")
        if documents > self._max_documents:
            raise Problem(
                Fault.TOO_MANY, f"{documents} documents are more than the {self._max_documents} that this server takes"
            )
        return alias, self.aliases[alias]

    def _reranker(self, visit: RequestContext, asked: Asked, documents: int) -> tuple[str, Reranker]:
        """Who answers."""
        alias, reranker = self.named(visit, asked.model, documents)
        if asked.instruction is None and asked.passage_tokens is None:
            return alias, reranker
        with worded(alias):
            own = reranker.beside(instruction=asked.instruction, passage_tokens=asked.passage_tokens)
        return alias, own


class worded:  # noqa: N801
    """Makes problems of the errors that can come meanwhile; what is none of them is a bug and stays as it is."""

    def __init__(self, alias: str) -> None:
        self._alias = alias

    def __enter__(self) -> None: ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, InputError):
            raise Problem(Fault.INVALID, str(error)) from error
        if isinstance(error, CapabilityError):
            raise Problem(Fault.UNSUPPORTED, str(error)) from error
        if isinstance(error, BackendError):
            log.error("the model behind %s cannot be used: %s", self._alias, error)
            raise Problem(Fault.FAILED, f"the model behind '{self._alias}' cannot be used at the moment") from error
        if isinstance(error, RerankError):
            raise Problem(Fault.CLOSING, str(error)) from error


def ranked(outcome: QueryOutcome) -> Ranking:
    """The ranking.

    Raises:
        Problem: There is none.
    """
    if isinstance(outcome, Failed) and outcome.unaffordable:
        raise Problem(Fault.UNAFFORDABLE, f"this may not cost any more: {outcome.reason}")
    if isinstance(outcome, Failed):
        raise Problem(Fault.FAILED, f"the documents could not be ranked: {outcome.reason}")
    return outcome
