"""`rerankllm serve`, as a process of its own."""

import importlib.util
import json
import socket

import httpx
import pytest
from scripted_server import Answer, ScriptedServer, Status
from serving import commanded
from waiting import GUARD

EVERYWHERE = "0.0.0.0"  # noqa: S104


@pytest.fixture
def qrels(tmp_path):
    """What the oracle goes by: documents of a request are called by their position."""
    file = tmp_path / "qrels.txt"
    file.write_text("query 0 0 0\nquery 0 1 2\nquery 0 2 1\n")
    return file


@pytest.mark.slow
def test_serving(qrels):
    aliases = ("--alias", f"ideal=pointwise @ oracle:{qrels}", "--alias", f"window=sliding @ oracle:{qrels}")
    with commanded(*aliases, environment={"RERANKLLM_API_KEYS": "secret"}) as (url, lines, _):
        assert url.startswith("http://127.0.0.1:")
        assert lines[:1] == [f"rerankllm: loading oracle:{qrels} …\n"]
        assert lines[1].startswith("rerankllm: ideal: pointwise on oracle:")
        body = {"model": "window", "query": "q", "documents": ["a", "b", "c"]}
        assert httpx.post(f"{url}/v2/rerank", json=body, timeout=GUARD).status_code == 401
        answer = httpx.post(f"{url}/v2/rerank", json=body, headers={"Authorization": "Bearer secret"}, timeout=GUARD)
        assert [result["index"] for result in answer.json()["results"]] == [1, 2, 0]
    assert "secret" not in "".join(lines)


@pytest.mark.slow
def test_a_warning_where_everybody_may_ask(qrels):
    with commanded("--model", f"oracle:{qrels}", "--host", EVERYWHERE) as (_, lines, _process):
        assert "rerankllm: anyone who reaches 0.0.0.0 may ask, as there are no keys: see --keys\n" in lines
        assert lines[1].startswith("rerankllm: default: sliding(window=20, stride=10, passes=1) on oracle:")


@pytest.mark.slow
def test_a_port_that_is_taken_is_said_before_a_model_is_loaded(cli):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        status, _, err = cli("serve", "--port", str(port), "--model", "no-such-kind:x")
    assert status == 1
    assert " ".join(err.split()) == (
        f"rerankllm: cannot listen at 127.0.0.1:{port}: something listens there already: take another --port, or 0 for "
        "any"
    )


@pytest.mark.slow
def test_the_log_is_a_json_object_a_line_and_holds_no_texts(qrels):
    log = ("--log-format", "json", "--log-level", "info")
    with commanded("--model", f"oracle:{qrels}", *log, environment={"RERANKLLM_API_KEYS": "secret"}) as (url, lines, p):
        body = {"query": "a private question", "documents": ["one private text", "b"], "speed": 1}
        headers = {"Authorization": "Bearer secret", "X-Request-ID": "ticket-7", "User-Agent": "shop/2"}
        answer = httpx.post(f"{url}/v1/rerank", json=body, headers=headers, timeout=GUARD)
        assert answer.headers["x-request-id"] == "ticket-7"
        ignored, request = json.loads(p.stderr.readline()), json.loads(p.stderr.readline())
    assert all(json.loads(line)["level"] == "info" for line in lines)
    assert (ignored["level"], "'speed'" in ignored["message"]) == ("warning", True)
    told = {
        "level": "info", "message": "request", "id": "ticket-7", "route": "/v1/rerank", "alias": "default",
        "status": 200, "calls": 1, "client": "shop/2",
    }  # fmt: skip
    assert {name: request[name] for name in told} == told
    assert "private" not in json.dumps(request) + json.dumps(ignored)
    assert "secret" not in json.dumps(request)


@pytest.mark.slow
def test_a_failing_upstream_is_logged_by_request_and_never_its_texts():
    """A host that is down, one that refuses the key, one that answers: a line of each failure and of each request."""
    pytest.importorskip("openai")
    script = [Status(503, "overloaded"), Status(503, "overloaded"), Answer("3"), Status(401, "no such key")]
    with ScriptedServer(lambda body, number: script[min(number, 3)]) as host:
        model = f"openai:m?base_url={host.url}&retries=0"
        log = ("--log-format", "json", "--strategy", "pointwise / text", "--model", model)
        with commanded(*log, environment={"OPENAI_API_KEY": "secret"}) as (url, lines, process):
            answers, told = [], []
            for name in ("a", "b", "c", "d"):
                body = {"query": "a private question", "documents": ["one private text"]}
                headers = {"X-Request-ID": name}
                answers.append(httpx.post(f"{url}/v1/rerank", json=body, headers=headers, timeout=GUARD).status_code)
                while not told or (told[-1]["message"], told[-1].get("id")) != ("request", name):
                    told.append(json.loads(process.stderr.readline()))
    assert answers == [502, 502, 200, 502]
    failed = {each["id"]: (each["message"], each["reason"]) for each in told if "reason" in each}
    assert [failed[name][0] for name in "abd"] == [*["calls failed upstream"] * 2, "the model cannot be used"]
    assert ["503" in failed["a"][1], "503" in failed["b"][1], "401" in failed["d"][1]] == [True] * 3
    assert {each["level"] for each in told if each.get("status") == 502} == {"warning"}
    assert not any(word in json.dumps(told) + "".join(lines) for word in ("private", "secret"))


@pytest.mark.slow
def test_usage(cli, monkeypatch):
    status, out, _ = cli("serve", "--help")
    assert status == 0
    assert "--alias" in out
    assert "/v2/rerank" in out
    for arguments, said in (
        (("--alias", "fast"), "should read NAME=SPEC"),
        (("--alias", "a=pointwise @ oracle:x", "--base-url", "http://x"), "are about --model"),
        (("--keys", "/nowhere/keys"), "keys cannot be read"),
    ):
        status, _, err = cli("serve", *arguments)
        assert status == 1
        assert said in " ".join(err.split())
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "fastapi" else real(name))
    assert cli("serve") == (
        1,
        "",
        "rerankllm: this needs packages that are not installed: pip install 'rerankllm[server]'\n",
    )
