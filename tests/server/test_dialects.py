"""Each dialect in its own shape: requests, responses, errors."""

import itertools
from dataclasses import replace

import pytest
from serving import GENEROUS, ask, inside

from rerankllm.server.keys import Keys

DOCUMENTS = ["worth 1", "worth 3", "worth 2", "worth 2"]
LOGISTIC = [0.9525741268224334, 0.8807970779778824, 0.8807970779778823, 0.7310585786300049]


def test_cohere(client):
    response = client.post("/v2/rerank", json=ask("/v2/rerank", DOCUMENTS, top_n=2))
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"
    assert response.headers["x-rerankllm-scores"] == "logistic"
    body = response.json()
    assert len(body.pop("id")) == 36
    first, second = body.pop("results")
    assert first == {"index": 1, "relevance_score": pytest.approx(LOGISTIC[0])}
    assert second == {"index": 2, "relevance_score": pytest.approx(LOGISTIC[1])}
    assert body == {
        "meta": {
            "api_version": {"version": "2"},
            "billed_units": {"search_units": 1},
            "tokens": {"input_tokens": 28, "output_tokens": 4},
        }
    }


@pytest.mark.parametrize(("documents", "units"), [(1, 1), (100, 1), (101, 2), (250, 3)])
def test_cohere_counts_search_units(client, documents, units):
    body = client.post("/v2/rerank", json=ask("/v2/rerank", ["x"] * documents)).json()
    assert body["meta"]["billed_units"]["search_units"] == units


def test_cohere_is_told_that_scores_are_ranks(client):
    response = client.post("/v2/rerank", json=ask("/v2/rerank", DOCUMENTS, model="order"))
    assert response.headers["x-rerankllm-scores"] == "rank"
    body = response.json()
    assert [(r["index"], r["relevance_score"]) for r in body["results"]] == [(1, 1.0), (2, 0.75), (3, 0.5), (0, 0.25)]
    assert body["meta"]["warnings"] == [
        "this strategy orders documents and gives no scores: relevance_score is 1 - (rank - 1) / n"
    ]


@pytest.mark.parametrize("path", ["/v1/rerank", "/rerank"])
def test_jina_and_vllm(client, path):
    body = client.post(path, json=ask(path, ["worth 1", {"text": "worth 3"}], model="points")).json()
    assert body.pop("id").startswith("rerank-")
    assert body == {
        "model": "points",
        "usage": {"prompt_tokens": 14, "total_tokens": 16},
        "results": [
            {"index": 1, "document": {"text": "worth 3"}, "relevance_score": pytest.approx(LOGISTIC[0])},
            {"index": 0, "document": {"text": "worth 1"}, "relevance_score": pytest.approx(LOGISTIC[3])},
        ],
    }


def test_jina_leaves_documents_out_when_asked_to(client):
    body = client.post("/v1/rerank", json=ask("/v1/rerank", DOCUMENTS, return_documents=False)).json()
    assert [set(result) for result in body["results"]] == [{"index", "relevance_score"}] * 4


@pytest.mark.parametrize(("top_n", "left"), [(None, 4), (0, 4), (1, 1), (4, 4), (9, 4)])
def test_top_n_of_zero_is_all_to_vllm(client, top_n, left):
    body = client.post("/v1/rerank", json=ask("/v1/rerank", DOCUMENTS, top_n=top_n)).json()
    assert len(body["results"]) == left


def test_tei(client):
    body = client.post("/rerank", json=ask("/rerank", DOCUMENTS[:3], texts=True, truncate=True)).json()
    assert body == [
        {"index": 1, "score": pytest.approx(LOGISTIC[0])},
        {"index": 2, "score": pytest.approx(LOGISTIC[1])},
        {"index": 0, "score": pytest.approx(LOGISTIC[3])},
    ]


def test_tei_gives_raw_scores_and_texts(client):
    request = ask("/rerank", DOCUMENTS[:2], texts=True, raw_scores=True, return_text=True)
    assert client.post("/rerank", json=request).json() == [
        {"index": 1, "text": "worth 3", "score": 3.0},
        {"index": 0, "text": "worth 1", "score": 1.0},
    ]


def test_tei_cannot_give_raw_scores_where_there_are_none():
    with inside() as client:
        client.aliases["points"] = client.aliases["order"]
        response = client.post("/rerank", json=ask("/rerank", DOCUMENTS, texts=True, raw_scores=True))
    assert response.status_code == 422
    assert response.json() == {
        "error": "'points' gives no scores of its own: leave raw_scores out",
        "error_type": "Validation",
    }


