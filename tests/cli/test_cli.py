"""The command line over files, with models that need no weights."""

import itertools
import json
import os
import re
import threading

import pytest

from rerankllm.formats.castorini import read_requests
from rerankllm.formats.trec import read_qrels, read_run
from rerankllm.sample import path as sample

SOURCE = ["--run", sample("run.txt"), "--queries", sample("queries.tsv"), "--corpus", sample("corpus.jsonl")]
ORACLE = ["--model", f"oracle:{sample('qrels.txt')}"]


def test_a_run_file_in_a_better_one_out(cli, tmp_path):
    output, summary, rows = tmp_path / "out.run", tmp_path / "s.json", tmp_path / "rows.jsonl"
    status, out, err = cli(
        "rerank", *SOURCE, *ORACLE, "--strategy", "sliding(window=8, stride=4)", "--output", output,
        "--qrels", sample("qrels.txt"), "--summary", summary, "--jsonl", rows,
    )  # fmt: skip
    assert (status, out) == (0, "")
    before, after = read_run(sample("run.txt")), read_run(output)
    assert list(before) == list(after)
    assert all(sorted(d for d, _ in before[q]) == sorted(d for d, _ in after[q]) for q in before)
    report = json.loads(summary.read_text())
    n = len(before)
    assert {k: report[k] for k in ("queries", "failed_queries", "calls", "attempts", "rounds", "slots")} == {
        "queries": n, "failed_queries": 0, "calls": 4 * n, "attempts": 4 * n, "rounds": 4, "slots": 32 * n,
    }  # fmt: skip
    assert report["answers"] == {"parsed": 4 * n, "repaired": 0, "failed": 0}
    assert report["cost_usd"] == 0
    assert report["strategy"] == "sliding(window=8, stride=4, passes=1)"
    assert report["model"] == f"oracle:{sample('qrels.txt')}"
    assert report["nDCG@10"]["before"] < report["nDCG@10"]["after"]
    assert f"nDCG@10 {report['nDCG@10']['before']:.4f} before" in err
    results = [json.loads(line) for line in rows.read_text().splitlines()]
    assert [r["doc_id"] for r in results if r["query_id"] == "q1"] == [d for d, _ in after["q1"]]
    assert {r["provenance"] for r in results} == {"judged"}
    shown = cli("eval", "--run", sample("run.txt"), "--run", output, "--qrels", sample("qrels.txt"))[1].splitlines()
    assert [line.split("\t")[1:3] for line in shown] == [["nDCG@10", "all"]] * 2
    assert [float(line.split("\t")[3]) for line in shown] == pytest.approx(
        [report["nDCG@10"][k] for k in ("before", "after")], abs=5e-5
    )


@pytest.mark.slow
def test_the_recorded_runs_reproduce_their_papers(cli, shared_data, tmp_path):
    data = shared_data / "dl19-bm25"
    source = ["--run", data / "run.txt", "--queries", data / "queries.tsv", "--corpus", data / "corpus.jsonl"]
    for name, expected, answers in (
        ("rankvicuna", "0.6682", {"parsed": 387, "repaired": 0, "failed": 0}),
        ("vicuna-ft", "0.6675", {"parsed": 1, "repaired": 386, "failed": 0}),
    ):
        output, summary = tmp_path / "out.run", tmp_path / "s.json"
        status, _, _ = cli(
            "rerank", *source, "--strategy", "sliding(window=20,stride=10)", "--output", output, "--summary", summary,
            "--model", f"recorded:{shared_data}/{name}-dl19-bm25.jsonl",
        )  # fmt: skip
        assert status == 0
        report = json.loads(summary.read_text())
        assert (report["calls"], report["answers"]) == (387, answers)
        out = cli("eval", "--run", output, "--qrels", data / "qrels.txt", "--measure", "nDCG@10")[1]
        assert out.split()[-1] == expected


