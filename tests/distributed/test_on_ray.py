"""On a Ray cluster of this machine: the bytes of one process, whatever dies, and nothing asked twice."""

import json
import os
import re
import shutil
import signal
import tempfile
from collections import Counter
from pathlib import Path

import pytest
import ray
from scripted_server import Answer, Delay, ScriptedServer, Status
from waiting import GUARD

from rerankllm import Limits, Reranker, sample
from rerankllm.journal.read import entries
from rerankllm.journal.store import Journal

pytestmark = [
    pytest.mark.slow(seconds=20),
    pytest.mark.filterwarnings(r"ignore::DeprecationWarning:ray\..*"),  # what Ray Data says of its own defaults
]
QUERIES, DOCUMENTS = 30, 12
STRATEGY = ("--strategy", "sliding(window=4, stride=2)")
CALLS = QUERIES * 5
RAY = ("--engine", "ray", "--workers", 2)


@pytest.fixture(scope="module", autouse=True)
def cluster():
    folder = tempfile.mkdtemp(prefix="ray-", dir="/tmp")  # sockets need a short path
    os.environ |= {
        "RAY_USAGE_STATS_ENABLED": "0", "RAY_BACKEND_LOG_LEVEL": "fatal",
        "RAY_worker_register_timeout_seconds": f"{GUARD:.0f}", "RAY_raylet_start_wait_time_s": f"{GUARD:.0f}",
    }  # fmt: skip
    try:
        ray.init(
            "local", num_cpus=2, include_dashboard=False, object_store_memory=200 << 20, log_to_driver=False,
            _temp_dir=folder,
        )  # fmt: skip
        yield
    finally:
        ray.shutdown()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def given(tmp_path):
    """Requests, and grades for all queries but one."""
    with (tmp_path / "requests.jsonl").open("w") as file:
        for q in range(QUERIES):
            found = [
                {"docid": f"d{n}", "score": -n, "doc": {"contents": f"passage {n} of words", "year": n}}
                for n in range(q * DOCUMENTS, (q + 1) * DOCUMENTS)
            ]
            file.write(json.dumps({"query": {"qid": f"q{q}", "text": f"question {q}"}, "candidates": found}) + "\n")
    lines = [f"q{q} 0 d{q * DOCUMENTS + i} {i % 4}\n" for q in range(1, QUERIES) for i in range(DOCUMENTS)]
    (tmp_path / "qrels").write_text("".join(lines))
    return tmp_path


def by_rule(body, _=0):
    keys = [int(key) for key in re.findall(r"\[\d+\] passage (\d+)", json.dumps(body["messages"]))]
    order = sorted(range(len(keys)), key=lambda i: keys[i] * 7919 % 1009)
    return Delay(0.01, Answer(" > ".join(f"[{i + 1}]" for i in order)))


def asking(server, folder):
    return ("rerank", "--requests", folder / "requests.jsonl", "--model", "openai:scripted", "--base-url", server.url,
            *STRATEGY)  # fmt: skip


def prompts(server, since=0):
    return [body["messages"][-1]["content"] for body in server.bodies[since:]]


def kept(path):
    journal = Journal(path, create=False)
    found = [(entry.query_id, entry.place.step, entry.place.item) for entry in entries(journal)]
    journal.close()
    return found


def test_a_dataset_of_ones_own_is_ranked_row_by_row(given):
    rows = [
        {"query_id": f"q{q}", "query": "x", "mine": q, "candidates": [
            {"doc_id": f"d{q * DOCUMENTS + i}", "text": f"t{i}", "score": -float(i)} for i in range(4)
        ]} for q in range(3)
    ]  # fmt: skip
    with Reranker("sliding", f"oracle:{given / 'qrels'}", limits=Limits(calls=50)) as reranker:
        found = sorted(reranker.map_dataset(ray.data.from_items(rows), workers=2).take_all(), key=lambda r: r["mine"])
    assert [row["query_id"] for row in found] == ["q0", "q1", "q2"]
    assert found[0]["results"] is None
    assert "no qrels for query q0" in found[0]["failure"]
    assert [each["doc_id"] for each in found[1]["results"]] == ["d15", "d14", "d13", "d12"]
    assert found[1]["results"][0] == {"doc_id": "d15", "rank": 1, "score": None, "provenance": "judged"}
    assert found[1]["failure"] is None


def test_the_files_are_those_of_one_process(cli, given):
    name = "out.txt"
    command = ("rerank", "--requests", given / "requests.jsonl", "--qrels", given / "qrels", "--model",
               f"oracle:{given / 'qrels'}", *STRATEGY, "--on-error", "fallback", "--truncate", 7)  # fmt: skip
    said = {}
    for folder, more in (("here", ()), ("spread", RAY)):
        (given / folder).mkdir()
        said[folder] = cli(*command, "--output", given / folder / name, "--jsonl", given / folder / "rows", *more)
        assert said[folder][0] == 3, said[folder][2]
    for each in (name, f"{name}.failed", "rows", f"{name}.provenance.json"):
        assert (given / "here" / each).read_bytes() == (given / "spread" / each).read_bytes(), each
    reports = [json.loads((given / folder / f"{name}.summary.json").read_text()) for folder in said]
    assert {key for key in reports[0] if reports[0][key] != reports[1][key]} == {"wall_seconds"}
    assert "query q0 failed: " in said["spread"][2]
    assert not list((given / "spread").glob("*.parts"))


