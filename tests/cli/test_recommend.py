"""`rerankllm recommend` as it is called."""

import json
import re
import shlex
from operator import sub
from pathlib import Path

import pytest
from scripted_server import Answer, ScriptedServer, Status

from rerankllm.analysis.recommend.choice import USUAL
from rerankllm.analysis.recommend.measurements import shipped
from rerankllm.sample import path as sample

SIMULATED = f"simulated:{sample('qrels.txt')}"


def test_the_command_it_prints_works_and_stays_within(cli, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    status, out, err = cli("recommend", "--sample", "--model", SIMULATED, "--max-slots", 700, "--max-rounds", 6,
                           "--format", "json")  # fmt: skip
    assert (status, err) == (0, "")
    found = json.loads(out)
    program, *arguments = shlex.split(found["command"])
    assert program == "rerankllm"
    assert found["recommended"] in arguments
    assert cli(*arguments, "--quiet")[0] == 0
    summary = json.loads((tmp_path / "reranked.txt.summary.json").read_text())
    assert summary["slots"] <= 700
    assert summary["rounds"] <= 6
    row = next(row for row in found["strategies"] if row["stage"] == found["recommended"])
    assert row["within_budget"] == "yes"
    assert summary["slots"] <= row["slots"]["most"]
    assert found["measured_on"]["candidates"] == found["mean_candidates"] == 20
    assert {row["within_budget"] for row in found["strategies"]} == {"yes", "likely", "no"}


@pytest.mark.slow
def test_the_command_it_prints_leaves_out_what_was_skipped(cli, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    lines = Path(sample("corpus.jsonl")).read_text().splitlines(keepends=True)
    (tmp_path / "my corpus.jsonl").write_text("".join(line for line in lines if '"d112"' not in line))
    status, out, err = cli("recommend", "--run", sample("run.txt"), "--queries", sample("queries.tsv"), "--corpus",
                           "my corpus.jsonl", "--model", SIMULATED, "--format", "json")  # fmt: skip
    assert (status, err) == (0, "rerankllm: skipped 1 documents that the corpus lacks\n")
    status, _, err = cli(*shlex.split(json.loads(out)["command"])[1:], "--quiet")
    assert status == 0, err


def test_the_others_that_are_as_good_are_counted(cli):
    found = json.loads(cli("recommend", "-n", 20, "--max-calls", 10, "--format", "json")[1])
    (measured,) = (each for each in shipped() if each.title == found["measured_on"]["collection"])
    values = {}
    for entry in measured.entries:
        if entry.judge in USUAL:
            values.setdefault(entry.stage, []).append(entry.by_query)
    mean = {stage: [sum(each) / 3 for each in zip(*rows, strict=True)] for stage, rows in values.items()}

    def tied(stage):
        mean_, half = measured.interval(tuple(map(sub, mean[found["best_within_budget"]], mean[stage])))
        return abs(mean_) <= half

    rows = [row["stage"] or "" for row in found["strategies"] if row["within_budget"] == "yes"]
    others = sum(tied(stage) for stage in rows if stage != found["best_within_budget"])
    assert f"of the {others + 1} strategies that did about as well it " in found["reason"]


def test_a_small_judge_counts_where_it_is_named(cli):
    usual, small = (
        json.loads(cli("recommend", "--max-calls", 10, "--format", "json", *judge)[1])
        for judge in ((), ("--judge", "small"))
    )
    assert (usual["assumed_judge"]["small"], small["assumed_judge"]["small"]) == (0, 1)
    asked = [row["quality"] for row in small["strategies"] if row["stage"]]
    assert all(quality["small"] < quality["poor"] for quality in asked)
    assert small["recommended"] != usual["recommended"]


def test_the_table_marks_what_to_use(cli):
    status, out, err = cli("recommend", "--max-calls", 10, "--judge", "poor")
    assert (status, err) == (0, "")
    marked = [line for line in out.splitlines() if line.lstrip().startswith("→ ")]
    assert len(marked) == 1
    assert marked[0].split("→ ")[1].split("  ")[0] in out.splitlines()[0]
    assert "rerankllm rerank --run RUN --queries QUERIES --corpus CORPUS --strategy" in out
    assert out.startswith("Use ")
    assert "clearly better" in out or "Nothing that was measured is better" in out
    assert "Measured on TREC DL 2019, BM25, 100 documents (43 queries, 5 seeds)." in out
    assert "extrapolated" not in out
    longer = cli("recommend", "--max-calls", 10, "--judge", "poor", "--all")[1]
    assert len(longer.splitlines()) > len(out.splitlines()) + 50


def test_other_lengths_are_extrapolated(cli):
    out = " ".join(cli("recommend", "--max-calls", 10, "-n", 50)[1].split())
    assert "Your lists have 50 candidates in the mean, those measured 100" in out


def test_nothing_fits(cli):
    status, out, err = cli("recommend", "--max-calls", 0)
    assert (status, out, err.count("\n")) == (1, "", 1)
    assert "nothing fits 0 calls: the cheapest is " in err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--max-cost", 1], "--max-cost needs --model"),
        (["--measure"], "--measure needs --model"),
        (["--max-seconds", 5], "give --seconds-per-call and --tokens-per-second, or --measure"),
        (["--judge", "kind"], "--judge kind should be one of good, poor, fitted, small, or a profile's file"),
        (["--judge", sample("qrels.txt")], "is no profile of this version"),
        (["--sample", "--number", 3], "--number and --passage-tokens are for when no queries are given"),
        (["--model", SIMULATED, "--measure", "--seconds-per-call", 1], "leave one out"),
        (["--model", SIMULATED, "--max-tokens", 9], "--max-tokens: this model answers without prompts"),
        (["--model", "openai:m?base_url=http://localhost:9/v1", "--max-cost", 1], "prices are not known"),
        (["--run", sample("run.txt")], "--queries and --corpus missing"),
        (["--depth", 1], "no list has two candidates"),
        (["--sample", "--depth", 1], "no list has two candidates"),
    ],
)
def test_one_line_an_error(cli, options, message):
    status, out, err = cli("recommend", *options)
    assert (status, out, err.count("\n")) == (1, "", 1)
    assert message in err


