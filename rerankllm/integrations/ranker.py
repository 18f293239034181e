"""What adapters share: where their `Reranker` comes from, and places whose scores never contradict its order."""

import asyncio
import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal, NamedTuple, TypeAlias

from rerankllm.calibration.scale import Relevance
from rerankllm.data import Candidate, Query, Ranking
from rerankllm.drivers.events import ranking_of
from rerankllm.errors import BackendError, InputError, QueryFailed, RerankError
from rerankllm.notes import tell
from rerankllm.reranker import Reranker
from rerankllm.spec.model import ModelSpec
from rerankllm.spec.stage import Stage

Places: TypeAlias = list[tuple[int, float]]
"""Position among the documents as given, and a score, best first. Scores are from 0 to 1 and strictly decreasing, in
single precision too; what they are is said at `rerankllm.calibration.scale.Scale`."""


KEPT_AFTER = (QueryFailed, BackendError)
"""Errors after which an order may be kept: those of the query, the model or its host, and not those of its caller."""
OnError: TypeAlias = Literal["raise", "keep"]
"""What follows where documents cannot be ranked: the error, or the order they came in, marked as not ranked."""


class Placed(NamedTuple):
    """Documents in an order, which may be the one they came in.

    Attributes:
        places: Position among the documents as given, and a score; the score is None where they are not ranked.
        failure: Why they are not ranked; None where they are.
    """

    places: Sequence[tuple[int, float | None]]
    failure: str | None = None

    @property
    def mark(self) -> dict[str, Any]:
        """What a document's metadata say where it is not ranked."""
        return {} if self.failure is None else {"reranked": False, "rerank_failure": self.failure}


@dataclass(frozen=True, slots=True)
class RerankerSource:
    """Where an adapter's `Reranker` comes from.

    Attributes:
        reranker: A ready one, with whatever options it has.
        strategy: Otherwise a stage spec; the model's default when None.
        model: `kind:name[?key=value&…]`; the default model when None.
        instruction: What counts as relevant, for prompts that show it.
        passage_tokens: Cut of every passage.

    Raises:
        InputError: A spec does not parse, or there are two sources.
    """

    reranker: Reranker | None = None
    strategy: str | None = None
    model: str | None = None
    instruction: str | None = None
    passage_tokens: int | None = None

    def __post_init__(self) -> None:
        given = [field.name for field in fields(self)[1:] if getattr(self, field.name) is not None]
        if self.reranker is not None and given:
            raise InputError(f"a ready reranker has a {given[0]} of its own: leave one of the two out")
        if self.strategy is not None:
            Stage.parse(self.strategy)
        if self.model is not None:
            ModelSpec.parse(self.model)

    @property
    def arguments(self) -> dict[str, Any]:
        """What to write down to make the same again.

        Raises:
            InputError: It is a ready reranker.
        """
        if self.reranker is not None:
            raise InputError("a ready reranker cannot be written down: give strategy and model instead")
        return {field.name: getattr(self, field.name) for field in fields(self)[1:]}


class Ranker:
    """Ranks for an adapter; the model is loaded when it is first needed. Thread-safe.

    Args:
        source: Where its `Reranker` comes from.
    """

    def __init__(self, source: RerankerSource) -> None:
        self.source = source
        self._made: Reranker | None = None
        self._making = threading.Lock()

    def load(self) -> Reranker:
        """The reranker; raises whatever making one raises."""
        if self.source.reranker is not None:
            return self.source.reranker
        with self._making:
            if self._made is None:
                self._made = Reranker(**self.source.arguments)
            return self._made

    def rank(self, query: str, texts: Sequence[str], top_n: int | None = None) -> Places:
        """The texts ranked for one query, the first `top_n` of them.

        Args:
            query: The query.
            texts: What is ranked; nothing is loaded for none.
            top_n: How many are wanted; the strategy aims for them.

        Raises:
            QueryFailed: They could not be ranked.
        """
        if not texts:
            return []
        reranker = self.load()
        ranking = ranking_of(reranker.submit(query, texts, top_k=_aim(top_n, texts)).result())
        return _places(reranker, ranking, map(str, range(len(texts))))[:top_n]

    async def arank(self, query: str, texts: Sequence[str], top_n: int | None = None) -> Places:
        """`rank`, awaited; cancelled, it asks nothing more."""
        if not texts:
            return []
        reranker = await asyncio.to_thread(self.load)
        submitted = reranker.submit(query, texts, top_k=_aim(top_n, texts))
        ranking = ranking_of(await asyncio.wrap_future(submitted))
        return _places(reranker, ranking, map(str, range(len(texts))))[:top_n]

    def place(self, query: str, texts: Sequence[str], top_n: int | None, on_error: OnError) -> Placed:
        """`rank`, or with `keep` the texts as they came where they cannot be ranked."""
        try:
            return Placed(self.rank(query, texts, top_n))
        except KEPT_AFTER as error:
            return _kept(texts, top_n, on_error, error)

    async def aplace(self, query: str, texts: Sequence[str], top_n: int | None, on_error: OnError) -> Placed:
        """`place`, awaited."""
        try:
            return Placed(await self.arank(query, texts, top_n))
        except KEPT_AFTER as error:
            return _kept(texts, top_n, on_error, error)

    def rank_all(
        self, queries: Sequence[tuple[Query, Sequence[Candidate]]], top_k: int | None = None
    ) -> Iterator[Places]:
        """The candidates of each query ranked, all of them, in the order of the queries; what they ask runs together.

        Raises:
            QueryFailed: One could not be ranked; the others stop.
        """
        reranker = self.load()
        for outcome, (_, candidates) in zip(reranker.stream(queries, top_k=top_k), queries, strict=True):
            yield _places(reranker, ranking_of(outcome), (candidate.doc_id for candidate in candidates))

    def close(self) -> None:
        """Frees the model, unless it is that of a ready reranker; loads it again when needed again."""
        with self._making:
            if self._made is not None:
                self._made.close()
                self._made = None

    def __reduce__(self) -> tuple[type["Ranker"], tuple[RerankerSource]]:
        return Ranker, (self.source,)  # a copy loads its own


def _kept(texts: Sequence[str], top_n: int | None, on_error: OnError, error: RerankError) -> Placed:
    if on_error == "raise":
        raise error
    tell(f"not ranked, and kept in the order given: {error}")
    return Placed([(index, None) for index in range(len(texts))][:top_n], str(error))


def _aim(top_n: int | None, texts: Sequence[str]) -> int | None:
    return None if top_n is None else min(top_n, len(texts))


def _places(reranker: Reranker, ranking: Ranking, doc_ids: Iterable[str]) -> Places:
    position = {doc_id: place for place, doc_id in enumerate(doc_ids)}
    values = Relevance.of(ranking, reranker.scale).values
    return [(position[result.doc_id], value) for result, value in zip(ranking, values, strict=True)]
