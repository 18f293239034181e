# install: httpx rotel==0.0.1a15
"""A collector of OpenTelemetry (rotel) prints the spans that `rerankllm serve --otel` sends it."""

import os
import re
import socket
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import httpx

ABOVE = "4bf92f3577b34da6a3ce929d0e0e4736"


def free():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def until(said, path, process):
    while said not in path.read_text():
        if process.poll() is not None:
            sys.exit(f"ended before {said!r}: {path.read_text()}")
        time.sleep(0.1)
    return path.read_text()


agent = Path(find_spec("rotel").origin).with_name("rotel-agent")
port = free()
command = [
    str(agent), "start", "--exporter", "blackhole", "--debug-log", "traces", "--debug-log-verbosity", "detailed",
    "--otlp-http-endpoint", f"127.0.0.1:{port}", "--otlp-grpc-endpoint", f"127.0.0.1:{free()}",
    "--pid-file", "agent.pid",
]  # fmt: skip
said, log = Path("collector.log"), Path("server.log")
with said.open("wb") as out:
    collector = subprocess.Popen(command, stdout=out, stderr=out)
try:
    until("", said, collector)
    here = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{port}", "OTEL_BSP_SCHEDULE_DELAY": "100"}
    serve = [
        os.environ["PYTHON"],
        "-m",
        "rerankllm",
        "serve",
        "--port",
        "0",
        "--otel",
        "--alias",
        "fast=@ embed:minilm",
    ]
    with log.open("wb") as out:
        server = subprocess.Popen(serve, stderr=out, env=os.environ | here, cwd=os.environ["ROOT"])
    try:
        base = re.search(r"listening at (http://\S+);", until("listening at", log, server))[1]
        body = {"query": "how long do fleas live", "documents": ["Dogs bark.", "A flea lives for two months."]}
        headers = {"traceparent": f"00-{ABOVE}-00f067aa0ba902b7-01", "X-Request-ID": "ticket-7"}
        httpx.post(f"{base}/v1/rerank", json=body, headers=headers, timeout=600).raise_for_status()
        found = until("ticket-7", said, collector)
    finally:
        server.terminate()
        server.wait(60)
finally:
    collector.terminate()
    collector.wait(60)
for name in ("POST /v1/rerank", "judge Score", "rerankllm.request_id", "service.name", ABOVE):
    assert name in found, f"no {name} in: {found}"
assert "Dogs" not in found
print(f"spans: {found.count('judge Score')} judge Score, {found.count('POST /v1/rerank')} POST /v1/rerank")
