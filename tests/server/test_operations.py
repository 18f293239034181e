"""What an operations team sees: request ids, the log, metrics, traces, and a journal that has a limit."""

import logging

import pytest
from serving import ask, inside

from rerankllm import Reranker
from rerankllm.journal.store import TRIM_EVERY, Journal
from rerankllm.server.logs import _Json, _Text


def test_request_ids_are_passed_on_or_drawn(client):
    given = client.post("/v1/rerank", json=ask("/v1/rerank", ["x"]), headers={"X-Request-ID": "ticket-7"})
    assert given.headers["x-request-id"] == "ticket-7"
    drawn = [client.get("/health").headers["x-request-id"] for _ in range(2)]
    assert drawn[0] != drawn[1]
    for bad in ("two words", "x" * 129, ""):
        assert client.get("/health", headers={"X-Request-ID": bad}).headers["x-request-id"] != bad
    failed = client.post("/v1/rerank", json={}, headers={"X-Request-ID": "ticket-8"})
    assert (failed.status_code, failed.headers["x-request-id"]) == (400, "ticket-8")


def test_a_line_a_request(client, caplog):
    with caplog.at_level(logging.INFO, "rerankllm.requests"):
        client.post("/v1/rerank", json=ask("/v1/rerank", ["worth 1", "worth 2"]), headers={"X-Request-ID": "a"})
        client.get("/health")
        client.post("/v1/rerank", json=ask("/v1/rerank", ["x"], query="it cannot"), headers={"X-Request-ID": "b"})
    first, upstream, last = (record.fields for record in caplog.records if record.name == "rerankllm.requests")
    assert first.pop("seconds") >= 0
    assert first == {
        "id": "a", "route": "/v1/rerank", "alias": "points", "status": 200, "calls": 2, "prompt_tokens": 14,
        "completion_tokens": 2, "client": "testclient",
    }  # fmt: skip
    assert upstream == {"id": "b", "alias": "points", "calls": 1, "reason": "scripted failure"}
    assert (last["id"], last["status"]) == ("b", 502)


def test_lines_as_text_and_as_json():
    record = logging.LogRecord("rerankllm.requests", logging.INFO, "", 0, "request", (), None)
    record.fields = {"id": "a", "alias": None, "client": "two words"}
    assert _Text().format(record).endswith(' info request id=a alias=- client="two words"')
    assert '"id": "a", "alias": null' in _Json().format(record)


def test_metrics_of_what_waits_and_fails(client):
    client.post("/v1/rerank", json=ask("/v1/rerank", ["worth 1", "worth 2", "worth 3"]))
    client.post("/v1/rerank", json=ask("/v1/rerank", ["x"], query="it cannot"))
    text = client.get("/metrics").text
    assert 'rerankllm_upstream_errors_total{alias="points"} 1.0' in text
    assert 'rerankllm_batch_size_sum{model="counting:test"} 4.0' in text
    assert "rerankllm_calls_waiting 0.0" in text


def test_a_journal_with_a_limit_forgets_the_oldest_calls(tmp_path):
    limit = 200_000
    journal = Journal(tmp_path / "kept", limit=limit)
    with Reranker("pointwise", "counting:test", journal=journal) as reranker:
        for n in range(3 * TRIM_EVERY):
            reranker.rerank(f"query {n}", ["x" * 1500 + f" worth {n}", f"worth {n + 1}"])
        pages, free, size = (
            next(journal.rows(f"PRAGMA {name}"))[0] for name in ("page_count", "freelist_count", "page_size")
        )
        assert (pages - free) * size <= limit + TRIM_EVERY * 4000
        (oldest,), (queries,) = (
            next(journal.rows(f"SELECT {what}")) for what in ("min(id) FROM calls", "count(*) FROM queries")
        )
        assert oldest > 1
        assert 0 < queries < 3 * TRIM_EVERY
        asked = reranker.backend.calls
        reranker.rerank(f"query {n}", ["x" * 1500 + f" worth {n}", f"worth {n + 1}"])
        assert reranker.backend.calls == asked
    journal.close()


def test_traces_have_a_span_a_judgement():
    sdk = pytest.importorskip("opentelemetry.sdk.trace", reason="needs the extra `otel`")
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    kept, provider = InMemorySpanExporter(), sdk.TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(kept))
    above = "4bf92f3577b34da6a3ce929d0e0e4736"
    with inside(tracer=provider.get_tracer("test")) as client:
        headers = {"traceparent": f"00-{above}-00f067aa0ba902b7-01", "X-Request-ID": "a"}
        client.post("/v1/rerank", json=ask("/v1/rerank", ["worth 1", "worth 2"]), headers=headers)
        client.get("/health")
    *judged, request = kept.get_finished_spans()
    assert [span.name for span in judged] == ["judge Score"] * 2
    assert (request.name, request.attributes["http.response.status_code"]) == ("POST /v1/rerank", 200)
    assert request.attributes["rerankllm.calls"] == 2
    assert {span.context.trace_id for span in (*judged, request)} == {int(above, 16)}
    assert all(span.parent.span_id == request.context.span_id for span in judged)
    assert all(span.start_time <= span.end_time for span in judged)
    assert "worth" not in request.to_json() + judged[0].to_json()
