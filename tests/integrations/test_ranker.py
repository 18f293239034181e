"""What adapters share."""

import asyncio
import importlib
import pickle
import sys

import pytest
from judged_sample import falling

from rerankllm import Candidate, Document, InputError, MissingExtra, Query, QueryFailed, Reranker, SpecError
from rerankllm.integrations.ranker import Ranker, RerankerSource
from rerankllm.integrations.sentence_transformers import RerankllmCrossEncoder


def test_positions_and_scores(sample):
    ranker = Ranker(RerankerSource(strategy="sliding", model=f"oracle:{sample.qrels}"))
    places = ranker.rank(sample.query, sample.texts)
    assert [index for index, _ in places] == sample.order
    assert falling([score for _, score in places])
    assert ranker.rank(sample.query, sample.texts, 99) == places
    assert asyncio.run(ranker.arank(sample.query, sample.texts)) == places
    first = ranker.rank(sample.query, sample.texts, 3)
    assert [sample.grades[index] for index, _ in first] == sorted(sample.grades, reverse=True)[:3]
    ranker.close()
    assert ranker.rank(sample.query, sample.texts) == places
    ranker.close()


def test_the_strategys_scores_are_kept_where_they_can_be(sample):
    """Grades 0 to 3 as logistic scores, ties told apart by next to nothing."""
    ranker = Ranker(RerankerSource(strategy="pointwise", model=f"oracle:{sample.qrels}"))
    logistic = [1 / (1 + 2.718281828**-grade) for grade in sorted(sample.grades, reverse=True)]
    assert [score for _, score in ranker.rank(sample.query, sample.texts)] == pytest.approx(logistic, abs=1e-5)
    ranker.close()


def test_nothing_is_loaded_before_it_is_needed():
    ranker = Ranker(RerankerSource(model="oracle:/nowhere/qrels"))
    assert ranker.rank("query", []) == []
    assert asyncio.run(ranker.arank("query", [])) == []
    with pytest.raises(InputError, match="/nowhere/qrels"):
        ranker.rank("query", ["text"])


def test_what_cannot_be_is_said_at_once(counting):
    with pytest.raises(SpecError, match="nonsense"):
        RerankerSource(strategy="nonsense")
    with pytest.raises(SpecError, match="kind:name"):
        RerankerSource(model="smollm2")
    with pytest.raises(InputError, match="a ready reranker has a model of its own"):
        RerankerSource(counting, model="counting:other")
    with pytest.raises(InputError, match="a ready reranker cannot be written down"):
        _ = RerankerSource(counting).arguments


def test_a_failed_query_has_no_order(counting):
    ranker = Ranker(RerankerSource(counting))
    with pytest.raises(QueryFailed, match="scripted failure"):
        ranker.rank("this cannot be answered", ["1", "2"])
    with pytest.raises(QueryFailed, match="scripted failure"):
        asyncio.run(ranker.arank("this cannot be answered", ["1", "2"]))


def test_queries_share_batches(counting):
    candidates = [Candidate(Document(name, name[1:])) for name in ("d1", "d3", "d2")]
    queries = [(Query(f"q{n}", f"query {n}"), candidates) for n in range(12)]
    counting.backend.gate.clear()
    places = Ranker(RerankerSource(counting)).rank_all(queries)
    counting.backend.gate.set()
    assert [[index for index, _ in found] for found in places] == [[1, 2, 0]] * 12
    assert counting.backend.calls == 36
    assert len(counting.backend.batches) < 12


def test_the_others_stop_when_one_fails():
    """Also while somebody holds the error."""
    candidates = [Candidate(Document(str(n), str(n))) for n in range(20)]
    queries = [(Query("a", "this cannot be answered"), candidates), (Query("b", "other"), candidates)]
    with Reranker("sliding(window=2, stride=1)", "counting:test?delay=0.01", driver="rounds") as reranker:
        with pytest.raises(QueryFailed) as held:
            list(Ranker(RerankerSource(reranker)).rank_all(queries))
        reranker.rerank("another", [str(n) for n in range(30)])
        assert sum(batch.count("other") for batch in reranker.backend.batches) < 19, held


