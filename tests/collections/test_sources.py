"""Every source, read by its own library from a small copy in its own format."""

import sys

import pytest
from collection_seeds import FORUMS

from rerankllm.collections import catalogue, irds
from rerankllm.collections.analysis import Analyzer
from rerankllm.errors import InputError, MissingExtra


def texts(collection, *doc_ids):
    return {doc_id: document.content for doc_id, document in collection.documents.many(doc_ids).items()}


def test_a_beir_set_with_a_test_split():
    found = catalogue.load("beir/scifact")
    assert found.queries == {"1": "risk of diabetes", "2": "strong bones"}
    assert found.qrels == {"1": {"s2": 1, "s3": 1}, "2": {"s4": 1}}
    assert texts(found, "s4", "s3", "none") == {
        "s4": "Bones Calcium makes bones strong.",
        "s3": "Sleep loss raises the risk of diabetes.",
    }
    assert len(found.documents) == 4
    assert [document.doc_id for document in found.documents] == ["s1", "s2", "s3", "s4"]
    assert found.origin.startswith("ir_datasets ")
    assert found.origin.endswith(" beir/scifact/test")
    assert catalogue.place("beir/scifact").cached


def test_every_name_of_ir_datasets_is_one():
    import ir_datasets

    for name in irds.NAMES:
        assert ir_datasets.load(irds.dataset_id(name)).has_qrels(), name


def test_arguana_has_its_own_queries_excluded():
    found = catalogue.load("beir/arguana")
    assert found.excluded == {"a": frozenset({"a"})}


def test_trec_dl_keeps_the_judged_queries_and_is_binary_from_two():
    found = catalogue.load("dl19")
    assert found.queries == {"264014": "how long is life cycle of flea"}
    assert found.qrels == {"264014": {"7": 3, "8": 1, "9": 0}}
    assert found.relevant_from == 2
    assert texts(found, "8") == {"8": "a flea is an insect"}


def test_trec_dl_of_the_second_collection_is_too_large_for_bm25_but_is_looked_up():
    found = catalogue.load("dl22")
    assert texts(found, "msmarco_passage_00_0") == {"msmarco_passage_00_0": "fleas live a hundred days"}
    assert len(found.documents) == 138_364_198
    assert "near-duplicates" in found.notes[0]
    assert catalogue.place("dl22").cached
    assert not catalogue.place("dl21").cached  # the passages are there, its queries are not


def test_cqadupstack_is_twelve_forums_whose_ids_do_not_collide():
    found = catalogue.load("beir/cqadupstack")
    assert len(found.queries) == 13
    assert found.qrels["tex/1"] == {"tex/2": 1}
    assert texts(found, "gis/1", "unix/1") == {"gis/1": "apple about gis apples", "unix/1": "apple about unix apples"}
    assert found.excluded["tex/1"] == frozenset({"tex/1"})
    assert sorted(set(found.parts.values())) == sorted(FORUMS)
    assert len(found.documents) == len(list(found.documents)) == 24


def test_bright():
    found = catalogue.load("bright/biology")
    assert found.queries == {"0": "why do moths come to light", "1": "how do cells divide"}
    assert found.qrels["0"] == {"moths/light%200.txt": 1}  # a run cannot hold an id with a space
    assert found.excluded == {"0": frozenset({"moths/light_1.txt"}), "1": frozenset()}
    assert texts(found, "moths/light%200.txt") == {"moths/light%200.txt": "moths fly to light"}
    assert found.origin == "huggingface.co/datasets/xlangai/BRIGHT@0123456789abcdef"


def test_nanobeir_keeps_the_judged_queries():
    found = catalogue.load("nanobeir/arguana")
    assert found.queries == {"x": "zoos are prisons"}
    assert found.qrels == {"x": {"y": 1}}
    assert found.excluded == {"x": frozenset({"x"})}


def test_freshstack_grades_by_nuggets():
    found = catalogue.load("freshstack/yolo")
    assert found.queries == {"7": "Train YOLO how do I train"}
    assert found.qrels == {"7": {"f/a.py_0": 2, "f/b.py_0": 1, "f/c.py_0": 0, "f/d.py_0": 1}}
    assert found.subtopics["7"]["7_1"] == {"f/a.py_0": 1, "f/b.py_0": 1, "f/c.py_0": 0}
    assert found.subtopics["7"]["7_3"] == {"f/c.py_0": 0}


def test_t2ranking_reads_quotes_as_they_stand():
    found = catalogue.load("t2ranking")
    assert found.queries == {"0": "跳蚤能活多久"}
    assert found.qrels == {"0": {"0": 3, "1": 1, "2": 0}}
    assert texts(found, "0") == {"0": '"跳蚤能活一百天"左右'}
    assert (found.relevant_from, found.language) == (2, "zh")


@pytest.mark.parametrize(
    ("name", "folder"),
    [
        ("beir/nfcorpus", "irds/beir/nfcorpus"),
        ("dl20", "irds/msmarco-passage"),
        ("bright/pony", "datasets/xlangai___bright"),
        ("nanobeir/nq", "datasets/zeta-alpha-ai___nano_nq"),
        ("freshstack/godot", "datasets/freshstack___corpus-oct-2024"),
    ],
)
def test_what_is_not_cached_says_where_it_looked_and_what_fetches_it(name, folder, seeded):
    with pytest.raises(InputError) as caught:
        catalogue.load(name).documents.many(["1"])
    message = str(caught.value)
    assert "\n" not in message
    assert name in message
    assert str(seeded / folder) in message
    assert f"rerankllm retrieve --dataset {name}" in message


def test_an_unknown_name_says_which_is_meant():
    with pytest.raises(InputError, match="did you mean 'beir/scifact'"):
        catalogue.load("beir/scifacts")


def test_places_are_those_of_datasets_itself():
    from datasets.naming import camelcase_to_snakecase

    from rerankllm.collections import nanobeir

    for name in nanobeir.NAMES:
        repository = nanobeir.repository(name).partition("/")[2]
        assert f"zeta-alpha-ai___{camelcase_to_snakecase(repository)}" in catalogue.place(name).path


def test_a_repository_with_other_columns_says_so(seeded, tmp_path, monkeypatch):
    import datasets
    from collection_seeds import seed_hub

    seed_hub(tmp_path / "scratch", tmp_path / "cache", "xlangai/BRIGHT", {"examples": {"biology": [{"id": "0"}]}})
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "cache"))
    with pytest.raises(InputError, match="expected the columns id, query, gold_ids, excluded_ids, found id"):
        catalogue.load("bright/biology")


def test_a_package_that_is_missing_is_named_with_its_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "ir_datasets", None)
    with pytest.raises(MissingExtra, match=r"pip install 'rerankllm\[collections\]'"):
        catalogue.load("beir/scifact")
    monkeypatch.setitem(sys.modules, "bm25s", None)
    monkeypatch.setitem(sys.modules, "bm25s.stopwords", None)
    with pytest.raises(MissingExtra, match=r"pip install 'rerankllm\[bm25\]'"):
        Analyzer().terms()
