"""The ranker, in Haystack."""

import asyncio
import os

import pytest
from judged_sample import falling

from rerankllm import InputError, QueryFailed

os.environ["HAYSTACK_TELEMETRY_ENABLED"] = "False"
pytest.importorskip("haystack", reason="needs the extra `haystack`")

from haystack import Document, Pipeline, component
from haystack.core.errors import PipelineRuntimeError

from rerankllm.integrations.haystack import RerankllmRanker

ALLOWED = ["rerankllm.*"]


@pytest.fixture
def documents(sample):
    return [
        Document(id=doc_id, content=text, meta={"source": doc_id}, score=0.5)
        for text, doc_id in zip(sample.texts, sample.doc_ids, strict=True)
    ]


@pytest.fixture
def ranker(sample):
    made = RerankllmRanker(strategy="sliding", model=f"oracle:{sample.qrels}")
    yield made
    made.close()


def test_documents_come_back_best_first(ranker, documents, sample):
    found = ranker.run(sample.query, documents)["documents"]
    assert [document.id for document in found] == [sample.doc_ids[place] for place in sample.order]
    assert all(document.meta == {"source": document.id} for document in found)
    assert falling([document.score for document in found])
    assert {document.score for document in documents} == {0.5}
    assert asyncio.run(ranker.run_async(sample.query, documents))["documents"] == found
    assert len(ranker.run(sample.query, documents, top_k=2)["documents"]) == 2
    assert ranker.run(sample.query, []) == {"documents": []}


def test_what_cannot_be_ranked(counting, documents):
    ranker = RerankllmRanker(reranker=counting)
    with pytest.raises(QueryFailed, match="scripted failure"):
        ranker.run("this cannot be answered", documents)
    with pytest.raises(InputError, match="document picture has no content"):
        ranker.run("query", [Document(id="picture", content=None)])
    with pytest.raises(InputError, match="top_k should be at least 1, found 0"):
        ranker.run("query", documents, top_k=0)
    with pytest.raises(InputError, match="top_k should be at least 1, found -1"):
        RerankllmRanker(top_k=-1)
    pipeline = Pipeline()
    pipeline.add_component("ranker", ranker)
    with pytest.raises(PipelineRuntimeError, match="scripted failure"):
        pipeline.run({"query": "this cannot be answered", "documents": documents})


def test_an_order_that_is_kept_is_marked(counting, documents):
    ranker = RerankllmRanker(reranker=counting, on_error="keep", top_k=3)
    for found in (
        ranker.run("this cannot be answered", documents),
        asyncio.run(ranker.run_async("this cannot be answered", documents)),
    ):
        assert [document.id for document in found["documents"]] == [document.id for document in documents[:3]]
        assert {document.score for document in found["documents"]} == {None}
        assert {document.meta["reranked"] for document in found["documents"]} == {False}
        assert "scripted failure" in found["documents"][0].meta["rerank_failure"]
    assert "reranked" not in ranker.run("query", documents)["documents"][0].meta
    with pytest.raises(InputError, match="the query is empty"):
        ranker.run(" ", documents)
    with pytest.raises(InputError, match="on_error should be raise or keep"):
        RerankllmRanker(on_error="ignore")


def test_in_a_pipeline_that_went_through_yaml(ranker, documents, sample):
    ranker.top_k = 4
    pipeline = Pipeline()
    pipeline.add_component("ranker", ranker)
    text = pipeline.dumps()
    again = Pipeline.loads(text, allowed_modules=ALLOWED)
    assert again.dumps() == text
    best = [sample.doc_ids[place] for place in sample.order[:4]]
    for each in (pipeline, again):
        found = each.run({"query": sample.query, "documents": documents})["ranker"]["documents"]
        assert [document.id for document in found] == best
    again.get_component("ranker").close()


def test_in_a_pipeline_awaited(ranker, documents, sample):
    pipeline = Pipeline()
    pipeline.add_component("ranker", ranker)
    run = pipeline.run_async({"ranker": {"query": sample.query, "documents": documents}})
    found = asyncio.run(run)["ranker"]["documents"]
    assert [document.id for document in found] == [sample.doc_ids[place] for place in sample.order]


def test_behind_a_retriever(ranker, documents, sample):
    @component
    class First:
        @component.output_types(documents=list[Document])
        def run(self, query: str):
            return {"documents": documents}

    pipeline = Pipeline()
    pipeline.add_component("first", First())
    pipeline.add_component("ranker", ranker)
    pipeline.connect("first.documents", "ranker.documents")
    found = pipeline.run({"first": {"query": sample.query}, "ranker": {"query": sample.query, "top_k": 1}})
    assert [document.id for document in found["ranker"]["documents"]] == [sample.doc_ids[sample.order[0]]]


def test_written_down_and_read_back(sample, counting):
    ranker = RerankllmRanker(
        strategy="sliding(window=8, stride=4)",
        model=f"oracle:{sample.qrels}",
        instruction="facts",
        passage_tokens=40,
        top_k=3,
    )
    data = ranker.to_dict()
    assert data == {
        "type": "rerankllm.integrations.haystack.RerankllmRanker",
        "init_parameters": {
            "strategy": "sliding(window=8, stride=4)", "model": f"oracle:{sample.qrels}", "instruction": "facts",
            "passage_tokens": 40, "top_k": 3, "on_error": "raise",
        },
    }  # fmt: skip
    assert RerankllmRanker.from_dict(data).to_dict() == data
    with pytest.raises(InputError, match="a ready reranker cannot be written down"):
        RerankllmRanker(reranker=counting).to_dict()


def test_warm_up_loads():
    ranker = RerankllmRanker(model="oracle:/nowhere/qrels")
    with pytest.raises(InputError, match="/nowhere/qrels"):
        ranker.warm_up()
