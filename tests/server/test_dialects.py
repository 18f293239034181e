"""Each dialect in its own shape: requests, responses, errors."""

import itertools
import json
import math
from dataclasses import replace

import pytest
from serving import GENEROUS, JSON, ask, inside

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


def test_zeroentropy(client):
    asked = {"model": "points", "query": "q", "documents": ["worth 1", "worth 3 é"], "latency": "slow"}
    body = client.post("/v1/models/rerank", json=asked).json()
    assert body.pop("e2e_latency") == body.pop("inference_latency") >= 0
    assert body == {
        "results": [
            {"index": 1, "relevance_score": pytest.approx(LOGISTIC[0])},
            {"index": 0, "relevance_score": pytest.approx(LOGISTIC[3])},
        ],
        "total_bytes": 18,
        "total_tokens": 16,
        "actual_latency_mode": "slow",
    }
    first = client.post("/v1/models/rerank", json=asked | {"top_n": 1}).json()["results"]
    assert [each["index"] for each in first] == [1]
    assert "detail" in client.post("/v1/models/rerank", json=asked | {"documents": []}).json()


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
        (
            {"queries": ["q", "r", "q"], "documents": ["worth 3", "worth 1", "worth 1"]},
            [LOGISTIC[i] for i in (0, 3, 3)],
        ),
    ],
)
def test_score_pairs(client, request_body, scores):
    body = client.post("/score", json=request_body).json()
    assert [datum["score"] for datum in body["data"]] == pytest.approx(scores)


