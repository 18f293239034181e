"""One call, with nothing to open or close: the reranker behind it stays loaded for the next."""

import asyncio
import threading
from collections.abc import Sequence

from rerankllm.data import Ranking
from rerankllm.formats.objects import AnyDocument
from rerankllm.reranker import Reranker


def rerank(
    query: str,
    documents: Sequence[AnyDocument],
    *,
    top_k: int | None = None,
    strategy: str | None = None,
    model: str | None = None,
) -> Ranking:
    """Ranks documents for one query. Without `model`, a small language model runs right here.

    The model stays loaded for the next call; with many models, make a `Reranker` for each and close it. See
    `Reranker.rerank` for what documents may be and what is raised.

    Example:
        >>> ranking = rerank("how long do fleas live", ["Fleas live for weeks.", "Dogs bark."])
        >>> [result.document.text for result in ranking]
    """
    return _shared(strategy, model).rerank(query, documents, top_k=top_k)


async def arerank(
    query: str,
    documents: Sequence[AnyDocument],
    *,
    top_k: int | None = None,
    strategy: str | None = None,
    model: str | None = None,
) -> Ranking:
    """`rerank`, awaited."""
    reranker = await asyncio.to_thread(_shared, strategy, model)  # which may have to load the model
    return await reranker.arerank(query, documents, top_k=top_k)


_loaded: dict[tuple[str | None, str | None], Reranker] = {}
_loading = threading.Lock()


def _shared(strategy: str | None, model: str | None) -> Reranker:
    with _loading:
        if (strategy, model) not in _loaded:
            _loaded[strategy, model] = Reranker(strategy, model)
        return _loaded[strategy, model]
