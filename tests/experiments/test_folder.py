"""The manifest of an experiment's folder."""

import json
from dataclasses import replace

import pytest

from rerankllm.errors import InputError
from rerankllm.experiments.folder import (
    MANIFEST,
    Cell,
    Dataset,
    Manifest,
    Reordered,
    System,
    read_manifest,
    write_manifest,
)
from rerankllm.files import safe

DATASET = Dataset(
    "data/a/queries.tsv", "data/a/corpus.jsonl", "data/a/qrels.txt",
    {"bm25": "data/a/bm25.txt", "back": "data/a/back.txt"}, {"back": Reordered("bm25", "reversed")},
    {"texts": "files"}, 2,
)  # fmt: skip
CELL = Cell("a", "bm25", "full", 0, "runs/a/bm25/full.0.txt", None, "partial", "query q1: budget")
MANIFEST_A = Manifest({"a": DATASET}, {"full": System("full", "oracle:x", {"top_k": 10})}, (CELL,))


def test_reads_what_was_written(tmp_path):
    write_manifest(tmp_path, MANIFEST_A)
    assert read_manifest(tmp_path) == MANIFEST_A
    assert [path.name for path in tmp_path.iterdir()] == [MANIFEST]


def test_a_folder_without_one_is_named(tmp_path):
    with pytest.raises(InputError, match="is no experiment's folder"):
        read_manifest(tmp_path / "nowhere")


@pytest.mark.parametrize(
    "change, said",
    [
        (lambda record: record.pop("systems"), "'systems' is missing"),
        (lambda record: record["cells"][0].pop("run"), "run"),
        (lambda record: record["cells"][0].update(system="other"), "other"),
        (lambda record: record["cells"][0].update(status="fine"), "fine"),
        (lambda record: record["datasets"].update(a=[]), "damaged"),
        (lambda record: record.update(cells=3), "damaged"),
        (lambda record: record.update(version=2), "version 2"),
    ],
)
def test_a_damaged_one_gets_one_line(tmp_path, change, said):
    write_manifest(tmp_path, MANIFEST_A)
    record = json.loads((tmp_path / MANIFEST).read_text())
    change(record)
    (tmp_path / MANIFEST).write_text(json.dumps(record))
    with pytest.raises(InputError, match=said) as caught:
        read_manifest(tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "{", "[]", '"x"', "\x00"])
def test_what_is_no_manifest_gets_one_line(tmp_path, text):
    (tmp_path / MANIFEST).write_text(text)
    with pytest.raises(InputError, match="damaged"):
        read_manifest(tmp_path)


def test_a_writer_that_dies_leaves_the_old_one(tmp_path):
    write_manifest(tmp_path, MANIFEST_A)
    with pytest.raises(TypeError):
        write_manifest(tmp_path, replace(MANIFEST_A, cells=(replace(CELL, reason=object()),)))  # type: ignore[arg-type]
    assert read_manifest(tmp_path) == MANIFEST_A


@pytest.mark.parametrize(
    "name, path", [("beir/scifact", "beir-scifact"), ("a b", "a-b"), ("../x", "x"), ("prp.heap_2", "prp.heap_2")]
)
def test_names_in_paths_are_safe(name, path):
    assert safe(name) == path
