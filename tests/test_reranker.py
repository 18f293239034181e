"""The facade, over backends that need no model."""

import asyncio
import pickle
import threading
from functools import partial
from pathlib import Path

import pytest
from waiting import happens

from rerankllm import (
    Candidate,
    Document,
    InputError,
    Provenance,
    Query,
    QueryFailed,
    Ranking,
    Reranker,
    RerankError,
    arerank,
    rerank,
)
from rerankllm.api import _loaded
from rerankllm.drivers.budget import Budget, Limits
from rerankllm.drivers.events import Judged, ranking_of
from rerankllm.drivers.recipe import Recipe
from rerankllm.errors import CapabilityError
from rerankllm.formats.beir import read_corpus, read_queries
from rerankllm.formats.trec import read_run
from rerankllm.sample import path as sample

QUERY = Query("query", "which is best?")


@pytest.fixture
def oracle(tmp_path):
    """Grades: document 2 is best, then 0, then 1; `a`, `b` likewise."""
    path = tmp_path / "qrels.txt"
    path.write_text("query 0 0 2\nquery 0 1 1\nquery 0 2 3\nquery 0 a 1\nquery 0 b 2\n")
    return f"oracle:{path}"


def test_texts_in_ranking_out(oracle):
    with Reranker("pointwise", oracle) as reranker:
        ranking = reranker.rerank("which is best?", ["zero", "one", "two"])
    assert isinstance(ranking, Ranking)
    assert [(r.rank, r.doc_id, r.score, r.document.text) for r in ranking] == [
        (1, "2", 3.0, "two"),
        (2, "0", 2.0, "zero"),
        (3, "1", 1.0, "one"),
    ]
    assert ranking.ledger.calls == 3
    assert ranking.top(1).doc_ids == ("2",)
    assert len(ranking) == 3
    assert ranking[0].doc_id == "2"


def test_dicts_and_documents_keep_ids_titles_and_metadata(oracle):
    documents = [
        {"id": "a", "text": "first", "title": "A", "metadata": {"url": "u"}},
        {"_id": "b", "text": "second", "colour": "red"},
    ]
    with Reranker("sliding", oracle) as reranker:
        best, other = reranker.rerank("which is best?", documents)
        assert (best.doc_id, best.score, best.document.metadata) == ("b", None, {"colour": "red"})
        assert (other.document.title, other.document.metadata) == ("A", {"url": "u"})
        own = [Document("a", "x", metadata={"n": 1}), Document("b", "y")]
        assert [r.document for r in reranker.rerank(QUERY, own)] == own[::-1]


@pytest.mark.parametrize("strategy", ["pointwise", "sliding", "prp", "prp(sort=allpair)", "interpolate(sliding)"])
def test_empty_single_and_duplicate_texts(oracle, strategy):
    with Reranker(strategy, oracle) as reranker:
        assert reranker.rerank("q", []).doc_ids == ()
        assert reranker.rerank("q", ["only"]).doc_ids == ("0",)
        assert reranker.rerank("q", ["same", "same", "same"]).doc_ids == ("2", "0", "1")


def test_first_stage_scores_are_fused_only_when_there_are_any(oracle):
    documents = [{"id": "a", "text": "x", "score": 9.0}, {"id": "b", "text": "y", "score": 1.0}]
    with Reranker("interpolate(sliding, weight=0.2)", oracle) as reranker:
        assert reranker.rerank("q", documents).doc_ids == ("a", "b")
        assert reranker.rerank("q", [{**d, "score": None} for d in documents]).doc_ids == ("b", "a")


@pytest.mark.parametrize(
    ("documents", "message"),
    [
        ("one string", "a list of documents"),
        ({"text": "one dict"}, "a list of documents"),
        ([Document(1, "x")], "document 0: doc_id and text should be strings"),
        ([{"text": "x", "score": "high"}], "document 0: the first stage's score should be a number, found 'high'"),
        ([{"id": "a"}], "document 0: expected a column of texts .* yours has `id`"),
        ([3], "document 0 should be"),
        ([{"id": "a", "text": "x"}, {"id": "a", "text": "y"}], "1 document ids come more than once: a"),
    ],
)
def test_bad_documents(oracle, documents, message):
    with Reranker("sliding", oracle) as reranker, pytest.raises(InputError, match=message):
        reranker.rerank("q", documents)


