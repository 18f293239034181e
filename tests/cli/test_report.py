"""`rerankllm report` over files and over an experiment's folder; what the page looks like: tests/reports."""

import json
import re
import shutil
from dataclasses import replace

import pytest
from report_pages import read_page

from rerankllm.experiments.folder import (
    Cell,
    Dataset,
    Manifest,
    Reordered,
    System,
    read_manifest,
    write_manifest,
)
from rerankllm.runs import provenance
from rerankllm.runs.writer import unfinished
from rerankllm.sample import path as sample

SOURCE = ["--run", sample("run.txt"), "--queries", sample("queries.tsv"), "--corpus", sample("corpus.jsonl"), "--quiet"]
TEXTS = ["--queries", sample("queries.tsv"), "--corpus", sample("corpus.jsonl")]


def data_of(page):
    text = page.read_text(encoding="utf-8")
    return *read_page(text), text


@pytest.fixture
def run(cli, tmp_path):
    """A run with its journal, some of whose answers had to be repaired."""
    model = f"simulated:{sample('qrels.txt')}?world=mild&malformed=0.7"
    status, _, err = cli("rerank", *SOURCE, "--strategy", "full", "--model", model, "--output", tmp_path / "full.txt",
                         "--journal", tmp_path / "full.txt.journal")  # fmt: skip
    assert status == 0, err
    return tmp_path / "full.txt"


@pytest.fixture
def arguments(run):
    return ["report", "--qrels", sample("qrels.txt"), "--first-stage", sample("run.txt"), "--run", f"full={run}"]


def test_the_same_input_gives_the_same_bytes(cli, arguments, tmp_path):
    pages = []
    for name in ("one.html", "two.html"):
        status, _, err = cli(*arguments, *TEXTS, "-o", tmp_path / name)
        assert status == 0, err
        pages.append((tmp_path / name).read_bytes())
    assert pages[0] == pages[1]
    size = re.search(r"One file of ([\d.]+) kB", pages[0].decode())[1]
    assert float(size) == pytest.approx(len(pages[0]) / 1000, abs=1)
    assert f"two.html ({size} kB)" in err


def test_what_to_put_in_is_a_choice_and_said(cli, arguments, tmp_path):
    found = {}
    for calls in ("all", "failed", "none"):
        assert cli(*arguments, *TEXTS, "--calls", calls, "-o", tmp_path / "page.html")[0] == 0
        main, queries, text = data_of(tmp_path / "page.html")
        found[calls] = [call for query in queries.values() for call in query["systems"]["full"][0]["calls"]]
        assert ("Left out: prompts and answers" in text) == (calls != "all")
        statuses = main["parts"][0]["consistency"]["full"]["statuses"]
        assert sum(statuses.values()) == 8
    assert len(found["all"]) == 8
    assert found["failed"] == [call for call in found["all"] if call["status"] != "parsed"] != []
    assert found["none"] == []


def test_queries_that_cannot_be_browsed_are_counted(cli, arguments, tmp_path):
    assert cli(*arguments, *TEXTS, "--queries-shown", 3, "-o", tmp_path / "page.html")[0] == 0
    main, queries, text = data_of(tmp_path / "page.html")
    part = main["parts"][0]
    assert "5 of the 8 queries" in text
    shown = [i for i, query in enumerate(part["queries"]) if query["shown"]]
    assert sorted(queries) == [f"0-{i}" for i in shown]
    gaps = [abs(a - b) for a, b in zip(*(part["values"][n]["nDCG@10"] for n in ("full", "first stage")), strict=True)]
    assert min(gaps[i] for i in shown) >= max(gaps[i] for i in range(8) if i not in shown)


def test_without_texts_ids_are_shown_and_it_is_said(cli, arguments, tmp_path):
    status, _, err = cli(*arguments, "-o", tmp_path / "page.html")
    assert status == 0
    assert "give --queries for their texts" in err
    assert "give --corpus for their texts" in err
    main, queries, _ = data_of(tmp_path / "page.html")
    assert {query["text"] for query in main["parts"][0]["queries"]} == {None}
    assert {doc["text"] for query in queries.values() for doc in query["docs"]} == {None}


