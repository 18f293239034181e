"""Hosts that refuse, die and lie: what fails is named, costs what it must, and never becomes a ranking."""

import importlib.util
import json
import re
import signal
import socket
import subprocess
import sys
import threading
from argparse import Namespace
from pathlib import Path

import pytest
from scripted_server import Answer, Delay, Drop, Garbage, Hang, ScriptedServer, Status
from timing_out import times_out_at_once
from waiting import GUARD, until

from rerankllm.backends.remote import PATIENCE
from rerankllm.formats.trec import read_run
from rerankllm.sample import path as sample

SOURCE = ["--run", sample("run.txt"), "--queries", sample("queries.tsv"), "--corpus", sample("corpus.jsonl")]
RUN = read_run(sample("run.txt"))
SHORT_GRACE = "from rerankllm.runs import interrupt; interrupt.GRACE = 0.1; from rerankllm.cli import main; main()"


@pytest.fixture
def rerank(cli, tmp_path):
    """`rerankllm rerank` of the sample against a server; returns (status, stderr, run written, summary)."""

    def run(url, *more, strategy="sliding(window=8, stride=4)"):
        output, summary = tmp_path / "out.run", tmp_path / "s.json"
        status, out, err = cli(
            "rerank", *SOURCE, "--model", f"openai:scripted?timeout={GUARD:g}&retries=1", "--base-url", url,
            "--strategy", strategy, "--output", output, "--summary", summary, *more,
        )  # fmt: skip
        assert out == ""
        assert "Traceback" not in err
        written = read_run(output) if output.exists() else None
        return status, err, written, json.loads(summary.read_text()) if summary.exists() else None

    return run


def shown(body):
    """How many passages a prompt shows."""
    return len(re.findall(r"^\[\d+\] ", body["messages"][-1]["content"], re.MULTILINE))


def reverse(body, _):
    return Answer(" > ".join(f"[{i}]" for i in range(shown(body), 0, -1)))


@pytest.mark.parametrize("concurrency", [1, 8, 64])
@pytest.mark.parametrize("strategy", ["sliding", "pointwise / text"])
def test_a_wrong_key_is_one_call_one_line_and_status_1(rerank, concurrency, strategy):
    with ScriptedServer(lambda body, n: Status(401, {"error": {"message": "Incorrect API key"}})) as server:
        status, err, written, _ = rerank(server.url, "--concurrency", concurrency, strategy=strategy)
    assert (status, server.calls) == (1, 1)
    assert "401: Incorrect API key; check the key in $OPENAI_API_KEY" in err
    assert err.strip().count("\n") == 0
    assert written is None  # and what a run before this one wrote would still be there


@pytest.mark.slow
def test_a_dead_server_fails_every_query_by_name(rerank):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/v1"
        status, err, written, report = rerank(url)
    assert (status, written) == (3, {})
    assert list(report["failures"]) == list(RUN)
    assert report["failed_queries"] == len(RUN)
    assert report["calls"] == 0
    for query_id in RUN:
        assert f"query {query_id} failed: cannot reach 127.0.0.1" in err


def test_a_server_that_works(rerank):
    with ScriptedServer(reverse) as server:
        status, _, written, report = rerank(server.url)
    assert (status, report["failed_queries"]) == (0, 0)
    assert server.calls == report["calls"] == report["attempts"] == 4 * len(RUN)
    assert report["prompt_tokens"] == 7 * server.calls
    assert report["cost_usd"] is None  # nobody said the price, and unknown is not zero
    assert {q: sorted(d for d, _ in ranked) for q, ranked in written.items()} == {
        q: sorted(d for d, _ in ranked) for q, ranked in RUN.items()
    }


LIES = {
    "an error as the answer": Answer("Error: rate limit exceeded, retry in 20 s"),
    "a number in a sentence": Answer("I ranked all 8 passages as 2024 asked."),
    "a refusal": Answer("", message={"refusal": "I cannot rank [2] > [1]"}),
    "a filter": Answer("[2] > [1]", finish_reason="content_filter"),
    "nothing": Answer(""),
    "no content": Answer(None),
    "an error object with status 200": Garbage(json.dumps({"error": {"message": "[2] > [1]"}})),
    "a web page with status 200": Garbage("<html><h1>[2] > [1]</h1></html>", "text/html"),
    "half a document": Garbage('{"choices": [{"message": {"content": "[2] > [1]'),
    "an error status with a ranking in it": Status(500, "[2] > [1]"),
    "a bad request with a ranking in it": Status(400, {"error": {"message": "[2] > [1]"}}),
    "a connection that breaks": Drop(),
    "endless reasoning": Answer("<think>first [2] > [1], but then"),
}


