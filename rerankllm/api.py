"""One call, with nothing to open or close: the reranker behind it stays loaded for the next."""

import asyncio
import threading
from collections.abc import Mapping

from rerankllm.data import Ranking
from rerankllm.formats.objects import AnyDocuments
from rerankllm.reranker import Reranker


def rerank(
    query: str,
    documents: AnyDocuments,
    *,
    top_k: int | None = None,
    strategy: str | None = None,
    model: str | None = None,
    columns: Mapping[str, str] | None = None,
    top_n: int | None = None,
) -> Ranking:
    """Ranks documents for one query. Without `model`, a small language model runs right here.

    The model stays loaded for the next call; with many models, make a `Reranker` for each and close it.

    Args:
        query: The query.
        documents: Texts, dicts, `Document`s; a table (pandas, polars, pyarrow, `datasets`); or a `Path` to a CSV, TSV,
            JSON, JSON lines or Parquet file. `Reranker.rerank` says more.
        top_k: How many results to return; all when None.
        strategy: A stage spec such as `sliding(window=20, stride=10)`; the model's default when None.
        model: `kind:name[?key=value&…]`; the one that needs nothing else when None.
        columns: Names of keys or columns by field (`text`, `id`, `title`, `score`), where they are not the usual ones.
        top_n: What other libraries call `top_k`; refused with a hint.

    Returns:
        The documents, best first. A ranking prints as a table; `to_dict()` and `to_pandas()` take it elsewhere.

    Raises:
        RerankError: The documents cannot be read, or the model did not rank them.

    Example:
        >>> ranking = rerank("how long do fleas live", ["Fleas live for weeks.", "Dogs bark."], top_k=1)
        >>> print(ranking)
    """
    return _shared(strategy, model).rerank(query, documents, top_k=top_k, columns=columns, top_n=top_n)


async def arerank(
    query: str,
    documents: AnyDocuments,
    *,
    top_k: int | None = None,
    strategy: str | None = None,
    model: str | None = None,
    columns: Mapping[str, str] | None = None,
    top_n: int | None = None,
) -> Ranking:
    """`rerank`, awaited."""
    reranker = await asyncio.to_thread(_shared, strategy, model)  # which may have to load the model
    return await reranker.arerank(query, documents, top_k=top_k, columns=columns, top_n=top_n)


_loaded: dict[tuple[str | None, str | None], Reranker] = {}
_loading = threading.Lock()


def _shared(strategy: str | None, model: str | None) -> Reranker:
    with _loading:
        if (strategy, model) not in _loaded:
            _loaded[strategy, model] = Reranker(strategy, model)
        return _loaded[strategy, model]