def test_a_ready_reranker_stays_open(counting):
    ranker = Ranker(RerankerSource(counting))
    ranker.close()
    assert ranker.rank("query", ["1", "2"])[0][0] == 1


def test_copies_load_their_own(sample):
    ranker = Ranker(RerankerSource(strategy="pointwise", model=f"oracle:{sample.qrels}"))
    places = ranker.rank(sample.query, sample.texts)
    copy = pickle.loads(pickle.dumps(ranker))  # noqa: S301
    assert copy.source == ranker.source
    ranker.close()
    assert copy.rank(sample.query, sample.texts) == places
    copy.close()


def test_the_rank_of_a_cross_encoder(sample, counting):
    encoder = RerankllmCrossEncoder(f"oracle:{sample.qrels}", strategy="sliding")
    hits = encoder.rank(sample.query, sample.texts)
    assert [hit["corpus_id"] for hit in hits] == sample.order
    assert falling([hit["score"] for hit in hits])
    assert set(hits[0]) == {"corpus_id", "score"}
    texts = encoder.rank(sample.query, sample.texts, top_k=2, return_documents=True)
    assert [hit["text"] for hit in texts] == [sample.texts[hit["corpus_id"]] for hit in texts]
    assert len(texts) == 2
    assert encoder.rank(sample.query, []) == []
    encoder.close()
    with pytest.raises(InputError, match="top_k should be at least 1"):
        RerankllmCrossEncoder(reranker=counting).rank("query", ["1"], top_k=0)


def test_its_signature_is_that_of_sentence_transformers():
    cross_encoder = pytest.importorskip("sentence_transformers", reason="needs the extra `embed`").CrossEncoder
    import inspect

    theirs = inspect.signature(cross_encoder.rank).parameters
    ours = inspect.signature(RerankllmCrossEncoder.rank).parameters
    named = [name for name, parameter in ours.items() if parameter.kind is not inspect.Parameter.VAR_KEYWORD]
    assert named == list(theirs)[: len(named)]
    assert [ours[name].default for name in named] == [theirs[name].default for name in named]


def test_it_takes_what_says_how_to_compute_and_refuses_what_would_change_scores(sample):
    encoder = RerankllmCrossEncoder(f"oracle:{sample.qrels}", strategy="sliding")
    plain = encoder.rank(sample.query, sample.texts)
    assert encoder.rank(sample.query, sample.texts, batch_size=8, show_progress_bar=False, prompt=None) == plain
    with pytest.raises(InputError, match="rank: prompt is not taken here; instruction="):
        encoder.rank(sample.query, sample.texts, prompt="find facts")


@pytest.mark.parametrize(
    "module, package, extra",
    [
        ("langchain", "langchain_core", "langchain"),
        ("llama_index", "llama_index.core", "llama-index"),
        ("haystack", "haystack", "haystack"),
        ("pyterrier", "pyterrier", "pyterrier"),
    ],
)
def test_a_missing_package_is_named_with_its_extra(module, package, extra, monkeypatch):
    gone = [name for name in sys.modules if name == package or name.startswith(f"{package}.")]
    for name in {package, *gone}:
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.delitem(sys.modules, f"rerankllm.integrations.{module}", raising=False)
    with pytest.raises(MissingExtra, match=rf"pip install 'rerankllm\[{extra}\]'"):
        importlib.import_module(f"rerankllm.integrations.{module}")


@pytest.mark.llamacpp
def test_the_packaged_language_model():
    encoder = RerankllmCrossEncoder(strategy="pointwise / likelihood", model="llamacpp:smollm2")
    hits = encoder.rank("how long do fleas live", ["Dogs bark at strangers.", "A flea lives for two or three months."])
    assert [hit["corpus_id"] for hit in hits] == [1, 0]
    encoder.close()
    with Reranker("pointwise / labels", "llamacpp:smollm2") as reranker:
        hits = RerankllmCrossEncoder(reranker=reranker).rank("how long do fleas live", ["Dogs bark.", "Fleas jump."])
    assert sorted(hit["corpus_id"] for hit in hits) == [0, 1]
