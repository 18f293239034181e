"""What the page asks the server: events in their order and always a last one, and strategies that others write."""

import asyncio
import json
import socket
from dataclasses import replace

import httpx
import pytest
from serving import GENEROUS, inside, listening, metric
from starlette.testclient import TestClient
from waiting import GUARD, leap, until

from rerankllm import Reranker
from rerankllm.data import Document, Ledger, Query, Usage
from rerankllm.drivers.events import Judged
from rerankllm.judgements import Compare, ParseReport
from rerankllm.sample import path as sample
from rerankllm.server import sse as telling
from rerankllm.server import stream as live_module
from rerankllm.server.app import make_server
from rerankllm.server.keys import Keys
from rerankllm.server.stream import Feed

DOCUMENTS = [f"worth {n}" for n in range(10)]
ASSETS = ("/", "/page/page.css", "/page/page.js", "/page/icon.svg")


def body(**more):
    return {"query": "what is worth most", "documents": DOCUMENTS, **more}


def read(text):
    """(name, data) of every event."""
    parts = [part.split("\n") for part in text.split("\n\n") if part]
    assert all(len(part) == 2 for part in parts)
    return [(name.removeprefix("event: "), json.loads(data.removeprefix("data: "))) for name, data in parts]


def events(client, **more):
    response = client.post("/page/rerank", json=body(**more))
    assert response.status_code == 200, response.text
    assert response.headers["content-type"].startswith("text/event-stream")
    return read(response.text)


@pytest.mark.parametrize(("model", "calls"), [("points", 10), ("order", 4)])
def test_events_come_in_order_and_the_last_one_ranks(client, model, calls):
    told = events(client, model=model)
    assert [name for name, _ in told] == ["started", *["judged"] * calls, "finished"]
    started, *judged, last = (data for _, data in told)
    reranker = client.aliases[model]
    assert started["strategy"] == str(reranker.stage)
    assert started["plan"]["calls"] == [calls, calls]
    assert [each["n"] for each in judged] == list(range(1, calls + 1))
    assert {each["kind"] for each in judged} == {"Score" if model == "points" else "Permute"}
    ranking = reranker.rerank("what is worth most", DOCUMENTS)
    assert [each["id"] for each in last["results"]] == list(ranking.doc_ids)
    assert [each["score"] for each in last["results"]] == [result.score for result in ranking]
    assert last["ledger"]["calls"] == ranking.ledger.calls == calls
    usage = last["ledger"]["usage"]
    assert (usage["prompt_tokens"], usage["completion_tokens"]) == (7 * calls, calls)
    assert last["left_out"] == 0


def test_passages_may_have_ids_and_titles(client):
    passages = [{"id": "a", "title": "worth 5", "text": "nothing"}, {"id": "b", "text": "worth 3"}]
    told = events(client, documents=passages, query_id="q9")
    assert [each["id"] for each in told[-1][1]["results"]] == ["b", "a"]
    refused = client.post("/page/rerank", json=body(documents=[passages[0], passages[0]]))
    assert (refused.status_code, "come more than once: a" in refused.text) == (400, True)


def test_a_failed_query_is_a_last_event_and_no_ranking(client):
    told = events(client, query="it cannot")
    name, last = told[-1]
    assert [each["status"] for kind, each in told if kind == "judged"] == ["failed"] * 10
    assert (name, last["fault"]) == ("failed", "failed")
    assert "scripted failure" in last["message"]
    assert last["ledger"]["failed"] == 10
    assert "results" not in last
    assert metric_of(client, 'rerankllm_requests_total{alias="points",route="/page/rerank",status="502"}') == 1


def metric_of(client, name):
    lines = client.get("/metrics").text.splitlines()
    return next((float(line.rpartition(" ")[2]) for line in lines if line.startswith(name)), 0.0)


def test_a_broken_engine_and_a_bug_are_last_events_too(client, monkeypatch, caplog):
    told = events(client, query="broken")
    assert [name for name, _ in told] == ["started", "failed"]
    assert told[-1][1]["message"] == "the model behind 'points' cannot be used at the moment"
    monkeypatch.setattr(telling, "finished", lambda *_: 1 / 0)
    told = events(client)
    assert (told[-1][0], told[-1][1]["fault"]) == ("failed", "bug")
    assert "ZeroDivisionError" in caplog.text
    assert metric_of(client, 'rerankllm_requests_total{alias="points",route="/page/rerank",status="500"}') == 1