@pytest.mark.parametrize("path", ["/score", "/v1/score"])
def test_score(client, path):
    response = client.post(path, json=ask(path, DOCUMENTS[:2]))
    assert response.headers["x-rerankllm-scores"] == "logistic"
    body = response.json()
    assert body.pop("id").startswith("score-")
    assert body.pop("created") > 1_700_000_000
    assert body == {
        "object": "list",
        "model": "points",
        "data": [
            {"index": 0, "object": "score", "score": pytest.approx(LOGISTIC[3])},
            {"index": 1, "object": "score", "score": pytest.approx(LOGISTIC[0])},
        ],
        "usage": {"prompt_tokens": 14, "total_tokens": 16, "completion_tokens": 2},
    }


@pytest.mark.parametrize(
    ("request_body", "scores"),
    [
        ({"text_1": "q", "text_2": "worth 3"}, [LOGISTIC[0]]),
        ({"text_1": ["q"], "text_2": ["worth 3", "worth 1"]}, [LOGISTIC[0], LOGISTIC[3]]),
        ({"queries": ["q", "r"], "documents": ["worth 3", "worth 1"]}, [LOGISTIC[0], LOGISTIC[3]]),
        ({"queries": "q", "documents": ["worth 1"]}, [LOGISTIC[3]]),
    ],
)
def test_score_pairs(client, request_body, scores):
    body = client.post("/score", json=request_body).json()
    assert [datum["score"] for datum in body["data"]] == pytest.approx(scores)


@pytest.mark.parametrize(
    ("request_body", "said"),
    [
        ({"text_1": ["q", "r", "s"], "text_2": ["a", "b"]}, "3 queries do not pair with 2 documents"),
        ({"text_1": "q"}, "give text_1 and text_2, or queries and documents"),
        ({"text_1": "q", "text_2": "a", "queries": "q"}, "give text_1 and text_2, or queries and documents"),
        ({"text_1": "q", "documents": "a"}, "give text_1 and text_2, or queries and documents"),
        ({"text_1": "q", "text_2": "a", "model": "order"}, "scores none by itself"),
        ({"text_1": "q", "text_2": []}, "there are no documents"),
    ],
)
def test_score_refuses(client, request_body, said):
    response = client.post("/score", json=request_body)
    assert response.status_code == 400
    assert said in response.json()["error"]["message"]


def shaped(path, response, texts=False):  # noqa: FBT002
    """Whether an error is in the shape of its dialect; the message in it."""
    body = response.json()
    assert response.headers["content-type"] == "application/json"
    if path == "/v2/rerank":
        assert body.keys() == {"id", "message"}
        return body["message"]
    if texts:
        assert body.keys() == {"error", "error_type"}
        assert body["error_type"] in {"Unhealthy", "Backend", "Overloaded", "Validation", "Tokenizer", "Empty"}
        return body["error"]
    assert body.keys() == {"error"}
    assert body["error"].keys() == {"message", "type", "param", "code"}
    assert body["error"]["code"] == response.status_code
    return body["error"]["message"]


ROUTES = [("/v2/rerank", False), ("/v1/rerank", False), ("/rerank", False), ("/rerank", True), ("/score", False)]


@pytest.mark.slow
@pytest.mark.parametrize(("path", "texts"), ROUTES)
@pytest.mark.parametrize(
    ("documents", "more", "statuses", "said"),
    [
        ([], {}, (400, 400), "there are no documents"),
        (["x"] * 1001, {}, (400, 413), "1001 documents are more than the 1000"),
        (["x"], {"speed": "high"}, (400, 422), "'speed' is not supported here: leave it out"),
        (["x", 3], {}, (400, 422), "valid string"),
        (["x"], {"query": "   "}, (400, 422), "the query is empty"),
        (["x"], {"query": "it cannot"}, (502, 424), "scripted failure"),
        (["x"], {"query": "broken"}, (502, 424), "the model behind 'points' cannot be used at the moment"),
    ],
)
def test_errors_have_the_shape_of_their_route(client, path, texts, documents, more, statuses, said):
    response = client.post(path, json=ask(path, documents, texts=texts, **more))
    assert response.status_code == statuses[texts]
    assert said in shaped(path, response, texts)


@pytest.mark.parametrize("path", ["/v2/rerank", "/v1/rerank", "/rerank", "/score"])
def test_models_that_are_not_there(client, path):
    response = client.post(path, json=ask(path, ["x"], model="gpt"))
    assert response.status_code == 404
    assert shaped(path, response) == "there is no model 'gpt' here; there are: points, order"


