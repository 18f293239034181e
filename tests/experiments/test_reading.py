"""The configuration: what it may say, and what is said where it cannot be meant."""

import re
from dataclasses import fields
from pathlib import Path

import pytest
import yaml

from rerankllm.errors import InputError
from rerankllm.experiments.config import OWN, Config
from rerankllm.experiments.folder import Reordered
from rerankllm.experiments.load import read_config

FILES = {"run": "run.txt", "queries": "queries.tsv", "corpus": "corpus.jsonl", "qrels": "qrels.txt"}
GOOD = {
    "datasets": {"a": dict(FILES), "b": "noveleval"},
    "strategies": {"full": "full", "heap": {"spec": "prp(sort=heap)", "top_k": 5}},
    "models": {"best": "oracle:{qrels}", "mild": {"spec": "simulated:{qrels}", "world": "mild", "belief": 0.5}},
}


def read(tmp_path, change=None, **more):
    """Reads GOOD with a value put somewhere, by a path such as `models.best`."""
    content = yaml.safe_load(yaml.safe_dump(GOOD, sort_keys=False)) | more
    for where, value in (change or {}).items():
        *trail, last = where.split("/")
        part = content
        for key in trail:
            part = part[key]
        part[last] = value
    file = tmp_path / "trial.yaml"
    file.write_text(yaml.safe_dump(content, sort_keys=False))
    return read_config(file)


def test_what_is_not_said_has_its_default(tmp_path):
    config = read(tmp_path)
    assert config.datasets["a"].run == tmp_path / "run.txt"
    assert config.datasets["a"].first_stages == {"first": OWN}
    assert config.datasets["b"].dataset == "noveleval"
    assert config.strategies["full"].spec == "full"
    assert config.strategies["heap"].settings == {"top_k": 5}
    assert config.models["mild"].options == {"world": "mild", "belief": "0.5"}
    assert (config.seeds, config.measures, config.references) == (None, ("nDCG@10",), ("minilm", "oracle"))
    assert config.axes["seed"] == ["0"]


def test_orders_of_other_first_stages(tmp_path):
    stages = {"bm25": "own", "other": "other.txt", "back": {"of": "bm25", "order": "reversed"},
              "mixed": {"of": "other", "order": "shuffled", "seed": 3}}  # fmt: skip
    found = read(tmp_path, {"datasets/a/first_stages": stages}).datasets["a"].first_stages
    assert found == {
        "bm25": OWN,
        "other": tmp_path / "other.txt",
        "back": Reordered("bm25", "reversed"),
        "mixed": Reordered("other", "shuffled", 3),
    }