def test_what_is_wrong_beforehand_has_a_status():
    with inside(replace(GENEROUS, documents=3)) as client:
        for sent, status in (
            (body(), 400),
            (body(documents=[]), 400),
            (body(documents=["a"], model="none"), 404),
            (body(documents=["a"], query=" "), 400),
            (body(documents=["a"], top_n=0), 400),
            (body(documents=["a"], other=1), 400),
            (body(documents=[{"title": "no text"}]), 400),
            ([], 400),
        ):
            response = client.post("/page/rerank", json=sent)
            assert (response.status_code, response.json()["error"]["code"]) == (status, status), sent
        assert client.post("/page/rerank", content=b"query=x").status_code == 415
        assert client.engine.calls == 0


def test_a_deadline_is_told_as_the_last_event():
    with listening() as live:
        live.engine.gate.clear()
        with httpx.stream("POST", f"{live.url}/page/rerank", json=body(), timeout=GUARD) as response:
            until(lambda: live.engine.batches)
            live.leap(GUARD)
            told = read(response.read().decode())
        assert (told[-1][0], told[-1][1]["fault"]) == ("failed", "late")
        assert told[-1][1]["message"] == "there was no answer within 900 s"
        until(lambda: metric(live, 'rerankllm_requests_total{alias="points",route="/page/rerank",status="504"}') == 1)


def test_the_end_of_the_server_is_told_as_the_last_event():
    with listening(grace=60) as live:
        live.engine.gate.clear()
        with httpx.stream("POST", f"{live.url}/page/rerank", json=body(), timeout=GUARD) as response:
            lines = response.iter_lines()
            assert next(lines) == "event: started"
            live.end()
            live.leap(60)
            assert json.loads([line for line in lines if line][-1].removeprefix("data: "))["fault"] == "closing"


def test_a_hang_up_ends_the_query(live):
    live.engine.gate.clear()
    content = json.dumps(body(model="order", query="gone")).encode()
    host, port = live.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as connection:
        head = (
            f"POST /page/rerank HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(content)}"
        )
        connection.sendall(head.encode() + b"\r\n\r\n" + content)
        assert b"200 OK" in connection.recv(100)
        until(lambda: live.engine.batches)
    until(lambda: metric(live, 'rerankllm_requests_total{alias="order",route="/page/rerank",status="499"}') == 1)
    live.engine.gate.set()
    assert httpx.post(f"{live.url}/page/rerank", json=body(model="order"), timeout=GUARD).status_code == 200
    assert sum("gone" in batch for batch in live.engine.batches) == 1


def test_a_slow_reader_holds_no_more_than_so_much(monkeypatch):
    monkeypatch.setattr(live_module, "WAITING", 3)
    query = Query("q", "q")

    async def fed():
        feed = Feed()
        for n in range(10):
            pair = Document(f"a{n}", "x"), Document(f"b{n}", "y")
            feed.observe(Judged(query, Compare(query, *pair), 0.7, ParseReport(), Usage()))
        await feed.news()
        return feed, read(feed.take().decode()), feed.take()

    feed, told, nothing = asyncio.run(fed())
    assert [data["n"] for _, data in told] == [1, 2, 3]
    assert (feed.left_out, len(feed.comparisons), nothing) == (7, 10, b"")


def test_a_reader_who_never_reads_is_left_at_the_deadline():
    sent = []

    async def receive():
        if not sent:
            sent.append(None)
            return {"type": "http.request", "body": json.dumps(body()).encode()}
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message):
        sent.append(message)
        if message["type"] == "http.response.body":
            leap(asyncio.get_running_loop(), GUARD)  # to the deadline, and then past the time for the last event
            await asyncio.Event().wait()

    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST", "path": "/page/rerank",
        "raw_path": b"/page/rerank", "query_string": b"", "headers": [(b"content-type", b"application/json")],
    }  # fmt: skip
    with inside() as client:
        asyncio.run(client.app(scope, receive, send))
    last = sent[-1]
    assert (last["more_body"], read(last["body"].decode())[0][1]["fault"]) == (False, "late")


def test_numbers_that_json_has_not_and_ends_of_lines():
    told = telling.event("judged", {"text": "a\n\nevent: finished\r\n\u2028\ud800"})
    assert told.count(b"\n\n") == 1
    assert telling.ledger(Ledger(cost_usd=float("nan")))["cost_usd"] is None