@pytest.mark.slow
@pytest.mark.parametrize(
    ("strategy", "queries"),
    [("sliding", 43), ("prp(sort=allpair)", 4), ("prp(sort=heap)", 43), ("prp(sort=bubble)", 43)],
)
def test_the_oracle_gives_the_ideal(cli, shared_data, tmp_path, strategy, queries):
    """All pairs of a hundred documents are 9,900 calls a query, so those of four queries have to do."""
    data, given, ideal, output = shared_data / "dl19-bm25", *(tmp_path / name for name in ("given", "ideal", "out"))
    qrels = read_qrels(data / "qrels.txt")
    runs = itertools.islice(read_run(data / "run.txt").items(), queries)
    with given.open("w") as first_stage, ideal.open("w") as best:
        for query_id, ranked in runs:
            graded = sorted(ranked, key=lambda pair: -qrels[query_id].get(pair[0], 0))
            for file, order in ((first_stage, ranked), (best, graded)):
                file.writelines(f"{query_id} Q0 {doc_id} {n} {1000 - n} x\n" for n, (doc_id, _) in enumerate(order))
    cli(
        "rerank", "--run", given, "--queries", data / "queries.tsv", "--corpus", data / "corpus.jsonl",
        "--strategy", strategy, "--model", f"oracle:{data / 'qrels.txt'}", "--output", output, "--quiet",
    )  # fmt: skip
    found, wanted = (cli("eval", "--run", run, "--qrels", data / "qrels.txt")[1].split()[-1] for run in (output, ideal))
    assert found == wanted
    assert queries != 43 or found == "0.8922"


