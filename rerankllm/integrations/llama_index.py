"""LlamaIndex: a node postprocessor."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rerankllm.errors import InputError, MissingExtra

try:
    from llama_index.core.callbacks import CBEventType, EventPayload
    from llama_index.core.instrumentation.events.rerank import ReRankEndEvent, ReRankStartEvent
    from llama_index.core.postprocessor.types import BaseNodePostprocessor
    from llama_index.core.schema import BaseNode, MetadataMode, NodeWithScore, QueryBundle
    from llama_index_instrumentation import get_dispatcher

    from rerankllm.integrations.fields import RankerFields
except ImportError as error:
    raise MissingExtra("the LlamaIndex adapter needs llama-index-core: pip install 'rerankllm[llama-index]'") from error

from rerankllm.drivers.recipe import DEFAULT_MODEL
from rerankllm.integrations.ranker import Placed

dispatcher = get_dispatcher(__name__)


class RerankllmPostprocessor(RankerFields, BaseNodePostprocessor):
    """Reranks nodes and keeps the first `top_n`, each with its new score.

    A node's text is what LlamaIndex shows a model: its metadata too, but for `excluded_llm_metadata_keys`.

    Example:
        >>> index.as_query_engine(node_postprocessors=[RerankllmPostprocessor(strategy="pointwise / labels", top_n=3)])
    """

    @classmethod
    def class_name(cls) -> str:
        """What serialised ones are called."""
        return "RerankllmPostprocessor"

    def _postprocess_nodes(
        self, nodes: list[NodeWithScore], query_bundle: QueryBundle | None = None
    ) -> list[NodeWithScore]:
        query = _text(query_bundle)
        with self._told(nodes, query) as done:
            return done(self._ranking().place(query, _texts(nodes), self.top_n, self.on_error))

    async def _apostprocess_nodes(
        self, nodes: list[NodeWithScore], query_bundle: QueryBundle | None = None
    ) -> list[NodeWithScore]:
        query = _text(query_bundle)
        with self._told(nodes, query) as done:
            return done(await self._ranking().aplace(query, _texts(nodes), self.top_n, self.on_error))

    @contextmanager
    def _told(self, nodes: list[NodeWithScore], query: str) -> Iterator[Callable[[Placed], list[NodeWithScore]]]:
        """Tells LlamaIndex's instrumentation and callbacks of the start, and of the end with the nodes ranked."""
        model = ", ".join(self.reranker.models) if self.reranker else self.model or DEFAULT_MODEL
        top_n = len(nodes) if self.top_n is None else self.top_n
        payload: dict[str, Any] = {
            EventPayload.NODES: nodes,
            EventPayload.MODEL_NAME: model,
            EventPayload.QUERY_STR: query,
            EventPayload.TOP_K: top_n,
        }
        dispatcher.event(ReRankStartEvent(query=query, nodes=nodes, top_n=top_n, model_name=model))
        with self.callback_manager.event(CBEventType.RERANKING, payload=payload) as event:

            def done(placed: Placed) -> list[NodeWithScore]:
                mark = placed.mark
                ranked = [
                    NodeWithScore(node=_marked(nodes[index].node, mark), score=score) for index, score in placed.places
                ]
                event.on_end(payload={EventPayload.NODES: ranked})
                dispatcher.event(ReRankEndEvent(nodes=ranked))
                return ranked

            yield done


def _marked(node: BaseNode, mark: dict[str, Any]) -> BaseNode:
    """The node, or a copy with the mark in its metadata, which no model is shown."""
    if not mark:
        return node
    return node.model_copy(
        update={
            "metadata": {**node.metadata, **mark},
            "excluded_llm_metadata_keys": [*node.excluded_llm_metadata_keys, *mark],
            "excluded_embed_metadata_keys": [*node.excluded_embed_metadata_keys, *mark],
        }
    )


def _text(query: QueryBundle | None) -> str:
    if query is None:
        raise InputError("reranking needs the query: give query_bundle or query_str")
    return query.query_str


def _texts(nodes: list[NodeWithScore]) -> list[str]:
    return [node.node.get_content(metadata_mode=MetadataMode.LLM) for node in nodes]
