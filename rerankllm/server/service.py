"""Ranks and scores for all routes, whatever their dialect."""

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace

from rerankllm.calibration.scale import Relevance, own_scores
from rerankllm.data import Document, Query, Ranking, Usage
from rerankllm.drivers.events import Event, Failed, QueryOutcome
from rerankllm.drivers.task import Observer
from rerankllm.errors import BackendError, CapabilityError, InputError, RerankError
from rerankllm.judgements import Score
from rerankllm.reranker import Reranker
from rerankllm.server.aliases import ANY
from rerankllm.server.context import RequestContext
from rerankllm.server.metrics import Metrics
from rerankllm.server.pairs import PairScores, asked_together
from rerankllm.server.problems import Fault, Problem
from rerankllm.server.waiting import all_of
from rerankllm.spec.stage import inner_stages

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RequestOptions:
    """The alias that a request names, and the settings that it changes.

    Attributes:
        model: An alias; None for the default.
        instruction: What counts as relevant, instead of the alias's own.
        passage_tokens: Cut of every document, instead of the alias's own.
        whole: The field that wants no document cut; None where they may be.
    """

    model: str | None = None
    instruction: str | None = None
    passage_tokens: int | None = None
    whole: str | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """What a request asks, whatever its dialect.

    Attributes:
        query: The query.
        documents: The documents.
        top_n: How many first places are wanted; the strategy aims for them. All when None.
        options: The alias and its settings.
    """

    query: str
    documents: Sequence[str]
    top_n: int | None = None
    options: RequestOptions = RequestOptions()


@dataclass(frozen=True, slots=True)
class Reranking:
    """A ranking with relevance scores, of which a dialect makes a response.

    Attributes:
        asked: What was asked.
        model: The model that the request named, or the alias that ranked.
        ranking: Every document once, best first. Its `doc_id`s are positions in the request.
        relevance: The scores, in the order of the ranking.
        warnings: What the client should know.
        seconds: How long ranking took.
    """

    asked: Asked
    model: str
    ranking: Ranking
    relevance: Relevance
    warnings: Sequence[str] = ()
    seconds: float = 0.0

    @property
    def usage(self) -> Usage:
        """Tokens, those that were not read again too."""
        return whole(self.ranking.ledger.usage)

    @property
    def places(self) -> list[tuple[int, float]]:
        """Position in the request and relevance score of the results that are wanted, best first."""
        values = zip(self.ranking, self.relevance.values, strict=True)
        return [(int(result.doc_id), value) for result, value in values][: self.asked.top_n]

    def own_scores(self) -> list[float]:
        """The strategy's own scores of the results that are wanted.

        Raises:
            Problem: It gives none.
        """
        own = own_scores(self.ranking)
        if own is None:
            raise Problem(Fault.UNSUPPORTED, f"'{self.model}' gives no scores of its own: leave raw_scores out")
        return own[: self.asked.top_n]