class TestFailures:
    """One recorded window is missing: its query fails by name, and what happens then is the caller's choice."""

    @pytest.fixture
    def broken(self, tmp_path):
        run = read_run(sample("run.txt"))
        path = tmp_path / "recorded.jsonl"
        lines = [
            json.dumps({"query_id": q, "doc_ids": [d for d, _ in ranked], "response": "[2] > [1]"})
            for q, ranked in run.items()
        ]
        lines[2] = lines[2].replace("[2] > [1]", "Sorry, I cannot help with that.")
        path.write_text("\n".join(lines[:-1]))
        return [*SOURCE, "--model", f"recorded:{path}", "--strategy", "sliding"]

    def test_partial(self, cli, tmp_path, broken):
        run, output = list(read_run(sample("run.txt"))), tmp_path / "out.run"
        status, _, err = cli("rerank", *broken, "--output", output, "--summary", tmp_path / "s.json")
        assert status == 3
        assert list(read_run(output)) == [q for q in run if q not in (run[2], run[-1])]
        report = json.loads((tmp_path / "s.json").read_text())
        assert report["failed_queries"] == 2
        assert list(report["failures"]) == [run[2], run[-1]]
        assert f"query {run[2]} failed: the model answered 'Sorry, I cannot help with that.'" in err
        assert f"query {run[-1]} failed: recorded:" in err
        assert not (tmp_path / "out.run.failed").exists()
        shown = cli("eval", "--run", output, "--qrels", sample("qrels.txt"))
        assert "lacks 2 of 8 judged queries" in shown[2]

    def test_fallback(self, cli, tmp_path, broken):
        run, output = read_run(sample("run.txt")), tmp_path / "out.run"
        status, _, _ = cli("rerank", *broken, "--output", output, "--on-error", "fallback")
        assert status == 3
        failed = read_run(tmp_path / "out.run.failed")
        for query_id, ranked in failed.items():
            assert [d for d, _ in ranked] == [d for d, _ in run[query_id]]
        assert not set(failed) & set(read_run(output))
        assert set(failed) | set(read_run(output)) == set(run)

    def test_raise(self, cli, tmp_path, broken):
        run, output = list(read_run(sample("run.txt"))), tmp_path / "out.run"
        status, _, err = cli("rerank", *broken, "--output", output, "--on-error", "raise")
        assert status == 1
        assert f"query {run[2]}: stopped here" in err
        assert list(read_run(output)) == run[:2]

    def test_a_failed_query_counts_as_zero(self, cli, tmp_path, broken):
        given = ["--output", tmp_path / "o", "--qrels", sample("qrels.txt"), "--summary", tmp_path / "s"]
        _, _, err = cli("rerank", *broken, *given)
        assert "(8 judged queries; 2 failed, and a failed one counts as 0)" in err
        report = json.loads((tmp_path / "s").read_text())["nDCG@10"]
        assert report["queries"] == 8
        assert 0 < report["after"] < report["before"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["rerank"], "--output missing"),
        (["rerank", "--output", "o"], "give one source"),
        (["rerank", "--sample", *SOURCE], "give one source"),
        (["rerank", "--output", "o", *SOURCE[:4]], "--corpus missing"),
        (["rerank", "--sample", "--model", "gpt-4"], "should read kind:name"),
        (["rerank", "--sample", "--strategy", "slide", *ORACLE], "unknown strategy 'slide'; did you mean 'sliding'?"),
        (["rerank", "--sample", *ORACLE, "--base-url", "http://x"], "oracle: has no option 'base_url'"),
        (["rerank", "--sample", "--model", "oracle:nowhere"], "nowhere"),
        (["rerank", "--output", "o", "--run", "nowhere", *SOURCE[2:]], "nowhere"),
        (["eval", "--run", "nowhere", "--qrels", sample("qrels.txt")], "nowhere"),
        (["eval", "--run", sample("run.txt"), "--qrels", sample("qrels.txt"), "--measure", "nDGC"], "measure 'nDGC'"),
        (["rerank", *SOURCE, "--output", sample("run.txt"), *ORACLE], "--output and --run name the same file"),
        (
            ["rerank", "--sample", "--output", "o", "--summary", "./o", *ORACLE],
            "--summary and --output name the same file",
        ),
        (["rerank", "--sample", "--summary", "no/where.json", *ORACLE], "its folder is not there"),
        (["rerank", "--sample", "--qrels", sample("qrels.txt"), *ORACLE], "--sample brings its own judgements"),
        (["rerank", "--sample", "--on-error", "fallback", *ORACLE], "it needs --output"),
        (["rerank", "--sample", "--instruction", "x", *ORACLE], "answers without a prompt"),
        (["eval", "--run", sample("run.txt"), "--qrels", sample("qrels.txt"), "--measure", "nDCG@0"], "cut off at 1"),
        (
            ["eval", "--run", sample("run.txt"), "--qrels", sample("qrels.txt"), "--measure", "alpha_nDCG@10"],
            "needs judgements by subtopic",
        ),
        (["eval", "--run", sample("run.txt"), "--qrels", sample("qrels.txt"), "--measure", "INSQ"], "cannot compute"),
        (["prompts", "show", "../x"], "not for '..'"),
        (["plan", "--strategy", "sliding", "--base-url", "http://x"], "--base-url needs --model"),
        (["prompts", "show", "permute"], "should read judgement/name"),
        (["prompts", "show", "permute/x"], "There are: as-data, "),
        (["rank", "q", "nowhere"], "nowhere"),
    ],
)
def test_bad_input_is_one_line_and_status_1(cli, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    status, out, err = cli(*arguments)
    assert (status, out) == (1, "")
    assert message in err
    assert err.count("\n") == 1
    assert not (tmp_path / "o").exists()


@pytest.mark.parametrize("arguments", [["rerank", "--sampel"], ["rerank", "--depth", "many"], ["nothing"], ["eval"]])
def test_usage_errors_are_status_1_too(cli, arguments):
    status, out, err = cli(*arguments)
    assert (status, out) == (1, "")
    assert "Traceback" not in err
    assert err


def test_depth_truncate_and_top_k(cli, tmp_path):
    output, rows = tmp_path / "out.run", tmp_path / "rows.jsonl"
    cli("rerank", *SOURCE, *ORACLE, "--strategy", "sliding", "--depth", "5", "--output", output, "--jsonl", rows)
    before, after = read_run(sample("run.txt")), read_run(output)
    for query_id, ranked in before.items():
        assert [d for d, _ in ranked[5:]] == [d for d, _ in after[query_id]][5:]
    provenance = [json.loads(line)["provenance"] for line in rows.read_text().splitlines()][:20]
    assert provenance == ["judged"] * 5 + ["unread"] * 15
    cli("rerank", *SOURCE, *ORACLE, "--strategy", "sliding", "--truncate", "3", "--output", output)
    assert {len(ranked) for ranked in read_run(output).values()} == {3}
    _, _, err = cli(
        "rerank", *SOURCE, *ORACLE, "--strategy", "sliding(window=6, stride=4)", "--top-k", "10", "--output", output
    )
    assert "can place correctly only the best 2 of 20, not 10" in err
    assert {len(ranked) for ranked in read_run(output).values()} == {20}


def test_castorini_requests_and_skip_missing(cli, tmp_path):
    requests = tmp_path / "requests.jsonl"
    requests.write_text(
        json.dumps(
            {
                "query": {"qid": "q1", "text": "fleas"},
                "candidates": [{"docid": f"d{i}", "score": 3 - i, "doc": {"contents": str(i)}} for i in range(3)],
            }
        )
    )
    (tmp_path / "qrels").write_text("q1 0 d2 1\n")
    status, _, _ = cli(
        "rerank", "--requests", requests, "--model", f"oracle:{tmp_path / 'qrels'}", "--output", tmp_path / "o"
    )
    assert status == 0
    assert [d for d, _ in read_run(tmp_path / "o")["q1"]] == ["d2", "d0", "d1"]

    corpus = tmp_path / "corpus.jsonl"
    corpus.write_text("\n".join(sample("corpus.jsonl").read_text().splitlines()[:-10]))
    arguments = ["rerank", *SOURCE[:4], "--corpus", corpus, *ORACLE, "--output", tmp_path / "o"]
    assert "--skip-missing" in cli(*arguments)[2]
    status, _, err = cli(*arguments, "--skip-missing")
    assert status == 0
    assert "skipped 10 documents that the corpus lacks" in err


def test_a_seed_reaches_models_that_draw_and_is_said_to_be_idle_elsewhere(cli, tmp_path):
    status, _, err = cli("rerank", *SOURCE, *ORACLE, "--seed", "3", "--output", tmp_path / "o")
    assert (status, "--seed has no effect" in err) == (0, True)
    url = "http://127.0.0.1:9/v1"
    _, out, err = cli("plan", "--strategy", "sliding", "--model", f"openai:x?base_url={url}&seed=3")
    assert f"openai:x?base_url={url}&seed=3" in out


def test_compressed_and_castorini_output(cli, tmp_path):
    for name in ("out.run.gz", "out.jsonl", "out.run"):
        assert cli("rerank", *SOURCE, *ORACLE, "--strategy", "pointwise", "--output", tmp_path / name)[0] == 0
    plain = read_run(tmp_path / "out.run")
    assert read_run(tmp_path / "out.run.gz") == plain
    again = [
        (query.query_id, [(c.doc_id, c.score) for c in candidates])
        for query, candidates in read_requests(tmp_path / "out.jsonl")
    ]
    assert dict(again) == plain


def test_beir_folders(cli, tmp_path):
    (tmp_path / "qrels").mkdir()
    (tmp_path / "corpus.jsonl").write_bytes(sample("corpus.jsonl").read_bytes())
    topics = (line.split("\t") for line in sample("queries.tsv").read_text().splitlines())
    (tmp_path / "queries.jsonl").write_text("".join(json.dumps({"_id": q, "text": t}) + "\n" for q, t in topics))
    rows = (line.split() for line in sample("qrels.txt").read_text().splitlines())
    qrels = "".join(f"{q}\t{d}\t{g}\n" for q, _, d, g in rows)
    (tmp_path / "qrels" / "test.tsv").write_text(f"query-id\tcorpus-id\tscore\n{qrels}")
    source = ["--run", sample("run.txt"), "--queries", tmp_path, "--corpus", tmp_path, "--qrels", tmp_path]
    status, _, err = cli("rerank", *source, *ORACLE, "--strategy", "pointwise", "--output", tmp_path / "o")
    assert status == 0
    assert "nDCG@10 0.5436 before, 0.9" in err


def test_rank_lines_and_json(cli, tmp_path):
    qrels = tmp_path / "qrels"
    qrels.write_text("query 0 1 2\nquery 0 b 1\n")
    model = ["--model", f"oracle:{qrels}", "--strategy", "pointwise"]
    _, out, _ = cli("rank", "q", "-", *model, stdin="first\nsecond\n\n")
    assert out == "1\t2.0000\t1\tsecond\n2\t0.0000\t0\tfirst\n"
    passages = tmp_path / "p.jsonl"
    passages.write_text('{"id": "a", "text": "x", "title": "T"}\n{"id": "b", "text": "y", "k": 1}\n')
    _, out, _ = cli("rank", "q", passages, *model, "--json", "--truncate", "1")
    assert json.loads(out) == {
        "doc_id": "b", "rank": 1, "score": 1.0, "provenance": "judged", "text": "y", "metadata": {"k": 1},
    }  # fmt: skip
    passages.write_text('{"id": "a", "text": "x"}\nnot json\n')
    status, _, err = cli("rank", "q", passages, *model)
    assert (status, "p.jsonl:2: expected one JSON object on the line" in err) == (1, True)
    _, out, err = cli("rank", "q", "-", "--model", f"oracle:{qrels}", stdin="first\nsecond\n")
    assert "sliding(window=20, stride=10, passes=1), the default of oracle:" in err
    assert out.startswith("1\t-\t1\tsecond\n")


def test_plan(cli):
    _, out, _ = cli("plan", "--strategy", "prp(sort=bubble)", "-n", "100", "--top-k", "3", "--json")
    report = json.loads(out)
    assert report["strategy"] == "prp(sort=bubble, top_k=3, rounds=20, calibrate=logodds)"
    assert report["calls"] == {"low": 198, "high": 588}  # neighbours that met before are not asked again
    assert set(report) == {"strategy", "n", "calls", "rounds", "slots"}
    _, out, _ = cli("plan", "--strategy", "prp", "-n", "100")
    assert re.search(r"^calls\t198 to 604$", out, re.MULTILINE)
    _, out, _ = cli("plan", "--strategy", "sliding", "-n", "100", *ORACLE, "--json")
    assert json.loads(out)["cost_usd"] == {"low": 0.0, "high": 0.0}


def test_a_plan_with_a_model_has_tokens_and_money(cli):
    """Bounds from empty passages to full ones; money only where someone said the price; nothing is called."""
    arguments = ["plan", "--strategy", "sliding(window=20, stride=10)", "-n", "100", "--json", "--model"]
    _, out, _ = cli(*arguments, "openai:m?base_url=http://127.0.0.1:9/v1&price_prompt=2&price_completion=8")
    report = json.loads(out)
    assert report["strategy"].endswith("/ text(prompt=default, max_tokens=none)")
    prompt, completion, cost = (report[key] for key in ("prompt_tokens", "completion_tokens", "cost_usd"))
    assert 9 * 100 < prompt["low"] < prompt["high"] <= 180 * 300 + 9 * 400
    assert prompt["high"] >= 180 * 300
    assert cost["high"] == pytest.approx((2 * prompt["high"] + 8 * completion["high"]) / 1e6)
    _, out, _ = cli(*arguments, "openai:m?base_url=http://127.0.0.1:9/v1", "--max-passage-tokens", "10")
    report = json.loads(out)
    assert report["cost_usd"] is None
    assert report["prompt_tokens"]["high"] < prompt["high"] / 5
    assert "cost_usd\tunknown" in cli(*arguments[:-2], arguments[-1], "openai:m?base_url=http://127.0.0.1:9/v1")[1]


def test_eval_options(cli):
    arguments = ["eval", "--run", sample("run.txt"), "--qrels", sample("qrels.txt"), "--measure", "RR(rel=2)@10"]
    _, out, _ = cli(*arguments, "--per-query", "--json")
    (report,) = json.loads(out)
    assert report["mean"]["RR(rel=2)@10"] == pytest.approx(
        sum(q["RR(rel=2)@10"] for q in report["per_query"].values()) / 8
    )
    _, out, _ = cli(*arguments, "--per-query")
    assert len(out.splitlines()) == 9


@pytest.mark.parametrize("what", ["strategies", "elicitations", "models", "prompts", "aggregations"])
def test_lists(cli, what):
    status, out, err = cli(what)
    assert (status, err) == (0, "")
    assert all(len(line.split("\t")) == 2 and line.split("\t")[1] for line in out.splitlines())
    assert len(out.splitlines()) >= 3


@pytest.mark.parametrize("command", ["rerank", "rank", "fuse", "eval", "plan", "prompts", "models"])
def test_help_has_examples(cli, command):
    status, out, _ = cli(command, "--help")
    assert status == 0
    if command in ("rerank", "rank", "fuse", "eval", "plan"):
        assert f"rerankllm {command} --" in out or f"rerankllm {command} " in out.split("Examples")[1]


def test_version(cli):
    import rerankllm

    assert cli("--version")[1].strip() == rerankllm.__version__


def test_nothing_is_left_beside_a_pipe(tmp_path, cli):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = threading.Thread(target=pipe.read_bytes)
    reader.start()
    model = f"simulated:{sample('qrels.txt')}"
    status, _, err = cli("rerank", "--sample", "--model", model, "--strategy", "pointwise", "--output", pipe)
    reader.join()
    assert status == 0, err
    assert [path.name for path in tmp_path.iterdir()] == ["pipe"]


def test_rank_says_what_it_will_take_and_stops_at_a_budget(cli, tmp_path):
    passages = tmp_path / "p.jsonl"
    passages.write_text('{"text": "Fleas jump far."}\n{"text": "A flea lives for two or three months."}\n')
    host = "openai:m?base_url=http://localhost:1/v1&price_prompt=1&price_completion=2"
    status, out, err = cli("rank", "how long", passages, "--model", host, "--dry-run")
    assert (status, err.count("\n")) == (0, 1), err
    assert re.fullmatch(r"estimate for 1 query: 1 call, \d+ to \d+ prompt tokens .*; cost \$\S+ to \$\S+\n", out), out
    simulated = f"simulated:{sample('qrels.txt')}"
    out = cli("rank", "q", passages, "--model", simulated, "--strategy", "pointwise", "--dry-run")[1]
    assert out == "estimate for 1 query: 2 calls, no prompts; cost $0\n"
    assert "score" not in err  # the passages have none, so there is nothing to say of their use
    scored = tmp_path / "s.jsonl"
    scored.write_text('{"text": "a", "score": 2}\n{"text": "b", "score": 1}\n')
    assert "the first stage's scores are not used" in cli("rank", "q", scored, "--model", host, "--dry-run")[2]
    status, out, err = cli("rank", "how long", passages, "--model", host, "--max-cost", "0")
    assert (status, out) == (1, "")
    assert "\nrerankllm: the budget of $0 " in err