def test_bad_settings(oracle):
    with pytest.raises(InputError, match="depth should be at least 1"):
        Reranker("sliding", oracle, depth=0)
    with pytest.raises(InputError, match="at least 1 token"):
        Reranker("sliding", oracle, passage_tokens=0)
    with Reranker("sliding", oracle) as reranker:
        for query, message in (("  ", "query is empty"), (None, "query should be a text")):
            with pytest.raises(InputError, match=message):
                reranker.rerank(query, ["x"])
        with pytest.raises(InputError, match="top_k should be at least 1"):
            reranker.rerank("q", ["x"], top_k=0)
    with pytest.raises(RerankError, match="closed"):
        reranker.rerank("q", ["x"])
    with pytest.raises(InputError, match="leave one out"):
        Reranker(f"sliding @ '{oracle}'", "openai:x")
    for settings in ({"instruction": "x"}, {"passage_tokens": 5}):
        with pytest.raises(CapabilityError, match="answers without a prompt"):
            Reranker("sliding", oracle, **settings)


def test_the_module_function_loads_a_model_once(oracle):
    """From many threads at once, too."""
    before = threading.active_count()
    found, lock = [], threading.Barrier(8)

    def first_use():
        lock.wait()
        found.append(rerank("q", ["zero", "one", "two"], strategy="pointwise", model=oracle).doc_ids)

    threads = [threading.Thread(target=first_use) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [("2", "0", "1")] * 8
    assert threading.active_count() <= before + 1
    again = asyncio.run(arerank("q", ["zero", "one"], strategy="pointwise", model=oracle))
    assert again.doc_ids == ("0", "1")
    _loaded.pop(("pointwise", oracle)).close()


def test_a_cancelled_arerank_ends(oracle):
    events = []
    with Reranker("prp(sort=bubble, top_k=50)", oracle, observer=events.append) as reranker:

        async def give_up():
            task = asyncio.create_task(reranker.arerank(Query("query", "given up"), ["x"] * 300))
            await happens(lambda: len(events) >= 5)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

        asyncio.run(give_up())
        reranker.rerank(Query("query", "another"), ["zero", "one", "two"])
        assert reranker.plan(300).calls.high > len(events)
        told = [event.query.text for event in events if isinstance(event, Judged)]
        assert "given up" not in told[told.index("another") + 1 :]


def test_what_a_model_cannot_do_is_said_before_the_first_call(oracle):
    with pytest.raises(CapabilityError, match="leave the '/ elicitation' out"):
        Reranker("sliding / labels", oracle)
    with pytest.raises(CapabilityError, match="leave the '/ elicitation' out"):
        Reranker("interpolate(sliding / labels)", oracle)
    recorded = oracle.replace("oracle", "recorded").replace("qrels.txt", "recorded.jsonl")
    Path(recorded.removeprefix("recorded:")).write_text('{"query_id": "q", "doc_ids": ["a"], "response": "[1]"}\n')
    with pytest.raises(
        CapabilityError,
        match="can put passages in order, and this strategy asks it to score passages: leave the strategy out",
    ):
        Reranker("pointwise", recorded)


def test_a_stage_may_name_its_own_model(oracle):
    for spec in (f"sliding @ '{oracle}'", f"interpolate(sliding @ '{oracle}')"):
        with Reranker(spec) as reranker:
            assert reranker.backend.model == oracle
            assert reranker.rerank("q", ["zero", "one", "two"]).doc_ids == ("2", "0", "1")


def test_a_query_that_cannot_be_ranked_raises_and_names_itself(oracle):
    with Reranker("sliding", oracle) as reranker:
        with pytest.raises(QueryFailed, match="query other: no qrels for query other"):
            reranker.rerank(Query("other", "?"), ["a", "b"])
        assert len(reranker.rerank("q", ["a", "b"])) == 2  # and goes on working


def test_depth_leaves_the_rest_unread_in_input_order(oracle):
    with Reranker("sliding", oracle, depth=2) as reranker:
        ranking = reranker.rerank("q", ["zero", "one", "two", "three"])
        assert ranking.doc_ids == ("0", "1", "2", "3")
        assert [r.provenance for r in ranking] == [Provenance.JUDGED] * 2 + [Provenance.UNREAD] * 2
        assert [r.rank for r in ranking] == [1, 2, 3, 4]
        assert reranker.plan(100).calls == (1, 1)


def test_top_k_limits_what_comes_back_and_what_is_asked(oracle):
    with Reranker("prp(sort=bubble)", oracle) as reranker:
        ranking = reranker.rerank("q", ["zero", "one", "two"], top_k=1)
        assert ranking.doc_ids == ("2",)
        assert ranking.ledger.calls == 4
        assert asyncio.run(reranker.arerank("q", ["zero", "one", "two"], top_k=2)).doc_ids == ("2", "0")
        assert len(reranker.rerank("q", ["zero", "one"], top_k=9)) == 2
        assert ranking_of(reranker.submit("q", ["zero", "one", "two"], top_k=1).result()).doc_ids == ("2", "0", "1")
        with pytest.raises(InputError, match=r"top_n is called top_k here: rerank\(query, documents, top_k=3\)"):
            reranker.rerank("q", ["zero", "one"], top_n=3)


def test_tables_are_documents(oracle, tmp_path):
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"key": ["a", "b"], "abstract": ["zero", "one"], "year": [1999, 2001]})
    frame.to_csv(tmp_path / "p.csv", index=False)
    columns = {"id": "key", "text": "abstract"}
    with Reranker("sliding", oracle) as reranker:
        for documents in (frame, tmp_path / "p.csv"):
            best = reranker.rerank("q", documents, columns=columns)[0]
            assert (best.doc_id, best.text, int(best.document.metadata["year"])) == ("b", "one", 2001)


