"""Reranking APIs as judges: their dialects, and our own server in each of those that it speaks."""

import asyncio
import json

import pytest

pytest.importorskip("openai")

from scripted_server import Answer, Garbage, ScriptedServer, Status

from rerankllm import Reranker
from rerankllm.backends.openai.completion import UnusableError
from rerankllm.backends.rerank_api.backend import RerankApi
from rerankllm.backends.rerank_api.dialects import DIALECTS, body_of, read_scores
from rerankllm.backends.rerank_api.kinds import Cohere, Tei, Voyage
from rerankllm.calls import CallFailed, Generate, Reply, Request, TextPrompt
from rerankllm.data import Candidate, Document, Query, Usage
from rerankllm.drivers.budget import Limits
from rerankllm.drivers.events import Failed
from rerankllm.errors import AuthError, CapabilityError, InputError
from rerankllm.journal.store import Journal
from rerankllm.judgements import Compare, Score
from rerankllm.spec.model import ModelSpec

QUERY = Query("q", "which number is large")
TEXTS = [f"worth {value}" for value in (3, 9, 5, 1, 7)]
KEYS = ("CO_API_KEY", "COHERE_API_KEY", "JINA_API_KEY", "VOYAGE_API_KEY", "RERANK_API_KEY", "NVIDIA_API_KEY")


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    for name in (*KEYS, "http_proxy", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)


def worth(text):
    return float(text.split()[-1])


def answers(dialect):
    """A host of this dialect that likes large numbers, and answers best first."""

    def script(body, number):
        del number
        texts = [text["text"] if isinstance(text, dict) else text for text in body[dialect.documents]]
        found = [{"index": i, dialect.score: worth(text) / 10} for i, text in enumerate(texts)]
        found.sort(key=lambda one: -one[dialect.score])
        if dialect.results is None:
            return Garbage(json.dumps(found))
        more = {"usage": {"total_tokens": 10 * len(texts)}}
        if dialect.a_search:
            more = {"meta": {"billed_units": {"search_units": 2}}}
        return Garbage(json.dumps({dialect.results: found, **more}))

    return script


def ranked_from(texts):
    return [Candidate(Document(str(i), text)) for i, text in enumerate(texts)]


def scores(backend, texts, query=QUERY):
    async def run():
        try:
            works = [Score(query, Document(str(i), text)) for i, text in enumerate(texts)]
            return await backend.complete_all(works)
        finally:
            await backend.aclose()

    return asyncio.run(run())


# --- dialects -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", DIALECTS)
def test_every_dialect_asks_in_one_call_and_ranks(name):
    dialect = DIALECTS[name]
    with (
        ScriptedServer(answers(dialect)) as server,
        Reranker("pointwise", f"rerank:large?dialect={name}&base_url={server.url}") as reranker,
    ):
        ranking = reranker.rerank(QUERY, TEXTS)
    assert [result.doc_id for result in ranking] == ["1", "4", "2", "0", "3"]
    assert ranking[0].score == pytest.approx(0.9)
    assert server.paths == [f"/v1{dialect.elsewhere or dialect.path}"]
    body = server.bodies[0]
    assert [text["text"] if isinstance(text, dict) else text for text in body[dialect.documents]] == TEXTS
    assert body.get("model") == ("large" if dialect.names_model else None)
    assert not {"top_n", "top_k"} & body.keys()
    ledger = ranking.ledger
    assert (ledger.calls, ledger.attempts, ledger.slots) == (5, 1, 5)
    counted = 0 if dialect.results is None or dialect.a_search else 50
    assert ledger.usage == Usage(counted, searches=2.0 if dialect.a_search else 0.0)


def test_nvidias_own_host_has_another_route_than_its_containers():
    dialect = DIALECTS["nvidia"]
    assert dialect.route("ai.api.nvidia.com") == "/reranking"
    assert dialect.route("integrate.api.nvidia.com") == dialect.route("localhost:8000") == "/ranking"
    assert {each.route("localhost:8000") for each in DIALECTS.values() if each.elsewhere is None} == {
        each.path for each in DIALECTS.values() if each.elsewhere is None
    }


