"""The transformer, in PyTerrier."""

import os

import pytest
from judged_sample import falling

from rerankllm import InputError, QueryFailed, Reranker, load_collection
from rerankllm.sample import path

os.environ["PT_TEST_TRANSFORMER_REPORTS"] = "0"
pt = pytest.importorskip("pyterrier", reason="needs the extra `pyterrier`")

import pandas as pd  # noqa: E402

from rerankllm.integrations.pyterrier import RerankllmTransformer  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore:The inplace keyword")  # what PyTerrier 1.1 asks of pandas 3.1
MODEL = f"oracle:{path('qrels.txt')}"


@pytest.fixture(scope="module")
def frame():
    """The whole sample, as a first stage returns it, with a column more."""
    rows = [
        {
            "qid": query.query_id, "query": query.text, "docno": candidate.doc_id, "text": candidate.document.content,
            "score": candidate.score, "rank": rank, "source": f"s-{candidate.doc_id}",
        }
        for query, candidates in load_collection("sample").candidates()
        for rank, candidate in enumerate(candidates)
    ]  # fmt: skip
    return pd.DataFrame(rows)


@pytest.fixture(scope="module")
def oracle():
    made = RerankllmTransformer(strategy="sliding", model=MODEL)
    yield made
    made.close()


class TestConformance(pt.testing.TransformerTestCase):
    """PyTerrier's own tests of transformers."""

    def setUp(self):
        pt.documentation._cached_objects_inv = {}  # which is otherwise downloaded for links in drawings

    @staticmethod
    def get_transformer():
        return RerankllmTransformer(strategy="sliding", model=MODEL)


def test_every_query_is_reranked(frame, oracle):
    found = oracle.transform(frame)
    with Reranker("sliding", MODEL) as reranker:
        rankings = list(reranker.stream(load_collection("sample").candidates()))
    assert len(rankings) == 8
    assert found["docno"].tolist() == [doc_id for ranking in rankings for doc_id in ranking.doc_ids]
    assert set(found.columns) == set(frame.columns)
    assert (found["source"] == "s-" + found["docno"]).all()
    for _, part in found.groupby("qid", sort=False):
        assert part["rank"].tolist() == list(range(20))
        assert falling(part["score"].tolist())
    pt.validate.result_frame(found, extra_columns=["query", "text", "score", "rank"])
    again = pt.model.add_ranks(found.copy())
    assert again["rank"].tolist() == found["rank"].tolist()


def test_candidates_are_read_in_the_order_of_their_scores(frame, oracle):
    shuffled = frame.sample(frac=1, random_state=1)
    found = oracle(shuffled)
    expected = oracle(frame)
    for query_id in frame["qid"].unique():
        names = [result.loc[result["qid"] == query_id, "docno"].tolist() for result in (found, expected)]
        assert names[0] == names[1]
    assert found["qid"].drop_duplicates().tolist() == shuffled["qid"].drop_duplicates().tolist()


def test_without_a_first_stage(frame, oracle):
    found = oracle(frame[["qid", "query", "docno", "text"]])
    assert found["docno"].tolist() == oracle(frame)["docno"].tolist()


def test_empty_and_lacking_frames(frame, oracle):
    nothing = oracle(frame.iloc[:0])
    assert nothing.empty
    assert set(nothing.columns) == set(frame.columns)
    assert oracle(pd.DataFrame(columns=["qid", "query", "docno", "text"])).columns.tolist() == [
        "qid", "query", "docno", "text", "score", "rank"
    ]  # fmt: skip
    with pytest.raises(pt.validate.InputValidationError, match="text"):
        oracle(frame.drop(columns="text"))


def test_pipelines(frame, oracle):
    first = pt.Transformer.from_df(frame)
    topics = frame[["qid", "query"]].drop_duplicates()
    found = (first % 10 >> oracle % 3)(topics)
    assert found.groupby("qid").size().tolist() == [3] * 8
    assert found["rank"].max() == 2
    assert set(found["docno"]) <= set(frame.loc[frame["rank"] < 10, "docno"])
    qrels = pd.read_csv(path("qrels.txt"), sep=" ", names=["qid", "zero", "docno", "label"])
    table = pt.Experiment(
        [first, first >> oracle], topics, qrels, ["ndcg_cut_10"], names=["bm25", "oracle"], plan="tree"
    )
    values = dict(zip(table["name"], table["ndcg_cut_10"], strict=True))
    assert values["bm25"] < values["oracle"]
    assert first.search("how long do fleas live").empty  # a frame knows its own queries only
    assert len((first >> oracle).search("how long do fleas live", qid="q1")) == 20


def test_inspection(oracle):
    assert pt.inspect.transformer_inputs(oracle) == [["qid", "docno", "query", "text"]]
    outputs = pt.inspect.transformer_outputs(oracle, ["qid", "query", "docno", "text", "source"])
    assert outputs == ["qid", "query", "docno", "text", "source", "score", "rank"]
    other = pt.inspect.transformer_apply_attributes(oracle, strategy="pointwise")
    assert (other.strategy, other.model) == ("pointwise", MODEL)
    assert str(other) == "RerankllmTransformer(pointwise)"


def test_another_column(frame):
    named = RerankllmTransformer(strategy="sliding", model=MODEL, text_field="body", top_k=3)
    found = named(frame.rename(columns={"text": "body"}))
    assert "body" in found.columns
    named.close()
    with pytest.raises(InputError, match="top_k should be at least 1"):
        RerankllmTransformer(top_k=0)


def test_what_cannot_be_ranked(frame, counting):
    transformer = RerankllmTransformer(counting)
    with pytest.raises(QueryFailed, match="query q3: scripted failure"):
        transformer(frame.assign(query=frame["query"].mask(frame["qid"] == "q3", "this cannot be answered")))
    with pytest.raises(InputError, match="query q1: 1 document ids come more than once: d039"):
        transformer(pd.concat([frame.iloc[:2], frame.iloc[:1]]))
    with pytest.raises(InputError, match="query q1: document 1: expected a text, found nan"):
        transformer(frame.iloc[:3].assign(text=["a", None, "b"]))


def test_queries_share_batches(frame, counting):
    counting.backend.gate.set()
    RerankllmTransformer(counting)(frame)
    assert counting.backend.calls == 160
    assert len(counting.backend.batches) < 8