def test_contradicted_pairs_are_counted():
    model = f"simulated:{sample('qrels.txt')}?world=harsh"
    with (
        Reranker("prp(sort=allpair)", model) as pairs,
        TestClient(make_server({"pairs": pairs}, GENEROUS).app) as client,
    ):
        passages = client.get("/page/sample", params={"query_id": "q1"}).json()
        told = events(client, query="how long do fleas live", query_id="q1", documents=passages, model="pairs")
    p = {tuple(data["docs"]): data["answer"]["p"] for name, data in told if name == "judged"}
    both = [(p[a, b], p[b, a]) for a, b in p if a < b and (b, a) in p]
    assert told[-1][1]["contradicted"] == [sum((x > 0.5 < y) or (x < 0.5 > y) for x, y in both), len(both)]
    assert told[-1][1]["contradicted"][0] > 0


def test_the_plan_is_known_before(client):
    def plan(**asked):
        response = client.get("/page/plan", params={"n": 20, **asked})
        return response.json() if response.status_code == 200 else response.json()["error"]

    assert plan(model="order")["plan"] == {"calls": [9, 9], "rounds": [9, 9], "slots": [36, 36]}
    assert plan(strategy="full")["strategy"] == "full(top_k=10, seed=0)"
    assert "there are: points, order" in plan(model="x")["message"]
    assert "did you mean 'sliding'" in plan(strategy="slidng")["message"]
    assert plan(strategy="prp")["message"].startswith("counting:test can put passages in order")
    assert plan(n=0)["code"] == 400
    assert plan(n=1001)["message"] == "1001 documents are more than the 1000 that this server takes"
    assert client.engine.calls == 0


@pytest.mark.parametrize(
    ("strategy", "said"),
    [
        ("full @ openai:x", "names no model"),
        ("psc(full @ 'hf:x')", "names no model"),
        ("full / text(prompt='/etc/passwd.yaml')", "names no file"),
        ("psc(full / text(prompt=own.yml))", "names no file"),
        ("sliding(passes=1001)", "at most 1000"),
        ("sliding(passes=1e9)", "at most 1000"),
        ("psc(sliding(window=2, stride=1), shuffles=1000)", "may take 9000 calls"),
        ("psc(" * 124 + "x", "cannot read"),
        ("x" * 501, "at most 500 characters"),
        (" ", "cannot read"),
    ],
)
def test_a_strategy_that_is_written_may_not_do_everything(strategy, said):
    with inside(replace(GENEROUS, page_calls=100)) as client:
        for response in (
            client.get("/page/plan", params={"n": 10, "strategy": strategy}),
            client.post("/page/rerank", json=body(strategy=strategy)),
        ):
            assert response.status_code == 400
            assert said in response.json()["error"]["message"]
        assert client.engine.calls == 0


def test_any_strategy_that_works_ranks_unless_the_server_does_not_let_it(client):
    told = events(client, strategy="sliding(window=5, stride=2)")
    assert [each["id"] for each in told[-1][1]["results"]][:2] == ["9", "8"]
    offers = {alias["name"]: alias["offers"] for alias in client.get("/page/choices").json()["aliases"]}
    assert "full" in offers["points"]
    assert not any(spec.startswith("prp") for spec in offers["points"])  # this engine compares no pairs
    with inside(replace(GENEROUS, page_calls=0)) as strict:
        assert strict.get("/page/choices").json()["aliases"][0]["offers"] == []
        refused = strict.post("/page/rerank", json=body(strategy="full"))
        assert (refused.status_code, "own strategies only" in refused.text) == (400, True)
        assert events(strict, model="order")[-1][0] == "finished"


def test_the_page_is_open_and_all_else_wants_the_key():
    with inside(keys=Keys(["k"])) as client:
        for path in ASSETS:
            response = client.get(path)
            assert response.status_code == 200
            assert "default-src 'none'" in response.headers["content-security-policy"]
            assert not {"unsafe", "http:", "https:"} & set(response.headers["content-security-policy"].split("'"))
            assert "points" not in response.text or path == "/page/page.js"
        for path in ("/page/choices", "/page/plan?n=3", "/page/sample?query_id=q1"):
            assert client.get(path).status_code == 401
            assert client.get(path, headers={"Authorization": "Bearer k"}).status_code == 200
        assert client.post("/page/rerank", json=body()).status_code == 401
        assert client.get("/page/nothing").status_code == 401


def test_the_sample_is_the_one_that_ships(client):
    assert len(client.get("/page/choices").json()["samples"]) == 8
    passages = client.get("/page/sample", params={"query_id": "q1"}).json()
    assert (len(passages), passages[0]["id"]) == (20, "d039")
    assert client.get("/page/sample", params={"query_id": "q99"}).status_code == 400