def test_bodies_as_their_documentation_has_them():
    def sent(name, **more):
        return body_of(DIALECTS[name], "m", "q", ["a", "b"], **more)

    texts = ["a", "b"]
    assert sent("cohere", cut=99) == {"model": "m", "query": "q", "documents": texts, "max_tokens_per_doc": 99}
    assert sent("jina") == {"model": "m", "query": "q", "documents": texts, "return_documents": False}
    assert sent("voyage", instruction="be strict") == {
        "model": "m", "query": "be strict\nq", "documents": texts, "truncation": True
    }  # fmt: skip
    assert sent("mixedbread") == {"model": "m", "query": "q", "input": texts, "return_input": False}
    assert sent("zeroentropy") == {"model": "m", "query": "q", "documents": texts}
    assert sent("tei") == {"query": "q", "texts": texts, "truncate": True}
    assert sent("vllm", instruction="be strict", cut=9) == {
        "model": "m", "query": "q", "documents": texts, "instruction": "be strict", "truncate_prompt_tokens": 9
    }  # fmt: skip
    assert sent("nvidia") == {
        "model": "m", "query": {"text": "q"}, "passages": [{"text": "a"}, {"text": "b"}], "truncate": "END"
    }  # fmt: skip
    assert sent("jina")["query"] == body_of(DIALECTS["jina"], "m", "q\ud800", ["a"])["query"].removesuffix("?")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("<html>", "no JSON"),
        ("{}", "no list of results"),
        ('{"results": 3}', "no list of results"),
        ('{"results": [3]}', "without index and score"),
        ('{"results": [{"index": 0}]}', "without index and score"),
        ('{"results": [{"index": 0, "relevance_score": "high"}]}', "without index and score"),
        ('{"results": [{"index": 2, "relevance_score": 1}]}', "document 2, which was not sent"),
        ('{"results": [{"index": 0, "relevance_score": 1}, {"index": 0, "relevance_score": 1}]}', "is named twice"),
    ],
)
def test_what_is_no_answer_is_none(body, message):
    with pytest.raises(UnusableError, match=message):
        read_scores(DIALECTS["jina"], body, 2)


def test_a_document_that_is_left_out_has_no_score():
    body = json.dumps({"results": [{"index": 1, "relevance_score": 0.5}], "usage": {"total_tokens": 7}})
    with ScriptedServer(lambda *_: Garbage(body)) as server:
        first, second = scores(RerankApi(name="m", base_url=server.url), ["a", "b"])
    assert first == CallFailed("the API left this document out of its answer", 1)
    assert second == Reply(0.5, usage=Usage(), attempts=0)


def test_search_units_that_are_not_told_are_counted():
    body = json.dumps({"results": [{"index": i, "relevance_score": 0.5} for i in range(101)]})
    assert read_scores(DIALECTS["cohere"], body, 101).usage.searches == 2


# --- calls ----------------------------------------------------------------------------------------------------


def test_calls_are_split_by_the_limit_and_by_query():
    dialect = DIALECTS["jina"]
    with (
        ScriptedServer(answers(dialect)) as server,
        Reranker("pointwise", f"rerank:m?base_url={server.url}&batch=2") as reranker,
    ):
        futures = [reranker.submit(Query(name, f"query {name}"), TEXTS) for name in "ab"]
        assert all(future.result().doc_ids == ("1", "4", "2", "0", "3") for future in futures)
    assert sorted(len(body["documents"]) for body in server.bodies) == [1, 1, 2, 2, 2, 2]
    assert all(len({body["query"] for body in server.bodies[i : i + 1]}) == 1 for i in range(6))


def test_text_embeddings_inference_takes_32_texts_a_call():
    texts = [f"worth {i}" for i in range(70)]
    with (
        ScriptedServer(answers(DIALECTS["tei"])) as server,
        Reranker("pointwise", f"tei:{server.url}") as reranker,
    ):
        assert reranker.rerank("q", texts)[0].document.text == "worth 69"
    assert sorted(len(body["texts"]) for body in server.bodies) == [6, 32, 32]


