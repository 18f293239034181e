"""A real server on the loopback interface: batching across requests, hang-ups, the end, and the real Cohere SDK."""

import asyncio
import json
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import cohere
import httpx
import pytest
from serving import GENEROUS, JSON, ask, listening, metric
from waiting import GUARD, until

from rerankllm import Reranker
from rerankllm.server.middleware import Limits


def post(live, path="/v2/rerank", **more):
    documents = more.pop("documents", ["worth 1", "worth 2"])
    return httpx.post(f"{live.url}{path}", json=ask(path, documents, **more), timeout=GUARD)


def raw(live, body):
    """A request on a socket of its own, sent."""
    content = json.dumps(body).encode()
    host, port = live.url.removeprefix("http://").split(":")
    connection = socket.create_connection((host, int(port)))
    head = f"POST /v2/rerank HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(content)}"
    connection.sendall(head.encode() + b"\r\n\r\n" + content)
    return connection


@pytest.mark.slow
def test_the_cohere_sdk(live):
    with cohere.ClientV2(api_key="any", base_url=live.url, timeout=GUARD) as client:
        answer = client.rerank(model="points", query="q", documents=["worth 1", "worth 3", "worth 2"], top_n=2)
    assert [result.index for result in answer.results] == [1, 2]
    assert answer.results[0].relevance_score > answer.results[1].relevance_score
    assert answer.meta.billed_units.search_units == 1
    assert answer.meta.tokens.input_tokens == 21


def test_the_cohere_sdk_is_told_what_went_wrong():
    limits = replace(GENEROUS, documents=2)
    with listening(limits) as live, cohere.ClientV2(api_key="any", base_url=live.url, timeout=GUARD) as client:
        with pytest.raises(cohere.NotFoundError) as missing:
            client.rerank(model="rerank-v3.5", query="q", documents=["a"])
        assert "there are: points, order" in missing.value.body["message"]
        with pytest.raises(cohere.BadRequestError, match="there are no documents"):
            client.rerank(model="points", query="q", documents=[])
        with pytest.raises(cohere.BadRequestError, match="3 documents are more than the 2"):
            client.rerank(model="points", query="q", documents=["a"] * 3)


def test_the_async_cohere_sdk(live):
    async def several():
        async with cohere.AsyncClientV2(api_key="any", base_url=live.url, timeout=GUARD) as client:
            return await asyncio.gather(
                *(client.rerank(model="order", query=f"q{n}", documents=["worth 1", "worth 2"]) for n in range(8))
            )

    assert all([result.index for result in answer.results] == [1, 0] for answer in asyncio.run(several()))


@pytest.mark.slow
def test_requests_are_batched_together(live):
    """While the engine is busy with one request, 23 others come, of both aliases: they are its next batch."""
    live.engine.gate.clear()
    with ThreadPoolExecutor(24) as pool:
        first = pool.submit(post, live, query="first")
        until(lambda: live.engine.batches)
        models = ("points", "order")
        others = [pool.submit(post, live, query=f"q{n}", model=models[n % 2]) for n in range(23)]
        until(lambda: metric(live, "rerankllm_requests_in_flight") == 24)
        until(lambda: len(live.engine._pending) == 11 + 12 * 2)
        live.engine.gate.set()
        assert {other.result().status_code for other in [first, *others]} == {200}
    assert len(live.engine.batches) == 2
    assert set(live.engine.batches[1]) == {f"q{n}" for n in range(23)}


def test_a_hang_up_stops_its_query_and_nobody_else(live):
    live.engine.gate.clear()
    with ThreadPoolExecutor(2) as pool:
        kept = pool.submit(post, live, query="kept", model="order", documents=[f"worth {n}" for n in range(40)])
        until(lambda: live.engine.batches)
        gone = raw(live, ask("/v2/rerank", [f"worth {n}" for n in range(40)], query="gone", model="order"))
        until(lambda: metric(live, "rerankllm_requests_in_flight") == 2)
        until(lambda: live.engine._pending)
        gone.close()
        until(lambda: metric(live, "rerankllm_requests_in_flight") == 1)
        live.engine.gate.set()
        answer = kept.result()
    assert [result["index"] for result in answer.json()["results"]][:2] == [39, 38]
    assert not any("gone" in batch for batch in live.engine.batches)
    until(lambda: metric(live, 'rerankllm_requests_total{alias="order",route="/v2/rerank",status="499"}') == 1)


def test_hang_ups_in_the_middle_of_the_body(live):
    for content in (b"", b"{", b'{"model": "points", "query"'):
        host, port = live.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port))) as connection:
            head = (
                b"POST /v2/rerank HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n"
            )
            connection.sendall(head + content)
    until(lambda: metric(live, 'rerankllm_requests_total{alias="none",route="/v2/rerank",status="499"}') == 3)
    assert post(live).status_code == 200


def test_the_end_lets_requests_finish_and_refuses_others(live):
    live.engine.gate.clear()
    with ThreadPoolExecutor(1) as pool, httpx.Client(base_url=live.url, timeout=GUARD) as other:
        assert other.get("/health").status_code == 200
        kept = pool.submit(post, live)
        until(lambda: live.engine.batches)
        live.running.handle_exit(15, None)
        assert other.get("/health").status_code == 503
        for path in ("/v2/rerank", "/score"):
            refused = other.post(path, json=ask(path, ["x"]))
            assert refused.status_code == 503
            assert refused.headers["retry-after"] == "1"
            assert "shutting down" in refused.text
        live.engine.gate.set()
        assert kept.result().status_code == 200
    live.thread.join(GUARD)
    assert not live.thread.is_alive()