def test_a_run_with_its_files_as_well(cli, tmp_path):
    judge = ("rerank", "--sample", "--model", f"oracle:{sample.path('qrels.txt')}", *STRATEGY, "--output")
    assert cli(*judge, tmp_path / "here")[0] == 0
    status, _, err = cli(*judge, tmp_path / "spread", *RAY)
    assert status == 0, err
    assert (tmp_path / "here").read_bytes() == (tmp_path / "spread").read_bytes()


def worker_pids():
    names = {path: path.read_text().split("\0")[0] for path in Path("/proc").glob("[0-9]*/cmdline") if _mine(path)}
    return [int(path.parts[2]) for path, name in names.items() if name.startswith("ray::MapWorker")]


def _mine(path):
    """Whether a process is of this cluster: its raylet is a child of this process."""
    try:
        above = int(path.parts[2])
        for _ in range(5):
            above = int(Path(f"/proc/{above}/stat").read_text().rpartition(")")[2].split()[1])
            if above == os.getpid():
                return True
    except (OSError, ValueError):
        pass
    return False


def test_a_worker_that_is_killed_costs_what_it_had_under_way(cli, given):
    killed = []

    def script(body, number):
        if number == CALLS + 60:
            killed.append(worker_pids()[0])
            os.kill(killed[0], signal.SIGKILL)
        return by_rule(body)

    with ScriptedServer(script) as server:
        status, _, err = cli(*asking(server, given), "--output", given / "here")
        assert status == 0, err
        server.max_in_flight = 0
        status, _, err = cli(*asking(server, given), "--output", given / "spread", "--concurrency", 6, *RAY)
        assert status == 0, err
        assert killed
        assert "1 times a worker's process died; its queries went on in another" in err
        assert server.max_in_flight <= 6
        twice = [prompt for prompt, times in Counter(prompts(server, CALLS)).items() if times > 1]
        assert len(twice) <= 3  # under way at the one that died
    assert (given / "here").read_bytes() == (given / "spread").read_bytes()
    found = kept(given / "spread.journal")
    assert len(found) == len(set(found)) == CALLS
    assert set(found) == set(kept(given / "here.journal"))
    assert not list(given.glob("spread.journal?*"))


def test_a_budget_is_of_all_together_and_resume_repeats_nothing(cli, given):
    with ScriptedServer(by_rule) as server:
        output = given / "out"
        status, _, err = cli(*asking(server, given), "--output", output, "--max-calls", 40, *RAY)
        assert status == 3
        assert server.calls == 40
        assert "the budget of 40 calls is used up (40 calls spent)" in err
        assert len(kept(given / "out.journal")) == 40
        status, _, err = cli("resume", given / "out.journal", "--max-calls", CALLS)
        assert status == 0, err
        assert server.calls == CALLS
        assert max(Counter(prompts(server)).values()) == 1
        assert "40 of them from the journal" in err


def test_what_a_killed_run_left_is_taken_in_before_anything_is_asked(cli, given):
    with ScriptedServer(by_rule) as server:
        status, _, err = cli(*asking(server, given), "--output", given / "here", "--journal", given / "here.journal")
        assert status == 0, err
        (given / "out.journal.parts").mkdir()
        shutil.copy(given / "here.journal", given / "out.journal.parts" / "gone.journal")
        status, _, err = cli(*asking(server, given), "--output", given / "out", *RAY)
        assert status == 0, err
        assert server.calls == CALLS
        assert f"{CALLS} of them from the journal" in err
    assert (given / "here").read_bytes() == (given / "out").read_bytes()
    assert not (given / "out.journal.parts").exists()


def test_what_keeps_all_from_working_is_said_once(cli, given):
    with ScriptedServer(lambda body, number: Status(401, {"error": {"message": "no such key"}})) as server:
        status, _, err = cli(*asking(server, given), "--output", given / "out", *RAY)
        assert status == 1
        assert err.count("\n") == 1
        assert "401" in err
        assert server.calls <= 2
        status, _, err = cli(*asking(server, given), "--output", given / "out", "--concurrency", 1, *RAY)
        assert status == 1
        assert "1 requests at a time cannot be shared by 2 workers; take at most 1 workers" in err
    assert not (given / "out").exists()


def test_a_line_that_is_no_good_is_named(cli, given):
    lines = (given / "requests.jsonl").read_text().splitlines(keepends=True)
    (given / "requests.jsonl").write_text("".join([*lines[:4], "nothing\n", *lines[4:]]))
    command = ("rerank", "--requests", given / "requests.jsonl", "--model", f"oracle:{given / 'qrels'}")
    status, _, err = cli(*command, "--output", given / "out", *RAY)
    assert status == 1
    assert "requests.jsonl:5: expected one JSON object on the line" in err.splitlines()[-1]


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (("--workers", 2), "--workers is for Ray: give --engine ray too, or leave it out"),
        ((*RAY, "--dry-run"), "--dry-run is done in this process: leave --engine ray out"),
    ],
)
def test_options_that_do_not_go_together(cli, given, options, complaint):
    command = ("rerank", "--requests", given / "requests.jsonl", "--model", f"oracle:{given / 'qrels'}")
    status, _, err = cli(*command, "--output", given / "out", *options)
    assert (status, err) == (1, f"rerankllm: {complaint}\n")