def test_from_everywhere(oracle):
    """Twice, from several threads, and inside a running loop."""
    with Reranker("sliding", oracle) as reranker:
        expected = reranker.rerank("q", ["a", "b", "c"]).doc_ids
        assert reranker.rerank("q", ["a", "b", "c"]).doc_ids == expected

        found = []
        threads = [
            threading.Thread(target=lambda: found.append(reranker.rerank("q", ["a", "b", "c"]).doc_ids))
            for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert found == [expected] * 8

        async def inside():
            blocking = reranker.rerank("q", ["a", "b", "c"]).doc_ids
            awaited = await asyncio.gather(*(reranker.arerank("q", ["a", "b", "c"]) for _ in range(5)))
            return [blocking, *(ranking.doc_ids for ranking in awaited)]

        assert asyncio.run(inside()) == [expected] * 6
        assert asyncio.run(inside()) == [expected] * 6


@pytest.mark.parametrize("driver", ["rounds", "concurrent"])
def test_a_run(driver):
    run, queries = read_run(sample("run.txt")), read_queries(sample("queries.tsv"))
    corpus = read_corpus(sample("corpus.jsonl"))
    with Reranker("sliding(window=8, stride=4)", f"oracle:{sample('qrels.txt')}", driver=driver) as reranker:
        result = reranker.rerank_run(run, queries, corpus)
        assert [r.query.query_id for r in result.rankings] == list(run)
        assert all(sorted(r.doc_ids) == sorted(d for d, _ in run[r.query.query_id]) for r in result.rankings)
        assert result.ledger.calls == sum(reranker.plan(len(ranked)).calls.low for ranked in run.values())
        assert result.ledger.rounds == 4
        missing = {key: value for key, value in queries.items() if key != next(iter(queries))}
        with pytest.raises(InputError, match="skip-missing"):
            reranker.rerank_run(run, missing, corpus)
        assert len(reranker.rerank_run(run, missing, corpus, skip_missing=True).rankings) == len(run) - 1


def test_many_queries_stream_with_few_in_memory(oracle, monkeypatch):
    monkeypatch.setattr("rerankllm.drivers.session.LIVE_QUERIES", 4)
    taken = []

    def queries():
        for i in range(20):
            taken.append(i)
            yield Query("query", str(i)), [Candidate(Document(str(d), "x")) for d in range(3)]

    with Reranker("sliding", oracle) as reranker:
        for done, outcome in enumerate(reranker.stream(queries())):
            assert outcome.query.text == str(done)
            assert len(taken) <= done + 4 + 1  # four under way, and the next


@pytest.mark.slow
def test_the_drivers_give_the_recorded_figure(shared_data):
    """RankVicuna's own answers give the nDCG@10 its paper printed, whatever the driver."""
    data = shared_data / "dl19-bm25"
    run, queries = read_run(data / "run.txt"), read_queries(data / "queries.tsv")
    corpus = read_corpus(data / "corpus.jsonl")
    rankings = []
    for driver in ("rounds", "concurrent"):
        with Reranker("sliding", f"recorded:{shared_data}/rankvicuna-dl19-bm25.jsonl", driver=driver) as reranker:
            result = reranker.rerank_run(run, queries, corpus)
        assert (result.ledger.calls, result.ledger.parsed, result.failures) == (387, 387, ())
        rankings.append(result.rankings)
    assert rankings[0] == rankings[1]


def test_rerankers_beside_one_another_share_engines_and_nothing_else(tmp_path):
    qrels = tmp_path / "qrels.txt"
    qrels.write_text("query 0 1 2\nquery 0 2 1\n")
    with Reranker("pointwise", f"oracle:{qrels}") as first:
        second = first.beside("sliding(window=2, stride=1)")
        assert second.backend is first.backend
        assert (str(first.stage), str(second.stage)) == ("pointwise", "sliding(window=2, stride=1, passes=1)")
        assert first.rerank("q", ["a", "b", "c"]).doc_ids == ("1", "2", "0")
        ranking = second.rerank("q", ["a", "b", "c"])
        assert (ranking.doc_ids[0], ranking[0].score) == ("1", None)
        third = first.beside(model=f"simulated:{qrels}")
        assert str(third.stage) == (f"sliding(window=20, stride=10, passes=1) @ {third.stage.model}")
        assert third.rerank("q", ["a", "b", "c"]).ledger.calls == 1
        with pytest.raises(CapabilityError, match="leave instruction"):
            first.beside(instruction="about x")


def test_a_query_has_an_observer_of_its_own(tmp_path):
    qrels = tmp_path / "qrels.txt"
    qrels.write_text("query 0 1 2\n")
    everything, mine = [], []
    with Reranker("pointwise", f"oracle:{qrels}", observer=everything.append) as reranker:
        outcome = reranker.submit("q", ["a", "b"], observer=mine.append).result()
        reranker.rerank("other", ["a", "b", "c"])
    assert [type(event).__name__ for event in mine] == ["Started", "Judged", "Judged", "Finished"]
    assert mine[-1].outcome == outcome
    assert len(everything) == 4 + 5


def test_rerankers_beside_one_another_keep_one_journal(tmp_path):
    qrels = tmp_path / "qrels.txt"
    qrels.write_text("query 0 1 2\n")
    for replayed in (0, 2):
        with Reranker("sliding", f"oracle:{qrels}", journal=tmp_path / "j") as first:
            ranking = first.beside("pointwise").rerank("q", ["a", "b"])
            assert ranking.ledger.replayed == replayed
            first.rerank("q", ["a", "b"])


def test_rerankers_beside_one_another_keep_the_journal_that_comes_later(tmp_path):
    qrels = tmp_path / "qrels.txt"
    qrels.write_text("query 0 1 2\n")
    for replayed in (0, 2):
        with Reranker("sliding", f"oracle:{qrels}") as first:
            second = first.beside("pointwise")
            journal = first.keep(tmp_path / "j")
            assert second.journal is journal
            assert second.rerank("q", ["a", "b"]).ledger.replayed == replayed
            assert second.key(Query("query", "q"), []) != first.key(Query("query", "q"), [])


def test_a_recipe_makes_the_same_in_another_process(tmp_path):
    qrels = tmp_path / "qrels.txt"
    qrels.write_text("query 0 1 2\nquery 0 2 1\n")
    with Reranker("interpolate(pointwise)", f"oracle:{qrels}", depth=2, limits=Limits(calls=5)) as first:
        make = pickle.loads(pickle.dumps(partial(Reranker.from_recipe, first.recipe)))  # noqa: S301 - written right here
        expected = first.rerank("q", ["a", "b", "c"])
    budget = Budget(Limits(calls=2))
    with make(budget) as second:
        assert (str(second.stage), second.model, second.depth) == (str(first.stage), first.model, 2)
        assert second.rerank("q", ["a", "b", "c"]).doc_ids == expected.doc_ids
        with pytest.raises(QueryFailed, match="the budget of 2 calls is used up"):
            second.rerank("q", ["a", "b", "c"])
    with pytest.raises(InputError, match="depth should be at least 1"):
        Recipe(depth=0)