def test_the_end_does_not_wait_for_ever():
    with listening(grace=60) as live:
        live.engine.gate.clear()
        with ThreadPoolExecutor(1) as pool:
            late = pool.submit(post, live)
            until(lambda: live.engine.batches)
            live.end()
            live.leap(60)
            assert late.result().status_code == 503
            assert late.result().json()["message"] == "the server is shutting down"
        live.engine.gate.set()


def test_the_end_does_not_wait_for_a_body():
    with listening(Limits(seconds=1e9)) as live:
        host, port = live.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port))) as slow:
            head = (
                b"POST /v2/rerank HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n"
            )
            slow.sendall(head)
            until(lambda: metric(live, "rerankllm_requests_in_flight") == 1)
            live.end()
            until(lambda: live.leap(GUARD) or not live.thread.is_alive())


def test_a_second_signal_ends_it_at_once():
    with listening() as live:
        live.engine.gate.clear()
        answer = []

        def patient():
            try:
                answer.append(post(live))
            except httpx.HTTPError as error:
                answer.append(error)

        thread = threading.Thread(target=patient)
        thread.start()
        until(lambda: live.engine.batches)
        live.end()
        assert not live.running.should_exit
        live.running.handle_exit(15, None)
        assert live.running.should_exit
        until(lambda: live.leap(GUARD) or not live.thread.is_alive())
        thread.join()
        assert answer
        live.engine.gate.set()


@pytest.mark.slow
def test_metrics(live):
    post(live)
    post(live, query="repair", model="order")
    post(live, query="it cannot")
    post(live, documents=[])
    httpx.get(f"{live.url}/nowhere", timeout=GUARD)
    found = {
        line.rpartition(" ")[0]: float(line.rpartition(" ")[2])
        for line in httpx.get(f"{live.url}/metrics", timeout=GUARD).text.splitlines()
        if not line.startswith("#") and "_created" not in line
    }
    expected = {
        'rerankllm_requests_total{alias="points",route="/v2/rerank",status="200"}': 1,
        'rerankllm_requests_total{alias="order",route="/v2/rerank",status="200"}': 1,
        'rerankllm_requests_total{alias="points",route="/v2/rerank",status="502"}': 1,
        'rerankllm_requests_total{alias="points",route="/v2/rerank",status="400"}': 1,
        'rerankllm_requests_total{alias="none",route="other",status="404"}': 1,
        'rerankllm_documents_total{alias="points"}': 4,
        'rerankllm_calls_total{alias="points"}': 4,
        'rerankllm_calls_total{alias="order"}': 1,
        'rerankllm_repairs_total{alias="order"}': 1,
        'rerankllm_failures_total{alias="points"}': 2,
        'rerankllm_tokens_total{alias="points",kind="prompt"}': 14,
        'rerankllm_tokens_total{alias="points",kind="completion"}': 2,
        'rerankllm_request_seconds_count{alias="points",route="/v2/rerank"}': 3,
        "rerankllm_requests_in_flight": 0,
    }
    assert {name: found.get(name) for name in expected} == expected


HOSTILE = (
    '{"query": "cut \\ud83d", "documents": ["half \\ud83d worth 3", "b"]}',
    '{"query": "nul \\u0000", "documents": ["\\u0000", "worth 2"]}',
    '{"query": 3, "documents": {"a": 1}}',
    '{"query": "it is broken", "documents": ["x"]}',
    '{"query": "q", "documents": ["' + "x" * 10_000_000 + '"]}',
    '{"query": "q", "documents": [' + "[" * 5000 + "]" * 5000 + "]}",
    "{",
)


@pytest.mark.slow
def test_one_hostile_client_among_64_costs_the_others_nothing(live):
    """Each of the others asks five times while the hostile one sends all it has; every answer is right."""

    def good(number):
        documents = [f"worth {(number + place) % 7}" for place in range(7)]
        right = sorted(range(7), key=lambda place: -((number + place) % 7))
        with httpx.Client(timeout=GUARD) as client:
            for _ in range(5):
                answer = client.post(f"{live.url}/v1/rerank", json=ask("/v1/rerank", documents, query=f"q{number}"))
                assert [each["index"] for each in answer.json()["results"]] == right
        return True

    def hostile():
        with httpx.Client(timeout=GUARD) as client:
            return [client.post(f"{live.url}/v1/rerank", content=body, headers=JSON).status_code for body in HOSTILE]

    with ThreadPoolExecutor(64) as pool:
        bad = pool.submit(hostile)
        assert all(pool.map(good, range(63)))
        assert bad.result() == [200, 200, 400, 502, 200, 400, 400]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("dialect", "below"),
    [
        ("cohere", ""),
        ("jina", "/v1"),
        ("voyage", "/v1"),
        ("mixedbread", "/v1"),
        ("zeroentropy", "/v1"),
        ("nvidia", "/v1"),
        ("tei", ""),
        ("vllm", "/v1"),
    ],
)
def test_our_own_judges_read_what_the_server_writes(live, monkeypatch, dialect, below):
    """`rerank:` in every dialect that it knows, against the server."""
    monkeypatch.setenv("RERANK_API_KEY", "any")
    model = f"rerank:points?dialect={dialect}&base_url={live.url}{below}"
    with Reranker("pointwise", model) as reranker:
        ranking = reranker.rerank("what is worth most", ["worth 1", "worth 3", "worth 2", "half \ud83d worth 0"])
    assert ranking.doc_ids == ("1", "2", "0", "3")
    assert ranking.ledger.attempts == 1
