"""`rerankllm mcp`, asked by the SDK's own client: over standard input and output, and over HTTP."""

import asyncio
import importlib.util
import os
import socket
import subprocess
import sys
import threading

import pytest
from counting_backend import Counting  # registers `counting:`
from judged_sample import falling, judged
from serving import rerankers
from waiting import GUARD, until

pytest.importorskip("mcp", reason="needs the extra `mcp`")

from mcp import Client
from mcp.client.stdio import StdioServerParameters, stdio_client

from rerankllm.server.mcp import make_mcp

DOCUMENTS = ["1", {"text": "3", "id": "three"}, {"text": "2", "title": "a title"}]


def ask(server, *calls):
    """The tools, and the answers of calls of `rerank` under way together."""

    async def run():
        async with Client(server) as client:
            listed = await client.list_tools()
            return listed.tools, await asyncio.gather(*(client.call_tool("rerank", call) for call in calls))

    return asyncio.run(run())


@pytest.fixture
def sample(tmp_path):
    return judged(tmp_path)


@pytest.fixture
def process(sample):
    """The command, as a client starts it."""
    arguments = ["--model", f"oracle:{sample.qrels}", "--strategy", "sliding", "--alias", "one=pointwise"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    return StdioServerParameters(command=sys.executable, args=["-m", "rerankllm", "mcp", *arguments], env=environment)


@pytest.mark.slow
def test_over_standard_input_and_output(process, sample):
    one = {"query": sample.query, "documents": sample.texts}
    (tool,), (found, first, scored, wrong) = ask(
        stdio_client(process),
        one,
        {**one, "top_k": 2, "return_text": True},
        {**one, "strategy": "one"},
        {**one, "strategy": "best"},
    )
    assert tool.name == "rerank"
    assert set(tool.input_schema["required"]) == {"query", "documents"}
    assert tool.input_schema["properties"]["strategy"]["enum"] == ["default", "one"]
    assert (
        "sliding(window=20, stride=10, passes=1) on oracle:"
        in tool.input_schema["properties"]["strategy"]["description"]
    )
    answer = found.structured_content
    assert not found.is_error
    assert [place["index"] for place in answer["results"]] == sample.order
    assert [place["rank"] for place in answer["results"]] == list(range(1, 21))
    assert all(place["moved_from"] == place["index"] + 1 for place in answer["results"])
    assert falling([place["score"] for place in answer["results"]])
    assert (answer["strategy"], answer["scale"]) == ("default", "rank")
    assert answer["cost"] == {"calls": 1, "repaired": 0, "prompt_tokens": 0, "completion_tokens": 0, "usd": 0.0}
    texts = [place["text"] for place in first.structured_content["results"]]
    assert texts == [sample.texts[place] for place in sample.order[:2]]
    assert (scored.structured_content["scale"], scored.structured_content["cost"]["calls"]) == ("logistic", 20)
    assert wrong.is_error
    assert "there is no strategy 'best' here; there are: default, one" in wrong.content[0].text


def test_errors_are_the_tools():
    with rerankers() as aliases:
        _, (good, failed, empty, nothing, typed, extra) = ask(
            make_mcp(aliases),
            {"query": "query", "documents": DOCUMENTS},
            {"query": "this cannot be answered", "documents": DOCUMENTS},
            {"query": " ", "documents": DOCUMENTS},
            {"query": "query", "documents": []},
            {"query": "query", "documents": [{"id": "no text"}]},
            {"query": "query", "documents": DOCUMENTS, "top_k": 0},
        )
    results = good.structured_content["results"]
    assert [(place["index"], place["id"], place["text"]) for place in results] == [
        (1, "three", None), (2, None, None), (0, None, None)
    ]  # fmt: skip
    assert falling([place["score"] for place in results])
    assert good.structured_content["cost"]["prompt_tokens"] == 21
    for answer, said in (
        (failed, "scripted failure"),
        (empty, "the query is empty"),
        (nothing, "at least 1 item"),
        (typed, "text"),
        (extra, "greater than or equal to 1"),
    ):
        assert answer.is_error
        assert answer.structured_content is None
        assert said in answer.content[0].text


def test_arguments_that_are_not_known_are_noted():
    with rerankers() as aliases:
        _, (noted, plain) = ask(
            make_mcp(aliases),
            {"query": "query", "documents": [{"text": "1", "score": 3}], "speed": "high"},
            {"query": "query", "documents": ["1"]},
        )
    assert noted.structured_content["notes"] == ["ignored, as this tool does not know it: speed, documents.*.score"]
    assert plain.structured_content["notes"] == []


def test_calls_share_batches():
    """The first batch waits until all queries are there, so the others are in the second."""
    with rerankers() as aliases:
        engine, driver = aliases["points"].backend, aliases["points"].session.driver
        assert isinstance(engine, Counting)
        engine.gate.clear()

        def open_gate():
            until(lambda: len(driver._live) == 12)
            engine.gate.set()

        threading.Thread(target=open_gate).start()
        _, answers = ask(make_mcp(aliases), *({"query": f"query {n}", "documents": DOCUMENTS} for n in range(12)))
    assert not any(answer.is_error for answer in answers)
    assert (engine.calls, len(engine.batches) < 12) == (36, True)


@pytest.mark.slow
def test_over_http(process, sample):
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    command = [process.command, *process.args, "--port", str(port)]
    server = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=process.env)
    try:

        def listening():
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", port)) == 0

        until(lambda: listening() or server.poll() is not None)
        _, (answer,) = ask(f"http://127.0.0.1:{port}/mcp", {"query": sample.query, "documents": sample.texts})
    finally:
        server.terminate()
        out, _ = server.communicate(timeout=GUARD)
    assert [place["index"] for place in answer.structured_content["results"]] == sample.order
    assert out == ""


@pytest.mark.slow
def test_usage(cli, monkeypatch):
    status, out, _ = cli("mcp", "--help")
    assert status == 0
    assert "--alias" in out
    status, _, err = cli("mcp", "--alias", "fast")
    assert (status, "should read NAME=SPEC" in " ".join(err.split())) == (1, True)
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "mcp" else real(name))
    assert cli("mcp") == (
        1,
        "",
        "rerankllm: this needs packages that are not installed: pip install 'rerankllm[mcp]'\n",
    )