class Service:
    """The aliases, and what requests do with them.

    Args:
        aliases: Rerankers by name, the first of which is the default. They share their models.
        max_documents: Most documents of a request.
        metrics: Counts calls and documents.
    """

    def __init__(self, aliases: Mapping[str, Reranker], max_documents: int, metrics: Metrics) -> None:
        self.aliases = aliases
        self._max_documents = max_documents
        self._metrics = metrics

    async def rank(self, context: RequestContext, asked: Asked) -> Reranking:
        """Ranks documents. If it is cancelled, no more calls are sent.

        Args:
            context: The request; its alias is filled in.
            asked: What it asks.

        Raises:
            Problem: The documents cannot be ranked.
        """
        alias, reranker = await self._reranker(context, asked)
        began = time.perf_counter()
        future = self.submit(context, reranker, asked.query, asked.documents, top_n=asked.top_n)
        with as_problems(alias, context.id):
            ranking = ranking_of(await asyncio.wrap_future(future))
        seconds = time.perf_counter() - began
        relevance = Relevance.of(ranking, reranker.scale)
        return Reranking(asked, asked.options.model or alias, ranking, relevance, context.warnings, seconds)

    def submit(
        self,
        context: RequestContext,
        reranker: Reranker,
        query: str | Query,
        documents: Sequence[str | Document],
        *,
        top_n: int | None = None,
        observer: Observer | None = None,
    ) -> Future[QueryOutcome]:
        """Starts ranking, and counts calls and documents.

        Args:
            context: The request, with its alias.
            reranker: Ranks.
            query: The query.
            documents: The documents.
            top_n: How many first places are wanted.
            observer: Called with every event, besides the metrics.

        Raises:
            Problem: Ranking cannot be started.
        """
        alias = context.alias or ""
        observe = self._observer(context, len(documents), observer)
        top_k = None if top_n is None else min(top_n, len(documents))
        with as_problems(alias, context.id):
            return reranker.submit(query, documents, top_k=top_k, observer=observe)

    async def score(
        self, context: RequestContext, options: RequestOptions, pairs: Sequence[tuple[str, str]]
    ) -> PairScores:
        """Scores every pair of a query and a document by itself.

        Raises:
            Problem: A pair gets no score, or the alias does not judge documents one by one.
        """
        alias, reranker = await self._reranker(
            context, Asked(pairs[0][0] if pairs else "", [d for _, d in pairs], None, options)
        )
        strategy = reranker.stage.strategy
        if strategy.asks != (Score,) or inner_stages(strategy):
            raise Problem(
                Fault.UNSUPPORTED,
                f"'{alias}' ranks documents against one another and scores none by itself: rerank with it, or name an "
                "alias with a pointwise strategy",
                param="model",
            )
        observer = self._observer(context, len(pairs))
        places = asked_together(reranker, [query for query, _ in pairs])
        futures: list[Future[QueryOutcome]] = []
        try:
            with as_problems(alias, context.id):
                futures += (
                    reranker.submit(pairs[some[0]][0], [pairs[place][1] for place in some], observer=observer)
                    for some in places
                )
                rankings = [ranking_of(outcome) for outcome in await all_of(futures)]
        finally:
            for future in futures:
                future.cancel()
        found: dict[int, Relevance] = {}
        for some, ranking in zip(places, rankings, strict=True):
            if ranking.ledger.failed:
                raise Problem(Fault.FAILED, f"{ranking.ledger.failed} of {len(some)} pairs could not be scored")
            for result in ranking:
                alone = replace(ranking, results=(result,))
                found[some[int(result.doc_id)]] = Relevance.of(alone, reranker.scale)
        usage = whole(sum((ranking.ledger.usage for ranking in rankings), Usage()))
        values = tuple(value for place in sorted(found) for value in found[place].values)
        return PairScores(options.model or alias, values, found[0].scale, usage)

    def _observer(self, context: RequestContext, documents: int, also: Observer | None = None) -> Observer:
        """Counts documents now, and the calls of a request as they are answered."""
        alias = context.alias or ""
        self._metrics.documents(alias, documents)
        observers = [self._metrics.observer(alias), context.observe, *([also] if also else [])]

        def observe(event: Event) -> None:
            for each in observers:
                each(event)

        return observe

    def find(self, context: RequestContext, model: str | None, documents: int) -> tuple[str, Reranker]:
        """Finds an alias with its `Reranker`, and checks the number of documents.

        Raises:
            Problem: There is no such alias, or there are no documents, or too many.
        """
        alias = context.named or (next(iter(self.aliases)) if model is None else model)
        if alias not in self.aliases:
            if ANY not in self.aliases:
                known = ", ".join(self.aliases)
                raise Problem(Fault.NO_MODEL, f"there is no model '{alias}' here; there are: {known}", param="model")
            alias = ANY
        context.alias = alias
        if not documents:
            raise Problem(Fault.EMPTY, "there are no documents: give at least one")
        if documents > self._max_documents:
            raise Problem(
                Fault.TOO_MANY, f"{documents} documents are more than the {self._max_documents} that this server takes"
            )
        return alias, self.aliases[alias]

    async def _reranker(self, context: RequestContext, asked: Asked) -> tuple[str, Reranker]:
        """The alias, and its `Reranker` with the settings that the request changes.

        A cut that cuts no document further than the alias does is no change, so that a calibration holds.
        """
        options = asked.options
        alias, reranker = self.find(context, options.model, len(asked.documents))
        if options.instruction is None and options.passage_tokens is None and options.whole is None:
            return alias, reranker
        with as_problems(alias, context.id):
            return alias, await asyncio.to_thread(_with_options, alias, reranker, asked)


def whole(usage: Usage) -> Usage:
    """The usage of a request as if nothing were remembered; what is, is among the cached tokens."""
    remembered = usage.remembered_tokens
    return replace(
        usage, prompt_tokens=usage.prompt_tokens + remembered, cached_tokens=usage.cached_tokens + remembered
    )


def _with_options(alias: str, reranker: Reranker, asked: Asked) -> Reranker:
    """The reranker with the settings that a request changes.

    Raises:
        Problem: No document may be cut, and one would be.
    """
    options, tokens = asked.options, asked.options.passage_tokens
    if tokens is not None and not reranker.cut_by(tokens, asked.documents):
        tokens = None
    if options.instruction is not None or tokens is not None:
        reranker = reranker.beside(instruction=options.instruction, passage_tokens=tokens)
    if options.whole and not reranker.reads_whole(asked.query, asked.documents):
        raise Problem(
            Fault.UNSUPPORTED,
            f"{options.whole}: documents may be longer than what '{alias}' reads of them: let them be cut, or send "
            "shorter ones",
            param=options.whole.partition(":")[0],
        )
    return reranker


class as_problems:  # noqa: N801
    """Converts expected errors into HTTP problems; re-raises anything else, which is a bug.

    Args:
        alias: Whose model is asked.
        request: The id of the request, for the log.
    """

    def __init__(self, alias: str, request: str = "") -> None:
        self._alias, self._request = alias, request

    def __enter__(self) -> None: ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, InputError):
            raise Problem(Fault.INVALID, str(error)) from error
        if isinstance(error, CapabilityError):
            raise Problem(Fault.UNSUPPORTED, str(error)) from error
        if isinstance(error, BackendError):
            fields = {"id": self._request, "alias": self._alias, "reason": str(error)}
            log.error("the model cannot be used", extra={"fields": fields})
            raise Problem(Fault.FAILED, f"the model behind '{self._alias}' cannot be used at the moment") from error
        if isinstance(error, RerankError):
            raise Problem(Fault.CLOSING, str(error)) from error


def ranking_of(outcome: QueryOutcome) -> Ranking:
    """The ranking of an outcome.

    Raises:
        Problem: The query failed.
    """
    if isinstance(outcome, Failed) and outcome.unaffordable:
        raise Problem(Fault.UNAFFORDABLE, f"this may not cost any more: {outcome.reason}")
    if isinstance(outcome, Failed) and outcome.unaskable:
        raise Problem(Fault.INVALID, outcome.reason)
    if isinstance(outcome, Failed):
        raise Problem(Fault.FAILED, f"the documents could not be ranked: {outcome.reason}")
    return outcome
