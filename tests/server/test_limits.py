"""What the server does not take, and that it says so in the dialect that was spoken."""

import asyncio
import logging
import threading

import httpx
import pytest
from serving import JSON, ask, inside, listening
from waiting import GUARD, happens, leap, until

from rerankllm.server.middleware import Limits

PATHS = ("/v2/rerank", "/v1/rerank", "/rerank", "/score")


def message(path, response):
    body = response.json()
    return body["message"] if path == "/v2/rerank" else body["error"]["message"]


@pytest.mark.parametrize("path", PATHS)
def test_bytes_are_counted_whatever_the_header_says(path):
    def chunks():
        for _ in range(30):
            yield b" " * 100

    with inside(Limits(size=1000, seconds=GUARD)) as client:
        for content in (b" " * 1001, chunks(), b" " * 5001):
            response = client.post(path, content=content, headers=JSON)
            assert response.status_code == 413
            assert "longer than the 1000 bytes" in message(path, response)
        assert client.engine.calls == 0


def test_a_body_without_an_end_is_not_read_for_ever():
    sent = []

    async def receive():
        sent.append(100)
        return {"type": "http.request", "body": b" " * 100, "more_body": True}

    answers = []

    async def send(event):
        answers.append(event)

    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST", "path": "/v2/rerank",
        "raw_path": b"/v2/rerank", "query_string": b"", "headers": [(b"content-type", b"application/json")],
    }  # fmt: skip
    with inside(Limits(size=1000, seconds=GUARD)) as client:
        asyncio.run(client.app(scope, receive, send))
    assert answers[0]["status"] == 413
    assert sum(sent) <= 4100


@pytest.mark.parametrize("path", PATHS)
def test_an_answer_that_is_late(path):
    for texts in (False, True) if path == "/rerank" else (False,):
        with inside(Limits(seconds=GUARD)) as client:
            client.engine.gate.clear()
            late = threading.Thread(target=lambda client=client: (
                until(lambda: client.engine.batches),
                leap(client.portal.call(asyncio.get_running_loop), GUARD),
            ))  # fmt: skip
            late.start()
            response = client.post(path, json=ask(path, ["x"], texts=texts))
            late.join()
            client.engine.gate.set()
        assert response.status_code == 504
        if texts:
            assert response.json()["error_type"] == "Backend"
        else:
            assert message(path, response) == "there was no answer within 900 s"


def test_a_body_that_is_slow():
    async def receive():
        leap(asyncio.get_running_loop(), GUARD)
        await asyncio.Event().wait()

    answers = []

    async def send(event):
        answers.append(event)

    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST", "path": "/rerank",
        "raw_path": b"/rerank", "query_string": b"", "headers": [(b"content-type", b"application/json")],
    }  # fmt: skip
    with inside(Limits(seconds=GUARD)) as client:
        asyncio.run(client.app(scope, receive, send))
    assert answers[0]["status"] == 408


def test_requests_in_flight():
    with listening(Limits(in_flight=2, seconds=GUARD)) as live:
        live.engine.gate.clear()
        with httpx.Client(base_url=live.url, timeout=GUARD) as client:
            assert "rerankllm_requests_in_flight 0.0" in client.get("/metrics").text

            async def flood():
                async with httpx.AsyncClient(base_url=live.url, timeout=GUARD) as many:
                    first = [asyncio.ensure_future(many.post("/v2/rerank", json=ask("/v2/rerank", ["x"])))
                             for _ in range(2)]  # fmt: skip
                    await happens(lambda: live.engine.batches)
                    await happens(lambda: "rerankllm_requests_in_flight 2.0" in client.get("/metrics").text)
                    refused = [await many.post(path, json=ask(path, ["x"])) for path in PATHS]
                    live.engine.gate.set()
                    return await asyncio.gather(*first), refused

            first, refused = asyncio.run(flood())
    assert [response.status_code for response in first] == [200, 200]
    for path, response in zip(PATHS, refused, strict=True):
        assert (response.status_code, response.headers["retry-after"]) == (429, "1")
        assert "2 requests are under way already" in message(path, response)


def test_a_bug_is_told_as_one(monkeypatch, caplog):
    with inside() as client:
        monkeypatch.setattr(client.aliases["points"], "submit", lambda *_, **__: 1 / 0)
        with caplog.at_level(logging.ERROR):
            for path in PATHS:
                response = client.post(path, json=ask(path, ["x"]))
                assert response.status_code == 500
                assert message(path, response) == "this is a bug of the server; its log says more"
        assert "ZeroDivisionError" in caplog.text


def test_a_broken_engine_is_in_the_log_only(caplog):
    with inside() as client, caplog.at_level(logging.ERROR):
        asked = ask("/v2/rerank", ["x"], query="broken")
        response = client.post("/v2/rerank", json=asked, headers={"X-Request-ID": "ticket-7"})
        assert response.json()["message"] == "the model behind 'points' cannot be used at the moment"
        (told,) = (record.fields for record in caplog.records if record.name == "rerankllm.server.service")
        assert (told["id"], told["alias"], "the engine is broken" in told["reason"]) == ("ticket-7", "points", True)
        assert client.post("/v2/rerank", json=ask("/v2/rerank", ["x"])).status_code == 200