def test_speed_is_measured_with_five_calls(cli):
    sent = []

    def answer(body, _):
        sent.append(body["messages"][-1]["content"])
        return Answer(" > ".join(f"[{i}]" for i in range(1, 9)))

    with ScriptedServer(answer) as server:
        model = f"openai:m?base_url={server.url}"
        status, out, err = cli("recommend", "--sample", "--model", model, "--measure", "--format", "json")
    assert status == 0, err
    assert "measured with 5 calls to openai:m" in err
    assert len(sent) == 5
    found = json.loads(out)
    assert len(found["speed"]["samples"]) == 4
    assert found["speed"]["concurrency"] == 16
    assert all(row["seconds"]["usual"] >= 0 for row in found["strategies"])


def test_a_call_that_fails_measures_nothing(cli):
    with ScriptedServer(lambda *_: Status(400)) as server:
        status, _, err = cli("recommend", "--sample", "--model", f"openai:m?base_url={server.url}", "--measure")
    assert status == 1
    assert "--measure: no call came back" in err


@pytest.mark.parametrize("width", [60, 80])
def test_tables_are_as_wide_as_asked_and_cut_nothing(cli, monkeypatch, width):
    wide = cli("recommend", "--max-calls", 5)[1]
    monkeypatch.setenv("COLUMNS", str(width))
    status, out, _ = cli("recommend", "--max-calls", 5)
    assert status == 0
    assert "…" not in out
    assert all(len(line) <= width for line in out.splitlines() if "──" in line or "±" in line)
    numbers = [set(re.findall(r"\d\.\d+ ± \d\.\d+", " ".join(text.split()))) for text in (out, wide)]
    assert numbers[0] == numbers[1]
