"""A cascade of a reranking API and a chat model, killed while it asks, and resumed: nothing is paid twice."""

import json
import os
import re
import signal
import subprocess
import sys

import pytest

pytest.importorskip("openai")

from scripted_server import Answer, Garbage, Hang, ScriptedServer

from rerankllm.journal.read import entries
from rerankllm.journal.store import Journal

QUERIES, DOCUMENTS, SHOWN = 4, 100, 20
WINDOWS = 3  # of 10, by 5, over 20
PRICE = 1000  # dollars a thousand search units
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no SIGKILL"),
]


def worth(text):
    return int(re.search(r"worth (\d+)", text)[1])


def host(body, number):
    """Cohere's API and a chat model, both of which like large numbers."""
    del number
    if "documents" in body:
        found = [{"index": i, "relevance_score": worth(text) / 1000} for i, text in enumerate(body["documents"])]
        units = {"billed_units": {"search_units": -(-len(found) // 100)}}
        return Garbage(json.dumps({"results": found, "meta": units}))
    shown = re.findall(r"\[(\d+)\] number (\d+)", body["messages"][-1]["content"])
    return Answer(" > ".join(f"[{label}]" for label, _ in sorted(shown, key=lambda pair: -int(pair[1]))))


def collection(folder):
    """Queries with 100 passages each; returns the options that name them."""
    docs = [[f"d{q}-{i}" for i in range(DOCUMENTS)] for q in range(QUERIES)]
    run = (f"q{q} Q0 {doc} {i + 1} {DOCUMENTS - i} first\n" for q, of in enumerate(docs) for i, doc in enumerate(of))
    (folder / "run").write_text("".join(run))
    (folder / "queries").write_text("".join(f"q{q}\tquestion {q}\n" for q in range(QUERIES)))
    rows = (
        {"_id": doc, "title": "", "text": f"number {(i * 37) % 101 + 1} of {q}, worth {(i * 61) % 103 + 1}"}
        for q, of in enumerate(docs) for i, doc in enumerate(of)
    )  # fmt: skip
    (folder / "corpus").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return [f"--{name}={folder / name}" for name in ("run", "queries", "corpus")]


def start(*command):
    return subprocess.Popen(
        [sys.executable, "-m", "rerankllm", *map(str, command)], stderr=subprocess.PIPE, text=True,
        env={**os.environ, "CO_API_KEY": "a-key", "OPENAI_API_KEY": "another"},
    )  # fmt: skip


def finish(*command):
    process = start(*command)
    said = process.communicate()[1]
    assert process.returncode == 0, said
    return said


def held(journal):
    """What the journal has: documents scored, and windows asked about."""
    kept = Journal(journal, create=False)
    found = [(entry.judgement, entry.prompt) for entry in entries(kept)]
    kept.close()
    scored = {prompt.rpartition("] ")[2] for kind, prompt in found if kind == "Score"}
    return scored, {prompt.partition("<user>\n")[2] for kind, prompt in found if kind == "Permute"}


def asked(bodies):
    """The same of requests."""
    scored = [text for body in bodies for text in body.get("documents", ())]
    return scored, [body["messages"][-1]["content"] for body in bodies if "messages" in body]


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    """A server, the options of a run that asks it, and what the run writes when nobody kills it."""
    folder = tmp_path_factory.mktemp("unbroken")
    with ScriptedServer(host) as server:
        first = f"pointwise @ 'cohere:rerank-v4.0-pro?base_url={server.url}&price_searches={PRICE}&concurrency=1'"
        judge = f"openai:judge?base_url={server.url}&price_prompt=0&price_completion=0&concurrency=1"
        second = f"sliding(window=10, stride=5) / text(constrained=false) @ '{judge}'"
        strategy = f"cascade([{first}, {second}], depths=[{DOCUMENTS}, {SHOWN}])"
        options = ["rerank", *collection(folder), "--strategy", strategy]
        finish(*options, "--output", folder / "whole")
        assert server.calls == QUERIES * (1 + WINDOWS)
        yield server, options, (folder / "whole").read_bytes()


@pytest.mark.parametrize("at", [2, 5, 9], ids=["in the first stage", "between them", "in the second stage"])
def test_nothing_is_paid_twice(tmp_path, unbroken, at):
    server, options, whole = unbroken
    cut = tmp_path / "cut"
    server.bodies.clear()
    process, answered = None, []

    def dies(body, number):
        if number == at:
            os.kill(process.pid, signal.SIGKILL)
            return Hang()
        action = host(body, number)
        answered.append(body)
        return action

    server.script = dies
    process = start(*options, "--output", cut)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    scored, windows = held(f"{cut}.journal")
    before = asked(answered)
    assert scored <= set(before[0])
    assert windows <= set(before[1])
    assert len(before[0]) - len(scored) <= DOCUMENTS  # at most the call whose answer was on its way
    assert len(before[1]) - len(windows) <= 1

    server.bodies.clear()
    server.script = host
    said = finish("resume", f"{cut}.journal")
    after = asked(server.bodies)
    assert scored.isdisjoint(after[0])
    assert windows.isdisjoint(after[1])
    assert len(after[0]) == QUERIES * DOCUMENTS - len(scored)
    assert len(after[1]) == WINDOWS * QUERIES - len(windows)
    assert cut.read_bytes() == whole
    assert f"{QUERIES} search units" in said
    assert f"${QUERIES * PRICE / 1000:.4g}" in said