@pytest.mark.slow
@pytest.mark.parametrize("lie", LIES.values(), ids=LIES)
def test_what_is_not_an_answer_never_becomes_a_ranking(rerank, lie):
    """One query's prompts are answered by a lie, the others' truly: exactly that query fails."""
    victim = list(RUN)[3]
    text = dict(line.split("\t") for line in sample("queries.tsv").read_text().splitlines())[victim]

    def script(body, n):
        return lie if text in body["messages"][-1]["content"] else reverse(body, n)

    with ScriptedServer(script) as server:
        status, err, written, report = rerank(server.url)
    assert status == 3
    assert list(report["failures"]) == [victim]
    assert list(written) == [q for q in RUN if q != victim]
    assert f"query {victim} failed: " in err


@pytest.mark.slow
def test_a_lie_from_the_start_fails_everything_and_not_for_ever(rerank):
    with ScriptedServer(lambda body, n: Status(500, "[2] > [1]")) as server:
        status, _, written, report = rerank(server.url)
    assert (status, written, report["failed_queries"]) == (3, {}, len(RUN))
    assert server.calls == report["attempts"] <= 2 * len(RUN)


@pytest.mark.slow
def test_slow_and_failing_calls_cost_time_but_no_rankings(rerank):
    """Every third call fails once, every answer takes a moment; the ledger counts what the server counted."""
    failed = set()

    def script(body, n):
        key = json.dumps(body["messages"])
        if n % 3 == 1 and key not in failed:
            failed.add(key)
            return Status(503, "busy", {"retry-after": "0"})
        return Delay(0.01, reverse(body, n))

    with ScriptedServer(script) as server:
        status, _, written, report = rerank(server.url)
        slow = report
    assert (status, slow["failed_queries"]) == (0, 0)
    assert server.calls == slow["attempts"] > slow["calls"] == 4 * len(RUN)
    with ScriptedServer(reverse) as server:
        assert rerank(server.url)[2] == written


@pytest.mark.slow
def test_a_server_that_dies_midway_costs_a_bounded_number_of_attempts(rerank):
    """What was ranked before is written; the rest fails by name, and most of it unsent."""

    def script(body, n):
        return Answer("2") if n < 50 else Status(503, "out of memory", {"retry-after-ms": "1"})

    with ScriptedServer(script) as server:
        status, err, written, report = rerank(server.url, "--concurrency", 2, strategy="pointwise / text")
    assert status == 3
    assert written
    assert {*written, *report["failures"]} == set(RUN)
    assert "503: out of memory" in err
    assert server.calls == report["attempts"]
    assert server.calls - 50 <= 2 * (3 * 2 + 2 * PATIENCE)


class Impatient(ScriptedServer):
    """One whose clients time out at once where it hangs."""

    def __enter__(self):
        self._waits = times_out_at_once(self)
        self._waits.__enter__()
        return super().__enter__()

    def __exit__(self, *error):
        super().__exit__(*error)
        self._waits.__exit__(*error)


@pytest.mark.slow
@pytest.mark.parametrize(("strategy", "docs"), [("pointwise / labels", 20), ("prp / text", 5)])
def test_a_flaky_host_costs_time_but_no_rankings(strategy, docs, monkeypatch):
    """The benchmark in eval/faults, small: a fifth of all attempts fail, one way or another."""
    path = Path(__file__).parents[1] / "eval" / "faults" / "run.py"
    spec = importlib.util.spec_from_file_location("faults", path)
    faults = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(faults)
    monkeypatch.setattr(faults, "ScriptedServer", Impatient)
    monkeypatch.setattr(faults, "RETRY_AFTER", "0.01")
    options = Namespace(
        strategy=strategy, queries=10, docs=docs, concurrency=32, timeout=GUARD, retries=5, seed=1, share=faults.SHARE
    )
    run, flaky, _ = faults.execute(options)
    assert all(flaky.did[fault] for fault in ("429", "500", "hang", "garbage", "answer"))
    assert len(run.rankings) == 10
    assert run.ledger.attempts > run.ledger.calls
    assert [(name, mine) for name, mine, _ in faults.compare(run, flaky)] == [
        (name, theirs) for name, _, theirs in faults.compare(run, flaky)
    ]


@pytest.mark.slow
def test_ctrl_c_ends_cleanly_and_keeps_what_is_done(tmp_path):
    """Two queries are answered, the third never: interrupted, the first two are in the output."""
    done = list(RUN)[:2]
    texts = dict(line.split("\t") for line in sample("queries.tsv").read_text().splitlines())
    waiting = threading.Event()

    def script(body, n):
        if any(texts[query_id] in body["messages"][-1]["content"] for query_id in done):
            return reverse(body, n)
        waiting.set()
        return Hang()

    output = tmp_path / "out.run"
    with ScriptedServer(script) as server:
        command = [sys.executable, "-c", SHORT_GRACE, "rerank", *SOURCE,
                   "--model", "openai:scripted", "--base-url", server.url, "--strategy", "sliding(window=8, stride=4)",
                   "--output", output]  # fmt: skip
        process = subprocess.Popen(list(map(str, command)), stderr=subprocess.PIPE, text=True)
        assert waiting.wait(GUARD)
        until(lambda: output.exists() and len(read_run(output)) == 2)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=GUARD)
    assert process.returncode == 130, err
    assert "Traceback" not in err
    assert list(read_run(output)) == done