def test_a_wrong_key_costs_one_call(monkeypatch):
    monkeypatch.setenv("RERANK_API_KEY", "secret-key")
    with ScriptedServer(lambda *_: Status(401, {"message": "invalid api token"})) as server:
        with (
            Reranker("pointwise", f"rerank:m?base_url={server.url}&batch=1") as reranker,
            pytest.raises(AuthError, match=r"invalid api token; check the key in \$RERANK_API_KEY"),
        ):
            reranker.rerank("q", TEXTS)
        assert server.calls == 1
        assert server.headers[0]["authorization"] == "Bearer secret-key"


@pytest.mark.parametrize("first", [Status(429, "slow down", {"Retry-After": "0.01"}), Status(503), Garbage("<html>")])
def test_what_may_help_is_tried_again(first):
    answer = answers(DIALECTS["jina"])
    with ScriptedServer(lambda body, n: answer(body, n) if n else first) as server:
        found = scores(RerankApi(name="m", base_url=server.url), TEXTS)
    assert [reply.answer for reply in found] == pytest.approx([worth(text) / 10 for text in TEXTS])
    assert sum(reply.attempts for reply in found) == 2


def test_a_call_that_fails_fails_its_query():
    with (
        ScriptedServer(lambda *_: Status(400, {"detail": "query is too long"})) as server,
        Reranker("pointwise", f"rerank:m?base_url={server.url}") as reranker,
    ):
        failed = reranker.submit("q", TEXTS).result()
    assert isinstance(failed, Failed)
    assert "400: query is too long" in failed.reason
    assert failed.ledger.attempts == 1


def test_scores_are_all_that_it_gives():
    backend = RerankApi(name="m", base_url="http://localhost:1/v1")
    asked = (Compare(QUERY, Document("a", "a"), Document("b", "b")), Request(TextPrompt("x"), Generate(1)))
    for work in asked:
        assert "scores documents" in asyncio.run(backend.complete(work)).reason
        backend = RerankApi(name="m", base_url="http://localhost:1/v1")
    with pytest.raises(CapabilityError, match="can score passages, and this strategy asks it to compare two passages"):
        Reranker("prp", "rerank:m?base_url=http://localhost:1/v1")


# --- specs, keys and prices -----------------------------------------------------------------------------------


def test_specs_show_what_bears_on_the_answers():
    assert Cohere(name="rerank-v4.0-pro").model == "cohere:rerank-v4.0-pro"
    assert Cohere(name="m", max_tokens_per_doc=99, retries=0).model == "cohere:m?max_tokens_per_doc=99"
    assert Tei(name="http://localhost:8080").model == "tei:http://localhost:8080"
    assert RerankApi(name="m", base_url="http://h/v1").model == "rerank:m?dialect=jina&base_url=http://h/v1"
    assert (
        ModelSpec.parse("voyage:rerank-2.5?instruction=be strict").load().model
        == "voyage:rerank-2.5?instruction=be strict"
    )


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("tei:large", "give \\?base_url="),
        ("rerank:m?dialect=klingon", "knows no dialect klingon; there are: cohere, jina"),
        ("cohere:m?dialect=jina", "has no option 'dialect'"),
        ("jina:m?instruction=x", "the jina API takes no instruction: leave it out"),
        ("voyage:m?max_tokens_per_doc=9", "takes no max_tokens_per_doc"),
        ("cohere:m?batch=0", "batch of 1 or more"),
    ],
)
def test_what_cannot_be_is_named(spec, message):
    with pytest.raises(InputError, match=message):
        ModelSpec.parse(spec).load()


def test_a_key_is_needed_for_the_apis_own_host_only_when_something_is_sent(monkeypatch):
    with Reranker("pointwise", "cohere:rerank-v3.5") as reranker:
        assert reranker.estimate_any(20).cost_usd == pytest.approx((0.002, 0.002))
        with pytest.raises(InputError, match="api.cohere.com needs a key: set the environment variable CO_API_KEY"):
            reranker.rerank("q", TEXTS)
    monkeypatch.setenv("COHERE_API_KEY", "key")
    Cohere(name="m").check()
    Tei(name="http://localhost:8080").check()


