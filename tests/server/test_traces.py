"""`rerankllm serve --otel`, as a process, and what a collector is sent."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest
from serving import commanded
from waiting import GUARD

ABOVE = "4bf92f3577b34da6a3ce929d0e0e4736"


@pytest.fixture
def collector():
    """An endpoint of OTLP over HTTP: its address, and the messages it was posted, as OpenTelemetry's own type."""
    proto = pytest.importorskip(
        "opentelemetry.proto.collector.trace.v1.trace_service_pb2", reason="needs the extra `otel`"
    )
    kept = []

    class Endpoint(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            kept.append((self.path, proto.ExportTraceServiceRequest.FromString(body)))
            answer = proto.ExportTraceServiceResponse().SerializeToString()
            self.send_response(200)
            self.send_header("Content-Type", "application/x-protobuf")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Endpoint)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", kept
    server.shutdown()
    server.server_close()
    thread.join(GUARD)


@pytest.mark.slow
def test_a_collector_is_sent_a_span_a_request_and_a_judgement(collector, tmp_path):
    """All that is under way is sent when the server ends, whenever its exporter would have sent it next."""
    url, kept = collector
    qrels = tmp_path / "qrels.txt"
    qrels.write_text("query 0 0 0\nquery 0 1 2\n")
    alias = f"fast=pointwise @ oracle:{qrels}"
    environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": url, "OTEL_EXPORTER_OTLP_COMPRESSION": "none"}
    with commanded("--otel", "--alias", alias, environment=environment) as (address, _, _process):
        body = {"query": "a private question", "documents": ["a private text", "b"]}
        headers = {"traceparent": f"00-{ABOVE}-00f067aa0ba902b7-01", "X-Request-ID": "ticket-7"}
        assert httpx.post(f"{address}/v1/rerank", json=body, headers=headers, timeout=GUARD).status_code == 200
    assert {path for path, _ in kept} == {"/v1/traces"}
    found = [each for _, message in kept for each in message.resource_spans]
    names = {a.value.string_value for each in found for a in each.resource.attributes if a.key == "service.name"}
    assert names == {"rerankllm"}
    spans = [span for each in found for scope in each.scope_spans for span in scope.spans]
    (request,) = (span for span in spans if span.name == "POST /v1/rerank")
    judged = [span for span in spans if span is not request]
    assert [span.name for span in judged] == ["judge Score"] * 2
    assert {span.trace_id.hex() for span in spans} == {ABOVE}
    assert {span.parent_span_id for span in judged} == {request.span_id}
    told = {each.key: each.value.string_value or each.value.int_value for each in request.attributes}
    assert (told["rerankllm.request_id"], told["rerankllm.alias"], told["rerankllm.calls"]) == ("ticket-7", "fast", 2)
    assert not any(b"private" in message.SerializeToString() for _, message in kept)
