"""The packaged language model behind every dialect."""

import itertools
from concurrent.futures import ThreadPoolExecutor

import pytest
from serving import GENEROUS
from starlette.testclient import TestClient

from rerankllm import Reranker
from rerankllm.server.app import make_server

pytestmark = [
    pytest.mark.slow,
    pytest.mark.llamacpp,
]

QUERY = "how long do fleas live"
DOCUMENTS = ["Fleas jump far.", "A flea lives for two or three months.", "nul \0 here", "", "Dogs bark."]


@pytest.fixture(scope="module")
def client():
    with Reranker("pointwise / labels", "llamacpp:smollm2", driver="concurrent") as fast:
        aliases = {
            "fast": fast,
            "likely": fast.beside("pointwise / likelihood"),
            "windows": fast.beside("sliding / labels"),
            "plain": fast.beside("pointwise / labels(prompt=monot5)"),
        }
        with TestClient(make_server(aliases, GENEROUS).app) as client:
            yield client


def test_every_dialect(client):
    cohere = {"model": "fast", "query": QUERY, "documents": DOCUMENTS}
    answer = client.post("/v2/rerank", json=cohere)
    assert answer.headers["x-rerankllm-scores"] == "probability"
    results = answer.json()["results"]
    assert sorted(result["index"] for result in results) == list(range(5))
    assert all(a["relevance_score"] > b["relevance_score"] for a, b in itertools.pairwise(results))
    assert answer.json()["meta"]["tokens"]["input_tokens"] > 100
    likely = client.post("/v1/rerank", json={**cohere, "model": "likely"})
    assert likely.headers["x-rerankllm-scores"] == "logistic"
    assert likely.json()["results"][0]["index"] == 1
    windows = client.post("/rerank", json={**cohere, "model": "windows"})
    assert windows.headers["x-rerankllm-scores"] == "rank"
    tei = client.post("/rerank", json={"query": QUERY, "texts": DOCUMENTS, "raw_scores": True})
    assert len(tei.json()) == 5
    score = client.post("/score", json={"text_1": QUERY, "text_2": DOCUMENTS[:2]})
    assert all(0 < datum["score"] < 1 for datum in score.json()["data"])


def test_prompts_of_one_request(client):
    asked = {"query": QUERY, "documents": DOCUMENTS, "model": "fast"}
    whole = client.post("/v1/rerank", json=asked).json()["usage"]["prompt_tokens"]
    cut = client.post("/v1/rerank", json={**asked, "max_tokens_per_doc": 2}).json()["usage"]["prompt_tokens"]
    told = client.post("/v1/rerank", json={**asked, "instruction": "passages about the age of insects"}).json()
    assert cut < whole < told["usage"]["prompt_tokens"]
    assert client.post("/v1/rerank", json=asked).json()["usage"]["prompt_tokens"] == whole
    refused = client.post("/v1/rerank", json={**asked, "model": "plain", "instruction": "about insects"})
    assert refused.status_code == 400
    assert "has no place for an instruction" in refused.json()["error"]["message"]


def test_many_at_once(client):
    def one(n):
        body = {"model": ("fast", "likely", "windows")[n % 3], "query": f"{QUERY} {n}", "documents": DOCUMENTS}
        return client.post("/v2/rerank", json=body).status_code

    with ThreadPoolExecutor(6) as pool:
        assert set(pool.map(one, range(6))) == {200}