def test_money():
    cohere, voyage = Cohere(name="rerank-v4.0-pro"), Voyage(name="rerank-2.5")
    assert cohere.cost(Usage(10**6, searches=3)) == pytest.approx(0.0075)
    assert voyage.cost(Usage(2 * 10**6)) == pytest.approx(0.1)
    assert Cohere(name="rerank-v9").cost(Usage(searches=1)) is None
    assert Cohere(name="m", price_searches=4.0).cost(Usage(searches=1)) == pytest.approx(0.004)
    assert RerankApi(name="m", base_url="http://h/v1").cost(Usage(1)) is None
    assert Cohere(name="rerank-v3.5", base_url="http://h/v1").cost(Usage(searches=1)) is None


def test_a_budget_holds_by_search_units():
    dialect = DIALECTS["cohere"]
    with ScriptedServer(answers(dialect)) as server:
        model = f"rerank:m?dialect=cohere&base_url={server.url}&price_searches=1000"  # a dollar each
        with Reranker("pointwise", model, limits=Limits(cost=3.0)) as reranker:
            first = reranker.rerank("one", TEXTS)
            second = reranker.rerank("two", TEXTS)
            third = reranker.submit("three", TEXTS).result()
    assert (first.ledger.cost_usd, second.ledger.cost_usd) == (2.0, 2.0)
    assert isinstance(third, Failed)
    assert third.unaffordable
    assert server.calls == 2