@pytest.mark.parametrize(
    "given, said",
    [
        ([], "give an experiment's folder, or --qrels and --run; found neither"),
        (["--qrels", "q.txt"], "found --qrels"),
        (["folder", "--run", "a.txt"], "found folder and --run"),
        (["folder"], "folder is no experiment's folder"),
    ],
)
def test_a_source_is_wanted(cli, tmp_path, given, said):
    status, _, err = cli("report", *given, "-o", tmp_path / "page.html")
    assert (status, said in err) == (1, True), err
    assert not (tmp_path / "page.html").exists()


def test_the_page_never_overwrites_a_run(cli, arguments, run):
    before = run.read_bytes()
    status, _, err = cli(*arguments, "-o", run)
    assert (status, "name the same file" in err) == (1, True)
    assert run.read_bytes() == before


@pytest.fixture
def experiment(cli, tmp_path, run):
    """A folder with two systems on one first stage, one of them failed, and another order of the candidates."""
    folder = tmp_path / "moved" / "experiment"
    for name in ("queries.tsv", "corpus.jsonl", "qrels.txt", "run.txt"):
        (folder / "data/sample").mkdir(parents=True, exist_ok=True)
        shutil.copy(sample(name), folder / "data/sample" / name)
    (folder / "runs/sample/bm25").mkdir(parents=True)
    for part in ("", ".journal", ".summary.json", ".provenance.json"):
        shutil.copy(f"{run}{part}", folder / f"runs/sample/bm25/full.7.txt{part}")
    data = {
        name: f"data/sample/{name}.{end}" for name, end in (("queries", "tsv"), ("corpus", "jsonl"), ("qrels", "txt"))
    }
    stages = {"bm25": "data/sample/run.txt", "bm25 reversed": "data/sample/run.txt"}
    dataset = Dataset(**data, first_stages=stages, orders={"bm25 reversed": Reordered("bm25", "reversed")})
    path = "runs/sample/bm25/full.7.txt"
    cells = [
        Cell("sample", "bm25", "full list", 7, path, f"{path}.journal", "done"),
        Cell("sample", "bm25", "other", 0, "runs/sample/bm25/other.0.txt", None, "failed", "no such model"),
        Cell("sample", "bm25 reversed", "full list", 7, path, None, "done"),
    ]
    systems = {"full list": System("full", "simulated:…"), "other": System("full", "openai:x")}
    write_manifest(folder, Manifest({"sample": dataset}, systems, tuple(cells)))
    return folder


def test_an_experiment_s_folder_is_enough(cli, experiment, tmp_path):
    status, _, err = cli("report", experiment, "-o", tmp_path / "page.html")
    assert status == 0, err
    main, queries, _ = data_of(tmp_path / "page.html")
    (part,) = main["parts"]
    assert part["name"] == "sample, bm25"
    assert [each["name"] for each in part["entrants"]] == ["first stage", "full list"]
    assert part["entrants"][1]["runs"] == ["seed 7"]
    assert part["notes"] == ["other, seed 0: failed (no such model)."]
    assert part["document"]["systems"][1]["cost"]["calls"] == 1
    assert [len(query["systems"]["full list"][0]["calls"]) for query in queries.values()] == [1] * 8
    assert all(doc["text"] for query in queries.values() for doc in query["docs"])


def test_an_experiment_that_runs_shows_what_it_has(cli, experiment, tmp_path):
    manifest = read_manifest(experiment)
    done, other, *rest = manifest.cells
    run = experiment / other.run
    lines = (experiment / done.run).read_text().splitlines(keepends=True)
    run.write_text("".join(lines[:47]))
    unfinished(run).touch()
    write_manifest(experiment, replace(manifest, cells=(done, replace(other, status="missing", reason=None), *rest)))
    status, _, err = cli("report", experiment, "-o", tmp_path / "page.html")
    assert status == 0, err
    (part,) = data_of(tmp_path / "page.html")[0]["parts"]
    assert "other has ranked 2 of 8 queries" in part["headline"][0]
    assert [each["name"] for each in part["entrants"]] == ["first stage", "full list", "other"]
    assert (len(part["queries"]), part["notes"]) == (2, [])