@pytest.mark.parametrize(
    "change, said",
    [
        ({"model": {}}, "model: there is no such key; did you mean 'models'?"),
        ({"datasets": {}}, "datasets: is missing or empty"),
        ({"datasets/a/qrel": "x"}, "datasets.a.qrel: there is no such key; did you mean 'qrels'?"),
        ({"datasets/a/qrels": None}, "datasets.a.qrels: is missing"),
        ({"datasets/a/corpus": None}, "datasets.a.queries: give dataset: NAME"),
        ({"datasets/a/run": None}, "datasets.a.first_stages: is missing"),
        ({"datasets/a/dataset": "dl19"}, "datasets.a.dataset: a collection by name brings"),
        ({"datasets/a/requests": "x"}, "datasets.a.run: requests bring"),
        ({"datasets/a/candidates": 0}, "datasets.a.candidates: should be at least 1, found 0"),
        ({"datasets/a/skip_missing": "yes"}, "datasets.a.skip_missing: should be true or false, found 'yes'"),
        ({"datasets/a/first_stages": {"x": "x.txt"}}, "datasets.a.run: no first stage is `own`"),
        (
            {"datasets/a/first_stages": {"x": "own", "y": {"of": "z", "order": "reversed"}}},
            "datasets.a.first_stages.y: of: should be a first stage that is no order of another. There are: x",
        ),
        (
            {"datasets/a/first_stages": {"x": "own", "y": {"of": "x", "order": "backwards"}}},
            "datasets.a.first_stages.y.order: should be reversed or shuffled, found 'backwards'",
        ),
        ({"datasets/a@b": "dl19"}, "datasets.a@b: a name should not be empty and have no @"),
        ({"datasets/A": "dl19"}, "datasets.A: is the same as 'a' in a path"),
        ({"strategies/full": "fill"}, "strategies.full.spec: unknown strategy 'fill'"),
        ({"strategies/full": "full @ oracle:x"}, "strategies.full.spec: names the model oracle:x"),
        ({"strategies/full": {"top_k": 3}}, "strategies.full.spec: is missing"),
        ({"strategies/full": ["full"]}, "strategies.full: should be keys with values, found ['full']"),
        ({"strategies/heap/topk": 3}, "strategies.heap.topk: there is no such key; did you mean 'top_k'?"),
        ({"strategies/heap/top_k": "3"}, "strategies.heap.top_k: should be a whole number, found '3'"),
        ({"strategies/heap/cutoff": "best"}, "strategies.heap.cutoff: cut-off 'best' should be"),
        ({"models/best": "oracel:x"}, "models.best.spec: model 'oracel:x' should read kind:name"),
        ({"models/best": "oracle:{qrel}"}, "models.best.spec: 'oracle:{qrel}' has {qrel}, which nothing stands for"),
        ({"models/mild/elicitation": "lables"}, "models.mild.elicitation: unknown elicitation 'lables'; did you mean"),
        ({"models/mild/elicitation": "labels @ oracle:x"}, "models.mild.elicitation: 'labels @ oracle:x' should be an"),
        ({"models/mild/wrold": "x"}, "models.mild.wrold: there is no such key; did you mean 'world'?"),
        ({"models/best": "simulated:x?wrold=mild"}, "models.best.spec: simulated: has no option 'wrold'"),
        ({"models/mild/where": [{"dataset": "c", "spec": "oracle:x"}]}, "there is no dataset 'c'"),
        ({"models/mild/where": [{"spec": "oracle:x"}]}, "a rule should name at least one of dataset"),
        ({"exclude": [{"dataset": "a", "modle": "x"}]}, "exclude[0].modle: there is no such key"),
        ({"exclude": [{"model": "bst"}]}, "there is no model 'bst'; did you mean 'best'?"),
        ({"only": "a"}, "only: should be keys with values, found 'a'"),
        (
            {"datasets/b": {"queries": "q", "corpus": "c", "qrels": "x", "run": "r", "first_stages": {"Qrels": "own"}}},
            "b.first_stages.Qrels: the judgements' file is called so",
        ),
        ({"seeds": []}, "seeds: should be different whole numbers"),
        ({"seeds": [1, 1]}, "seeds: should be different whole numbers"),
        ({"seeds": [True]}, "seeds: should be a whole number, found True"),
        ({"measures": ["nDGC@10"]}, "measures: measure 'nDGC@10' is not one of ir-measures'"),
        ({"references": ["colbert"]}, "references: there is no row 'colbert'"),
        ({"limits": {"max_euro": 3}}, "limits.max_euro: there is no such key"),
        ({"limits": {"max_cost": -1}}, "limits.max_cost: should be 0 or more"),
        ({"per_query": {"max_calls": 1}}, "per_query.max_calls: there is no such key; did you mean 'calls'?"),
        ({"settings": {"depth": 0}}, "settings.depth: should be at least 1"),
        ({"statistics": {"resamples": 10}}, "statistics.resamples: should be at least 10000"),
    ],
)
def test_what_cannot_be_meant_gets_one_line(tmp_path, change, said):
    with pytest.raises(InputError, match=re.escape(said)) as caught:
        read(tmp_path, change)
    assert str(caught.value).startswith(f"{tmp_path / 'trial.yaml'}: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "text, said",
    [
        ("datasets: [", "is no YAML"),
        ("- a", "should be keys with values"),
        ("", "should be keys with values"),
        ("datasets: {a: b}\ndatasets: {c: d}", "the key 'datasets' is there twice"),
    ],
)
def test_what_is_no_configuration_gets_one_line(tmp_path, text, said):
    file = tmp_path / "trial.yaml"
    file.write_text(text)
    with pytest.raises(InputError, match=said) as caught:
        read_config(file)
    assert "\n" not in str(caught.value)


def test_the_documented_one_reads(tmp_path):
    page = (Path(__file__).parents[2] / "docs" / "experiments.md").read_text(encoding="utf-8")
    file = tmp_path / "trial.yaml"
    file.write_text(page.partition("```yaml\n")[2].partition("```")[0])
    config = read_config(file)
    named = {f.name for f in fields(Config)} - {"file", "text", "resamples", "draws"} | {"statistics"}
    assert set(yaml.safe_load(config.text)) == named  # every key is shown


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(InputError, match="trial.yaml cannot be read"):
        read_config(tmp_path / "trial.yaml")


PUBLISHED = {"figure": 0.5, "tolerance": 0.01, "source": "a paper, table 3"}


def test_a_published_figure_is_of_the_first_system_and_the_main_measure_unless_it_says_otherwise(tmp_path):
    found = read(tmp_path, published=PUBLISHED).published
    assert (found.system, found.measure, found.figure, found.tolerance) == ("full@best", "nDCG@10", 0.5, 0.01)
    told = {"system": "first stage", "measure": "RR"}
    found = read(tmp_path, measures=["nDCG@10", "RR"], published=PUBLISHED | told).published
    assert (found.system, found.measure) == ("first stage", "RR")
    assert read(tmp_path).published is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"figure": 68.2}, "published.figure: give the published mean, between 0 and 1"),
        ({"tolerance": 0}, "published.tolerance: should be above 0"),
        ({"source": None}, "published.source: is missing"),
        ({"measure": "RR"}, "published.measure: is not measured here"),
        ({"system": "full@worst"}, "published.system: there is no such row; did you mean 'full@best'?"),
        ({"value": 1}, "published.value: there is no such key"),
    ],
)
def test_a_published_figure_that_cannot_be_meant(tmp_path, change, message):
    with pytest.raises(InputError, match=re.escape(message)):
        read(tmp_path, published=PUBLISHED | change)
