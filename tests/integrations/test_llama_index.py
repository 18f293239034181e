"""The postprocessor, in LlamaIndex."""

import asyncio

import pytest
from judged_sample import falling

from rerankllm import InputError, QueryFailed

pytest.importorskip("llama_index.core", reason="needs the extra `llama-index`")

from llama_index.core.callbacks import CallbackManager, CBEventType, LlamaDebugHandler
from llama_index.core.instrumentation import get_dispatcher
from llama_index.core.instrumentation.event_handlers import BaseEventHandler
from llama_index.core.instrumentation.events.rerank import ReRankEndEvent, ReRankStartEvent
from llama_index.core.llms import MockLLM
from llama_index.core.query_engine import RetrieverQueryEngine
from llama_index.core.response_synthesizers import ResponseMode, get_response_synthesizer
from llama_index.core.retrievers import BaseRetriever
from llama_index.core.schema import MetadataMode, NodeWithScore, QueryBundle, TextNode
from pydantic_core import PydanticSerializationError

from rerankllm.integrations.llama_index import RerankllmPostprocessor


class First(BaseRetriever):
    """Returns what it was given, for any query."""

    def __init__(self, nodes):
        super().__init__()
        self._nodes = nodes

    def _retrieve(self, query_bundle):
        return self._nodes


class Heard(BaseEventHandler):
    """Remembers events."""

    events: list = []  # noqa: RUF012 - pydantic copies it

    def handle(self, event, **_):
        self.events.append(event)


@pytest.fixture
def nodes(sample):
    return [
        NodeWithScore(node=TextNode(text=text, id_=doc_id, metadata={"source": doc_id}), score=1 / (place + 1))
        for place, (text, doc_id) in enumerate(zip(sample.texts, sample.doc_ids, strict=True))
    ]


@pytest.fixture
def postprocessor(sample):
    made = RerankllmPostprocessor(strategy="sliding", model=f"oracle:{sample.qrels}")
    yield made
    made.close()


@pytest.fixture
def heard():
    handler, dispatcher = Heard(), get_dispatcher()
    dispatcher.add_event_handler(handler)
    yield handler.events
    dispatcher.event_handlers.remove(handler)


def test_nodes_come_back_best_first(postprocessor, nodes, sample):
    found = postprocessor.postprocess_nodes(nodes, query_str=sample.query)
    assert [node.node.node_id for node in found] == [sample.doc_ids[place] for place in sample.order]
    assert all(node.node.metadata == {"source": node.node.node_id} for node in found)
    assert falling([node.score for node in found])
    assert [node.score for node in nodes] == [1 / (place + 1) for place in range(20)]
    bundle = QueryBundle(sample.query)
    awaited = asyncio.run(postprocessor.apostprocess_nodes(nodes, bundle))
    assert [(node.node_id, node.score) for node in awaited] == [(node.node_id, node.score) for node in found]
    postprocessor.top_n = 3
    assert len(postprocessor.postprocess_nodes(nodes, bundle)) == 3
    assert postprocessor.postprocess_nodes([], bundle) == []


def test_the_model_is_shown_the_metadata_that_is_meant_for_models(counting):
    nodes = [NodeWithScore(node=TextNode(text="text", metadata={"worth": worth})) for worth in (1, 3, 2)]
    for node in nodes:
        node.node.text_template = "{content} {metadata_str}"
    postprocessor = RerankllmPostprocessor(reranker=counting)
    found = postprocessor.postprocess_nodes(nodes, query_str="query")
    assert [node.node.metadata["worth"] for node in found] == [3, 2, 1]
    for node in nodes:
        node.node.excluded_llm_metadata_keys = ["worth"]
    found = postprocessor.postprocess_nodes(nodes, query_str="query")
    assert [node.node.metadata["worth"] for node in found] == [1, 3, 2]


def test_events(postprocessor, nodes, sample, heard):
    debug = LlamaDebugHandler(print_trace_on_end=False)
    postprocessor.callback_manager = CallbackManager([debug])
    postprocessor.top_n = 5
    found = postprocessor.postprocess_nodes(nodes, query_str=sample.query)
    start, end = (event for event in heard if isinstance(event, ReRankStartEvent | ReRankEndEvent))
    assert (start.query, start.top_n, start.model_name) == (sample.query, 5, f"oracle:{sample.qrels}")
    assert (len(start.nodes), end.nodes) == (20, found)
    ((first, last),) = debug.get_event_pairs(CBEventType.RERANKING)
    assert first.payload["query_str"] == sample.query
    assert last.payload["nodes"] == found


def test_a_failure_is_raised(counting, nodes, heard):
    postprocessor = RerankllmPostprocessor(reranker=counting)
    with pytest.raises(QueryFailed, match="scripted failure"):
        postprocessor.postprocess_nodes(nodes, query_str="this cannot be answered")
    with pytest.raises(QueryFailed, match="scripted failure"):
        asyncio.run(postprocessor.apostprocess_nodes(nodes, query_str="this cannot be answered"))
    assert not [event for event in heard if isinstance(event, ReRankEndEvent)]
    with pytest.raises(InputError, match="give query_bundle or query_str"):
        postprocessor.postprocess_nodes(nodes)


def test_an_order_that_is_kept_is_marked(counting, nodes):
    postprocessor = RerankllmPostprocessor(reranker=counting, on_error="keep", top_n=2)
    found = postprocessor.postprocess_nodes(nodes, query_str="this cannot be answered")
    assert [node.node.node_id for node in found] == [node.node.node_id for node in nodes[:2]]
    assert {node.score for node in found} == {None}
    assert found[0].node.metadata["reranked"] is False
    assert "reranked" not in found[0].node.get_content(metadata_mode=MetadataMode.LLM)
    assert "reranked" not in nodes[0].node.metadata


def test_in_a_query_engine(postprocessor, nodes, sample):
    synthesizer = get_response_synthesizer(llm=MockLLM(), response_mode=ResponseMode.COMPACT)
    engine = RetrieverQueryEngine(First(nodes), synthesizer, node_postprocessors=[postprocessor])
    best = [sample.doc_ids[place] for place in sample.order]
    assert [node.node_id for node in engine.query(sample.query).source_nodes] == best
    assert [node.node_id for node in asyncio.run(engine.aquery(sample.query)).source_nodes] == best


def test_written_down_and_read_back(postprocessor, nodes, sample, counting):
    postprocessor.top_n = 4
    data = postprocessor.to_dict()
    assert data["class_name"] == "RerankllmPostprocessor"
    again = RerankllmPostprocessor.from_dict(data)
    assert again.to_dict() == data
    assert RerankllmPostprocessor.from_json(postprocessor.to_json()).to_dict() == data
    found = again.postprocess_nodes(nodes, query_str=sample.query)
    assert [node.node_id for node in found] == [sample.doc_ids[place] for place in sample.order[:4]]
    again.close()
    with pytest.raises(PydanticSerializationError, match="a ready reranker cannot be written down"):
        RerankllmPostprocessor(reranker=counting).to_dict()