@pytest.mark.slow
def test_what_robustness_wrote_becomes_a_section(cli, experiment, tmp_path):
    interval = {"mean": 0.5, "low": 0.4, "high": 0.6}
    orders = [{"name": "bm25", "quality": interval}, {"name": "bm25 reversed", "quality": None}]
    pairs = [{"first": "bm25", "second": "bm25 reversed", "tau": {**interval, "mean": 0.25}, "overlap": 0.6}]
    result = {"dataset": "sample", "system": "full list", "seed": 7, "settings": {"measure": "nDCG@10"},
              "orders": orders, "pairs": pairs, "same": {"mean_range": {**interval, "mean": 0.2}}}  # fmt: skip
    file = tmp_path / "robustness.json"
    for dataset, status in (("sample", 0), ("other", 1)):
        file.write_text(json.dumps({"version": 1, "results": [{**result, "dataset": dataset}]}))
        found, _, err = cli("report", experiment, "--robustness", file, "-o", tmp_path / "page.html")
        assert found == status, err
    assert "is of the dataset other, which is not among sample, bm25" in err
    (robust,) = data_of(tmp_path / "page.html")[0]["parts"][0]["robust"]
    assert (robust["system"], robust["measure"], robust["spread"]) == ("full list, seed 7", "nDCG@10", 0.2)
    assert robust["quality"] == [{"order": "bm25", **interval}]
    assert robust["pairs"] == [{"first": "bm25", "second": "bm25 reversed", "tau": 0.25, "overlap": 0.6}]
    file.write_text(json.dumps({"version": 1, "results": [{**result, "first_stage": "splade"}]}))
    status, _, err = cli("report", experiment, "--robustness", file, "-o", tmp_path / "page.html")
    assert (status, "is of the dataset sample, first stage splade, which is not among" in err) == (1, True)
    for text in ("{}", "[]", '{"version": 1, "results": [{}]}', '{"version": 2}'):
        file.write_text(text)
        status, _, err = cli("report", experiment, "--robustness", file, "-o", tmp_path / "page.html")
        assert (status, "robustness.json is" in err) == (1, True), err


def changed(folder, change):
    """Rewrites the manifest."""
    write_manifest(folder, change(read_manifest(folder)))


def part_of(cli, folder, *arguments):
    """The only comparison of the folder's report."""
    page = folder.parent / "page.html"
    status, _, err = cli("report", folder, *arguments, "-o", page)
    assert status == 0, err
    (part,) = data_of(page)[0]["parts"]
    return part, err


def test_an_experiment_s_minilm_and_oracle_are_for_orientation(cli, experiment):
    run = experiment / "references/sample/bm25.minilm.100.txt"
    run.parent.mkdir(parents=True)
    shutil.copy(sample("run.txt"), run)
    provenance.write(run, provenance.retrieval_of(experiment / "data/sample/run.txt"))
    systems = part_of(cli, experiment)[0]["document"]["systems"]
    assert [(each["name"], each["reference"]) for each in systems] == [
        ("first stage", True), ("full list", False), ("MiniLM", True), ("oracle", True)
    ]  # fmt: skip
    assert systems[2]["answered"] == 8


@pytest.mark.parametrize("record", [True, False])
def test_a_minilm_run_that_was_cut_is_left_out_and_said(cli, experiment, record):
    run = experiment / "references/sample/bm25.minilm.100.txt"
    run.parent.mkdir(parents=True)
    run.write_text("q1 Q0 d001 1 1.0 cut\n")
    if record:
        provenance.write(run, provenance.retrieval_of(experiment / "data/sample/run.txt"))
    part, err = part_of(cli, experiment)
    assert [each["name"] for each in part["document"]["systems"]] == ["first stage", "full list", "oracle"]
    said = "No MiniLM row: references/sample/bm25.minilm.100.txt is not whole"
    assert said in part["notes"][-1]
    assert said in err


def test_the_oracle_reads_as_deep_as_the_deepest_system(cli, experiment):
    def shallow(manifest):
        return replace(manifest, systems={name: replace(system, options={"depth": 3})
                                          for name, system in manifest.systems.items()})  # fmt: skip

    whole, three = (part_of(cli, experiment, *depth)[0]["values"]["oracle"] for depth in ([], ["--depth", 3]))
    changed(experiment, shallow)
    assert part_of(cli, experiment)[0]["values"]["oracle"] == three != whole