@pytest.mark.parametrize(
    ("request_body", "said"),
    [
        ({"text_1": ["q", "r", "s"], "text_2": ["a", "b"]}, "3 queries do not pair with 2 documents"),
        ({"text_1": "q"}, "give text_1 and text_2, queries and documents, "),
        ({"text_1": "q", "text_2": "a", "queries": "q"}, "give text_1 and text_2, queries and documents, "),
        ({"text_1": "q", "documents": "a"}, "give text_1 and text_2, queries and documents, "),
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
    assert body.keys() == {"error", "detail"}
    assert body["detail"] == body["error"]["message"]
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
        (["x", 3], {}, (400, 422), "should be a text"),
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
    ("path", "more", "said"),
    [
        ("/v2/rerank", {"priority": 1}, "'priority' is not supported here, but for 0: leave it out"),
        ("/v2/rerank", {"relevant_spans": {"enabled": True}}, "'relevant_spans' is not supported here"),
        ("/v2/rerank", {"top_n": 0}, "top_n: Input should be greater than or equal to 1"),
        ("/v2/rerank", {"top_n": True}, "top_n: Input should be a whole number"),
        ("/v2/rerank", {"top_n": 1.5}, "top_n: "),
        ("/v1/rerank", {"instruction": "what is worth much"}, "leave instruction, passage cut and demonstrations out"),
        ("/v1/rerank", {"top_n": -1}, "top_n: "),
        ("/v1/rerank", {"stream": True}, "'stream' is not supported here, but for false: leave it out"),
        ("/v1/rerank", {"documents": [{"title": "t"}]}, "documents.0 has no 'text'"),
        ("/v1/rerank", {"documents": ["x", 3]}, "documents.1 should be a text, or an object with a 'text'"),
        ("/v1/rerank", {"documents": [{"text": 3}]}, "documents.0.text should be a text"),
        ("/rerank", {"texts": True, "documents": ["x" * 300], "truncate": False}, "truncate: false: documents may be"),
        ("/rerank", {"texts": True, "documents": ["x" * 300], "truncation_direction": "left"}, "truncation_direction"),
        ("/score", {"encoding_format": "base64"}, "'encoding_format' is not supported here, but for \"float\""),
        ("/v1/ranking", {"query": {"text": "q"}, "passages": ["x"]}, "passages.0: "),
        ("/v1/rerank", {"rank_fields": ["title"], "documents": [{"text": "x"}]}, "documents.0 has no 'title'"),
    ],
)
def test_what_is_known_and_cannot_be_honoured_is_refused_by_name(client, path, more, said):
    texts = more.get("texts", False)
    documents = more.get("documents", ["x"])
    sent = ask(path, documents, **{name: value for name, value in more.items() if name != "documents"})
    response = client.post(path, json=sent)
    assert response.status_code == (422 if texts else 400), response.text
    assert said in response.text.replace('\\"', '"')
    assert client.engine.calls == 0


@pytest.mark.parametrize(
    ("path", "more"),
    [
        ("/v2/rerank", {"return_documents": False, "priority": 0, "max_tokens_per_doc": 4096, "top_n": 2.0}),
        ("/v2/rerank", {"max_tokens_per_doc": 1, "relevant_spans": False}),
        ("/v1/rerank", {"return_documents": "true", "stream": False, "encoding_format": "float", "top_n": "2"}),
        ("/v1/rerank", {"truncate_prompt_tokens": -1, "use_activation": True}),
        ("/rerank", {"texts": True, "truncate": False, "truncation_direction": "Left"}),
        ("/score", {"truncate_prompt_tokens": 10, "priority": 0, "use_activation": "true"}),
    ],
)
def test_what_changes_nothing_is_taken(client, path, more):
    response = client.post(path, json=ask(path, ["worth 1", "worth 2"], **more))
    assert response.status_code == 200, response.text
    assert "x-rerankllm-warnings" not in response.headers


@pytest.mark.parametrize(
    ("path", "more"),
    [
        ("/v2/rerank", {"speed": "high"}),
        ("/v1/rerank", {"speed": "high"}),
        ("/rerank", {"texts": True, "speed": "high"}),
        ("/score", {"speed": "high"}),
    ],
)
def test_fields_that_are_not_known_are_ignored_with_a_note(client, caplog, path, more):
    sent = ask(path, ["worth 1", "worth 2"], **more)
    for _ in range(2):
        response = client.post(path, json=sent, headers={"User-Agent": "tester/1"})
        assert response.status_code == 200
        said = "ignored, as this server does not know it: speed"
        assert response.headers["x-rerankllm-warnings"] == said
        if path == "/v2/rerank":
            assert response.json()["meta"]["warnings"] == [said]
    assert [line for line in caplog.messages if "'speed'" in line] == [
        f"tester/1 sends 'speed' to {path}, which is ignored (told once)"
    ]


def test_fields_of_documents_that_are_not_known_are_ignored_with_one_note(client):
    documents = [{"text": f"worth {n}", "title": "t", "half \ud83d": 1} for n in range(3)]
    response = client.post("/v1/rerank", content=json.dumps(ask("/v1/rerank", documents)), headers=JSON)
    said = "ignored, as this server does not know it: documents.*.title, documents.*.half ?"
    assert response.headers["x-rerankllm-warnings"] == said


@pytest.mark.parametrize(
    ("path", "more"),
    [
        ("/v2/rerank", {"speed": "high"}),
        ("/v2/rerank", {"priority": 0}),
        ("/v2/rerank", {"top_n": "2"}),
        ("/v1/rerank", {"documents": [{"text": "x", "title": "t"}]}),
        ("/rerank", {"texts": True, "model": "points"}),
        ("/score", {"stream": False}),
    ],
)
def test_a_strict_server_refuses_them(path, more):
    documents = more.pop("documents", ["x"])
    with inside(strict=True) as client:
        assert client.post(path, json=ask(path, ["x"], texts=more.get("texts", False))).status_code == 200
        response = client.post(path, json=ask(path, documents, **more))
    assert response.status_code == (422 if more.get("texts") else 400), response.text


def test_what_is_null_is_left_out(client):
    request = ask("/v2/rerank", ["x"], top_n=None, max_tokens_per_doc=None, priority=None)
    assert client.post("/v2/rerank", json=request).status_code == 200


def test_routes_and_methods_that_are_not_there(client):
    for path in ("/v2/chat", "/nothing", "/alias/nobody/rerank"):
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


FACES = {
    "/v1/ranking": {
        "query": {"text": "q"},
        "passages": [{"text": "worth 1"}, {"text": "worth 3"}],
        "truncate": "END",
    },
    "/v1/reranking": {"query": "q", "input": ["worth 1", {"text": "worth 3"}], "top_k": 1, "return_input": True},
    "/voyage/v1/rerank": {"query": "q", "documents": ["worth 1", "worth 3"], "return_documents": True},
    "/infinity/rerank": {"query": "q", "documents": ["worth 1", "worth 3"], "return_documents": True},
    "/cohere/v1/rerank": {"query": "q", "documents": ["worth 1", {"text": "worth 3"}], "return_documents": True},
}
ANSWERS = {
    "/v1/ranking": {
        "rankings": [{"index": 1, "logit": pytest.approx(3.0)}, {"index": 0, "logit": pytest.approx(1.0)}],
        "usage": {"prompt_tokens": 14, "total_tokens": 16},
    },
    "/v1/reranking": {
        "usage": {"prompt_tokens": 14, "total_tokens": 16, "completion_tokens": 2},
        "model": "points",
        "data": [{"index": 1, "score": pytest.approx(LOGISTIC[0]), "input": "worth 3"}],
        "object": "list",
        "top_k": 1,
        "return_input": True,
    },
    "/voyage/v1/rerank": {
        "object": "list",
        "data": [
            {"relevance_score": pytest.approx(LOGISTIC[0]), "index": 1, "document": "worth 3"},
            {"relevance_score": pytest.approx(LOGISTIC[3]), "index": 0, "document": "worth 1"},
        ],
        "model": "points",
        "usage": {"total_tokens": 16},
    },
    "/infinity/rerank": {
        "object": "rerank",
        "results": [
            {"relevance_score": pytest.approx(LOGISTIC[0]), "index": 1, "document": "worth 3"},
            {"relevance_score": pytest.approx(LOGISTIC[3]), "index": 0, "document": "worth 1"},
        ],
        "model": "points",
        "usage": {"prompt_tokens": 14, "total_tokens": 16},
    },
    "/cohere/v1/rerank": {
        "results": [
            {"index": 1, "relevance_score": pytest.approx(LOGISTIC[0]), "document": {"text": "worth 3"}},
            {"index": 0, "relevance_score": pytest.approx(LOGISTIC[3]), "document": {"text": "worth 1"}},
        ],
        "meta": {
            "api_version": {"version": "1"},
            "billed_units": {"search_units": 1},
            "tokens": {"input_tokens": 14, "output_tokens": 2},
        },
    },
}


@pytest.mark.parametrize("path", FACES)
def test_faces(client, path):
    response = client.post(path, json=FACES[path])
    assert response.status_code == 200, response.text
    body = response.json()
    for drawn in ("id", "created"):
        body.pop(drawn, None)
    assert body == ANSWERS[path]


@pytest.mark.parametrize(
    ("path", "own", "more"),
    [
        ("/v1/rerank", "/voyage/v1/rerank", {"truncation": True}),
        ("/v1/rerank", "/voyage/v1/rerank", {"top_k": 2}),
        ("/v1/rerank", "/cohere/v1/rerank", {"rank_fields": ["text"]}),
        ("/v1/rerank", "/cohere/v1/rerank", {"max_chunks_per_doc": 10}),
        ("/rerank", "/infinity/rerank", {"raw_scores": True}),
        ("/v1/rerank", "/jina/v1/rerank", {"truncation": True, "top_n": 2}),
        ("/v1/rerank", "/jina/v1/rerank", {}),
    ],
)
def test_a_shared_path_knows_dialects_by_their_fields(client, path, own, more):
    shape = [client.post(each, json=ask(each, ["worth 1", "worth 3"], **more)).json() for each in (path, own)]
    assert shape[0].keys() == shape[1].keys()
    assert [key for key, value in shape[0].items() if isinstance(value, list)] == [
        "data" if own.startswith("/voyage") else "results"
    ]


def test_raw_scores_of_infinity(client):
    sent = ask("/rerank", ["worth 1", "worth 3"], raw_scores=True, top_n=1)
    assert [each["relevance_score"] for each in client.post("/rerank", json=sent).json()["results"]] == [3.0]


def test_the_cohere_sdk_is_known_by_its_header(client):
    sent = ask("/v1/rerank", ["worth 1", "worth 3"])
    body = client.post("/v1/rerank", json=sent, headers={"X-Fern-SDK-Name": "cohere"}).json()
    assert body["meta"]["api_version"] == {"version": "1"}
    assert "document" not in body["results"][0]


def test_rank_fields_are_what_is_shown(client):
    documents = [{"title": "worth 1", "text": "worth 3"}, {"title": "worth 2", "text": "worth 0"}]
    sent = ask("/v1/rerank", documents, rank_fields=["title"])
    assert [each["index"] for each in client.post("/v1/rerank", json=sent).json()["results"]] == [1, 0]


def test_logits_are_finite_and_fall():
    from rerankllm.calibration.scale import told_apart
    from rerankllm.server.dialects.nvidia import log_odds

    logits = [log_odds(score) for score in (*told_apart([1.0] * 5), *told_apart([0.0] * 5))]
    assert all(a > b for a, b in itertools.pairwise(logits))
    assert all(map(math.isfinite, logits))


def test_a_path_may_name_the_alias(client):
    texts = ask("/rerank", DOCUMENTS, texts=True)
    by_name = client.post("/alias/order/rerank", json=texts)
    assert by_name.headers["x-rerankllm-scores"] == "rank"
    assert client.post("/rerank", json=texts).headers["x-rerankllm-scores"] == "logistic"
    both = client.post("/alias/order/v1/rerank/", json=ask("/v1/rerank", DOCUMENTS, model="points"))
    assert both.headers["x-rerankllm-scores"] == "rank"


def test_an_alias_for_any_other_model(client):
    client.aliases["*"] = client.aliases["order"]
    answer = client.post("/v1/rerank", json=ask("/v1/rerank", DOCUMENTS, model="rerank-v9"))
    assert (answer.json()["model"], answer.headers["x-rerankllm-scores"]) == ("rerank-v9", "rank")
    assert 'alias="*"' in client.get("/metrics").text
    assert [entry["id"] for entry in client.get("/v1/models").json()["data"]] == ["points", "order"]
    assert client.get("/v1/models/anything").json()["id"] == "anything"


def test_models_one_by_one(client):
    found = client.get("/v1/models/order").json()
    assert (found["id"], found["model_type"]) == ("order", "rerank")
    missing = client.get("/v1/models/gpt")
    assert missing.status_code == 404
    assert missing.json()["detail"] == "there is no model 'gpt' here; there are: points, order"


def test_slashes_at_the_end_and_head(client):
    assert client.post("/v2/rerank/", json=ask("/v2/rerank", DOCUMENTS)).status_code == 200
    assert client.get("/health/").status_code == 200
    head = client.head("/health")
    assert (head.status_code, head.content) == (200, b"")


def test_pages_of_other_origins():
    with inside(origins=["https://shop.example"]) as client:
        asked = {"Origin": "https://shop.example", "Access-Control-Request-Method": "POST"}
        allowed = client.options("/v1/rerank", headers={**asked, "Access-Control-Request-Headers": "authorization"})
        assert allowed.headers["access-control-allow-origin"] == "https://shop.example"
        refused = client.options("/v1/rerank", headers={**asked, "Origin": "https://other.example"})
        assert "access-control-allow-origin" not in refused.headers
        failed = client.post("/v1/rerank", json={}, headers={"Origin": "https://shop.example"})
        assert (failed.status_code, failed.headers["access-control-allow-origin"]) == (400, "https://shop.example")


def test_cohere_gives_documents_where_they_are_asked_for(client):
    body = client.post("/v2/rerank", json=ask("/v2/rerank", DOCUMENTS, return_documents=True)).json()
    assert body["results"][0]["document"] == {"text": "worth 3"}