@pytest.mark.parametrize(
    ("path", "more"),
    [
        ("/v2/rerank", {"priority": 1}),
        ("/v2/rerank", {"relevant_spans": {}}),
        ("/v2/rerank", {"max_tokens_per_doc": 100}),
        ("/v2/rerank", {"top_n": 0}),
        ("/v2/rerank", {"top_n": True}),
        ("/v2/rerank", {"top_n": "2"}),
        ("/v1/rerank", {"instruction": "what is worth much"}),
        ("/v1/rerank", {"return_documents": "no"}),
        ("/v1/rerank", {"top_n": -1}),
        ("/rerank", {"texts": True, "truncate": False}),
        ("/rerank", {"texts": True, "truncation_direction": "left"}),
        ("/rerank", {"texts": True, "model": "points"}),
        ("/score", {"truncate_prompt_tokens": 10}),
    ],
)
def test_nothing_asked_for_is_ignored(client, path, more):
    texts = more.get("texts", False)
    response = client.post(path, json=ask(path, ["x"], **more))
    assert response.status_code == (422 if texts else 400)
    assert shaped(path, response, texts)
    assert client.engine.calls == 0


def test_what_is_null_is_left_out(client):
    request = ask("/v2/rerank", ["x"], top_n=None, max_tokens_per_doc=None, priority=None)
    assert client.post("/v2/rerank", json=request).status_code == 200


def test_routes_and_methods_that_are_not_there(client):
    for path in ("/v2/chat", "/nothing", "/v2/rerank/"):
        response = client.post(path, json={})
        assert response.status_code == 404
        assert "there is no route" in shaped("/v2/rerank" if path.startswith("/v2/") else path, response)
    for path in ("/v2/rerank", "/rerank", "/score"):
        response = client.get(path)
        assert (response.status_code, response.headers["allow"]) == (405, "POST")
        assert shaped(path, response) == f"GET is not for {path}"


@pytest.mark.parametrize(("path", "texts"), ROUTES)
def test_bodies_that_are_no_json(client, path, texts):
    del texts
    for content, kind, status in (
        (b"{", "application/json", 400),
        (b"", "application/json", 400),
        (b'{"query": "\xff"}', "application/json", 400),
        (b"[" * 200_000, "application/json", 400),
        (b"query=x", "application/x-www-form-urlencoded", 415),
        (b"{}", "", 415),
    ):
        response = client.post(path, content=content, headers={"Content-Type": kind})
        assert response.status_code == status, content[:20]
        assert shaped(path, response)


def test_keys():
    with inside(keys=Keys(["one", "two"])) as client:
        for path in ("/v2/rerank", "/v1/rerank", "/rerank", "/score"):
            for given in (None, "Bearer three", "Bearer ", "Basic one", "one", "Bearer one, two"):
                headers = {} if given is None else {"Authorization": given}
                response = client.post(path, json=ask(path, ["x"]), headers=headers)
                assert response.status_code == 401
                assert response.headers["www-authenticate"] == "Bearer"
                assert "one of this server's keys" in shaped(path, response)
            for key in ("one", "two"):
                headers = {"Authorization": f"Bearer {key}"}
                assert client.post(path, json=ask(path, ["x"]), headers=headers).status_code == 200
        assert client.get("/metrics").status_code == 401
        assert client.get("/health").status_code == 200


def test_health_and_models(client):
    assert client.get("/health").json()["status"] == "ok"
    listed = client.get("/v1/models").json()
    assert [(entry["id"], entry["strategy"]) for entry in listed["data"]] == [
        ("points", "pointwise"),
        ("order", "sliding(window=4, stride=2, passes=1)"),
    ]


def test_results_are_every_document_once_and_scores_fall(client):
    documents = [f"worth {n % 7}" for n in range(50)] + [""] * 5 + ["worth 3"] * 5
    for model in ("points", "order"):
        body = client.post("/v1/rerank", json=ask("/v1/rerank", documents, model=model)).json()
        results = body["results"]
        assert sorted(result["index"] for result in results) == list(range(60))
        assert all(a["relevance_score"] > b["relevance_score"] for a, b in itertools.pairwise(results))
        assert all(result["document"]["text"] == documents[result["index"]] for result in results)


@pytest.mark.slow
def test_ten_thousand_documents():
    with inside(replace(GENEROUS, documents=10_000)) as client:
        documents = [f"worth {n}" for n in range(10_000)]
        body = client.post("/v2/rerank", json=ask("/v2/rerank", documents)).json()
        assert [result["index"] for result in body["results"]] == list(range(9_999, -1, -1))
        assert body["meta"]["billed_units"]["search_units"] == 100


def test_routes_that_do_not_rank_take_nothing(client):
    for path in ("/health", "/metrics", "/v1/models"):
        response = client.post(path, content=b"x")
        assert (response.status_code, response.headers["allow"]) == (405, "GET")
