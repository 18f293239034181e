"""LangChain: a document compressor, such as `ContextualCompressionRetriever` takes."""

from collections.abc import Sequence

from rerankllm.errors import MissingExtra

try:
    from langchain_core.callbacks import Callbacks
    from langchain_core.documents import BaseDocumentCompressor, Document

    from rerankllm.integrations.fields import RankerFields
    from rerankllm.integrations.ranker import Placed
except ImportError as error:
    raise MissingExtra("the LangChain adapter needs langchain-core: pip install 'rerankllm[langchain]'") from error

SCORE = "relevance_score"


class RerankllmCompressor(RankerFields, BaseDocumentCompressor):
    """Reranks documents and keeps the first `top_n`; `metadata["relevance_score"]` says how relevant each is.

    Example:
        >>> compressor = RerankllmCompressor(strategy="pointwise / labels", top_n=3)
        >>> ContextualCompressionRetriever(base_compressor=compressor, base_retriever=retriever)
    """

    def compress_documents(
        self,
        documents: Sequence[Document],
        query: str,
        callbacks: Callbacks | None = None,  # noqa: ARG002 - the base's signature
    ) -> Sequence[Document]:
        """The documents, best first: copies, with their ids and metadata.

        Raises:
            QueryFailed: They could not be ranked, and `on_error` is not `keep`. With it they come as they were given,
                with `relevance_score` None, `reranked` False and `rerank_failure` in their metadata.
        """
        texts = [document.page_content for document in documents]
        return _scored(documents, self._ranking().place(query, texts, self.top_n, self.on_error))

    async def acompress_documents(
        self,
        documents: Sequence[Document],
        query: str,
        callbacks: Callbacks | None = None,  # noqa: ARG002 - the base's signature
    ) -> Sequence[Document]:
        """`compress_documents`, awaited."""
        texts = [document.page_content for document in documents]
        return _scored(documents, await self._ranking().aplace(query, texts, self.top_n, self.on_error))


def _scored(documents: Sequence[Document], placed: Placed) -> list[Document]:
    return [
        documents[index].model_copy(update={"metadata": {**documents[index].metadata, SCORE: score, **placed.mark}})
        for index, score in placed.places
    ]