def counting_units(body, number):
    """A host of Cohere's dialect that bills as it does: a unit for every hundred documents begun."""
    told = json.loads(answers(DIALECTS["cohere"])(body, number).body)
    told["meta"]["billed_units"]["search_units"] = -(-len(body["documents"]) // 100)
    return Garbage(json.dumps(told))


def units(n):
    return [f"worth {i}" for i in range(n)]


@pytest.mark.parametrize("driver", ["rounds", "concurrent"])
@pytest.mark.parametrize(("limit", "ranked"), [(0, 0), (1, 1), (5, 5), (6, 6)])
def test_no_more_search_units_than_allowed_however_many_queries_ask_at_once(driver, limit, ranked):
    with ScriptedServer(counting_units) as server:
        model = f"rerank:m?dialect=cohere&base_url={server.url}"
        with Reranker("pointwise", model, limits=Limits(searches=limit), driver=driver) as reranker:
            futures = [reranker.submit(Query(str(q), f"query {q}"), TEXTS) for q in range(6)]
            outcomes = [future.result() for future in futures]
    assert server.calls == ranked
    failed = [outcome for outcome in outcomes if isinstance(outcome, Failed)]
    assert len(failed) == 6 - ranked
    for outcome in failed:
        assert outcome.reason == f"the budget of {limit} search units is used up ({limit} spent)"
        assert outcome.unaffordable


@pytest.mark.parametrize(("batch", "took"), [(1000, 3), (130, 4), (100, 3), (40, 7)])
def test_search_units_are_planned_set_aside_and_counted_alike(batch, took):
    with ScriptedServer(counting_units) as server:
        model = f"rerank:m?dialect=cohere&base_url={server.url}&batch={batch}"
        with Reranker("pointwise", model, limits=Limits(searches=took)) as reranker:
            assert reranker.estimate_any(250).searches == (took, took)
            assert reranker.rerank("q", units(250)).ledger.usage.searches == took
        with Reranker("pointwise", model, limits=Limits(searches=took - 1)) as reranker:
            assert reranker.submit("q", units(250)).result().unaffordable


def test_a_limit_of_search_units_counts_what_the_journal_has(tmp_path):
    with ScriptedServer(counting_units) as server:
        model = f"rerank:m?dialect=cohere&base_url={server.url}"
        for limit, calls in ((1, 1), (1, 1), (2, 2)):
            with Reranker("pointwise", model, limits=Limits(searches=limit), journal=tmp_path / "j") as reranker:
                outcomes = list(reranker.stream([(query, ranked_from(TEXTS)) for query in (QUERY, Query("r", "r"))]))
            assert server.calls == calls
            assert [isinstance(outcome, Failed) for outcome in outcomes] == [False, limit == 1]
        assert Journal(tmp_path / "j").spent()[3] == 2


def test_a_limit_for_each_query_and_one_that_limits_nothing():
    with ScriptedServer(counting_units) as server:
        model = f"rerank:m?dialect=cohere&base_url={server.url}"
        with Reranker("pointwise", model, per_query=Limits(searches=1)) as reranker:
            assert reranker.submit("q", units(101)).result().unaffordable
            assert reranker.rerank("q", units(100)).ledger.usage.searches == 1
    with pytest.raises(CapabilityError, match="rerank:m.* counts none: limit tokens or dollars instead"):
        Reranker("pointwise", f"rerank:m?base_url={server.url}", limits=Limits(searches=1))


def test_the_command_line_plans_limits_and_shows_search_units(cli, tmp_path):
    status, out, _ = cli("plan", "--strategy", "pointwise", "--model", "cohere:rerank-v3.5", "-n", 250, "--json")
    assert (status, json.loads(out)["searches"]) == (0, {"low": 3, "high": 3})
    with ScriptedServer(counting_units) as server:
        model = f"rerank:m?dialect=cohere&base_url={server.url}"
        files = {"run": "", "queries": "", "corpus": ""}
        for q in "ab":
            files["queries"] += f"{q}\tquery {q}\n"
            for i, text in enumerate(TEXTS):
                files["run"] += f"{q} Q0 {q}{i} {i + 1} {9 - i} first\n"
                files["corpus"] += json.dumps({"_id": f"{q}{i}", "title": "", "text": text}) + "\n"
        for name, text in files.items():
            (tmp_path / name).write_text(text)
        options = [f"--{name}={tmp_path / name}" for name in files] + ["--model", model, "--output", tmp_path / "out"]
        assert "2 search units" in cli("rerank", *options, "--dry-run")[1]
        status, _, err = cli("rerank", *options, "--max-searches", 1)
        assert (status, server.calls) == (3, 1)
        assert "the budget of 1 search units is used up (1 spent)" in err
        status, _, err = cli("resume", f"{tmp_path / 'out'}.journal", "--max-searches", 2)
        assert (status, server.calls) == (0, 2)
        assert ", 2 search units, " in err
        assert cli("rerank", *options, "--no-journal", "--per-query", "searches=0")[0] == 3
    assert "counts none: limit tokens" in cli("rerank", "--sample", "--model", "embed:minilm", "--max-searches", 1)[2]


def test_a_cascade_of_an_api_and_a_model_resumes_without_paying_twice(tmp_path):
    def chat(body, number):
        del number
        return Answer("[2] > [1]") if "messages" in body else answers(DIALECTS["cohere"])(body, 0)

    with ScriptedServer(chat) as server:
        spec = (
            f"cascade([pointwise @ 'rerank:large?dialect=cohere&base_url={server.url}', sliding / text], depths=[5, 2])"
        )
        for replayed in (0, 6):
            with Reranker(spec, f"openai:m?base_url={server.url}", journal=tmp_path / "journal") as reranker:
                ranking = reranker.rerank(QUERY, TEXTS)
            assert ranking.doc_ids == ("4", "1", "2", "0", "3")
            assert (ranking.ledger.replayed, ranking.ledger.calls, ranking.ledger.attempts) == (replayed, 6, 2)
            assert ranking.ledger.usage == Usage(7, 3, searches=2.0)
        assert server.calls == 2


# --- our own server -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("dialect", "path"), [("cohere", ""), ("jina", "/v1"), ("vllm", ""), ("tei", ""), ("vllm", "/v1")]
)
def test_our_own_server_is_such_an_api(dialect, path):
    pytest.importorskip("starlette")
    from serving import listening

    with listening() as live:
        model = f"rerank:points?dialect={dialect}&base_url={live.url}{path}"
        with Reranker("pointwise", model) as reranker:
            ranking = reranker.rerank(QUERY, TEXTS)
        assert [result.doc_id for result in ranking] == ["1", "4", "2", "0", "3"]
        assert live.engine.calls == 5
    assert ranking.ledger.attempts == 1