@pytest.mark.slow
def test_measures_and_resamples_are_those_of_the_table(cli, experiment):
    part, _ = part_of(cli, experiment)
    assert list(part["values"]["oracle"]) == ["nDCG@10"]
    (experiment / "results.json").write_text(
        json.dumps({"measures": ["P@5", "nDCG@10"], "resamples": 12_345, "seed": 6})
    )
    part, _ = part_of(cli, experiment)
    assert list(part["values"]["oracle"]) == ["P(rel=2)@5", "nDCG@10"]
    assert (part["document"]["resamples"], part["document"]["seed"]) == (12_345, 6)
    assert part["robust"][0]["measure"] == "P(rel=2)@5"
    part, _ = part_of(cli, experiment, "--measure", "RR@10", "--resamples", 10_000, "--seed", 0)
    assert (list(part["values"]["oracle"]), part["document"]["seed"]) == (["RR(rel=2)@10"], 0)
    (experiment / "results.json").write_text("{")
    assert list(part_of(cli, experiment)[0]["values"]["oracle"]) == ["nDCG@10"]


def test_a_dataset_says_itself_what_is_relevant(cli, experiment):
    def strict(manifest):
        return replace(manifest, datasets={"sample": replace(manifest.datasets["sample"], relevant_from=3)})

    asked, _ = part_of(cli, experiment, "--measure", "P@10", "--relevant-from", 3)
    changed(experiment, strict)
    found, err = part_of(cli, experiment, "--measure", "P@10")
    assert found["values"] == asked["values"]
    assert list(found["values"]["full list"]) == ["P(rel=3)@10"]
    assert "count grades from 3 as relevant (as asked)" in err
    (robust,) = found["robust"]
    mean = sum(found["values"]["full list"]["P(rel=3)@10"]) / 8
    assert robust["quality"][0]["mean"] == pytest.approx(mean)


def test_a_judged_query_without_candidates_counts_as_0_everywhere(cli, experiment):
    run = experiment / "data/sample/run.txt"
    for path in (run, experiment / "runs/sample/bm25/full.7.txt"):
        path.write_text("".join(line for line in path.read_text().splitlines(True) if not line.startswith("q3 ")))
    part, _ = part_of(cli, experiment)
    (robust,) = part["robust"]
    assert robust["quality"][0]["mean"] == pytest.approx(sum(part["values"]["full list"]["nDCG@10"]) / 8)


@pytest.mark.parametrize("status", ["missing", "failed"])
def test_a_run_of_other_settings_is_no_result(cli, experiment, status):
    def undone(manifest):
        first, *others = manifest.cells
        stale = replace(first, system="other", status=status, reason="its settings have changed")
        return replace(manifest, cells=(first, stale, *others[1:]))

    changed(experiment, undone)
    part, _ = part_of(cli, experiment)
    assert [each["name"] for each in part["entrants"]] == ["first stage", "full list"]
    assert part["notes"] == [f"other, seed 7: {status} (its settings have changed)."]


def test_orders_of_a_first_stage_are_measured_by_themselves(cli, experiment, tmp_path):
    def two(manifest):
        other = replace(manifest.datasets["sample"], orders={}, first_stages={"bm25": "data/sample/run.txt"})
        cell = replace(manifest.cells[0], dataset="again")
        cut = replace(manifest.cells[2], seed=8, status="failed", reason="no key")
        return replace(manifest, datasets={**manifest.datasets, "again": other}, cells=(*manifest.cells, cell, cut))

    changed(experiment, two)
    assert cli("report", experiment, "-o", tmp_path / "page.html")[0] == 0
    sample_part, again = data_of(tmp_path / "page.html")[0]["parts"]
    assert again["robust"] == []
    assert "full list on bm25 reversed, seed 8: failed (no key)." in sample_part["notes"]
    (robust,) = sample_part["robust"]
    assert cli("robustness", experiment, "--output", tmp_path / "orders")[0] == 0
    (told,) = json.loads((tmp_path / "orders/robustness.json").read_text())["results"]
    assert robust["system"] == "full list, seed 7"
    assert [each["order"] for each in robust["quality"]] == ["bm25", "bm25 reversed"]
    assert robust["quality"] == [{"order": order["name"], **order["quality"]} for order in told["orders"]]
    assert robust["pairs"][0]["tau"] == told["pairs"][0]["tau"]["mean"]
