"""LangChain: a document compressor, such as `ContextualCompressionRetriever` takes."""

from collections.abc import Sequence

from rerankllm.errors import MissingExtra

try:
    from langchain_core.callbacks import Callbacks
    from langchain_core.documents import BaseDocumentCompressor, Document

    from rerankllm.integrations.fields import RankerFields
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
            QueryFailed: They could not be ranked. Whoever would rather go on with the retriever's own order says so:
                `compression_retriever.with_fallbacks([retriever])`.
        """
        texts = [document.page_content for document in documents]
        return [_scored(documents[index], score) for index, score in self._ranking().rank(query, texts, self.top_n)]

    async def acompress_documents(
        self,
        documents: Sequence[Document],
        query: str,
        callbacks: Callbacks | None = None,  # noqa: ARG002 - the base's signature
    ) -> Sequence[Document]:
        """`compress_documents`, awaited."""
        texts = [document.page_content for document in documents]
        places = await self._ranking().arank(query, texts, self.top_n)
        return [_scored(documents[index], score) for index, score in places]


def _scored(document: Document, score: float) -> Document:
    return document.model_copy(update={"metadata": {**document.metadata, SCORE: score}})
