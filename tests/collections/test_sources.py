"""Every source, read by its own library from a small copy in its own format."""

import sys

import pytest
from collection_seeds import FORUMS

from rerankllm.collections import catalogue, crosslingual, irds
from rerankllm.collections.analysis import Analyzer
from rerankllm.collections.mteb import drawn
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

    for source in (irds, crosslingual):
        for name in source.NAMES:
            assert ir_datasets.load(source.dataset_id(name)).has_qrels(), name


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


def test_r2med():
    found = catalogue.load("r2med/biology")
    assert found.queries == {"1": "A man has pain after meals."}
    assert found.qrels == {"1": {"d%201": 1}}
    assert texts(found, "d%201") == {"d%201": "Ulcers are treated by antibiotics."}
    assert found.origin == "huggingface.co/datasets/R2MED/Biology@0123456789abcdef"
    assert catalogue.place("r2med/biology").cached


def test_a_reranking_task_of_mteb_brings_its_candidates():
    found = catalogue.load("mteb/askubuntu")
    assert found.queries == {"1": "wifi is slow"}
    assert found.qrels == {"1": {"a": 1, "b": 0}}
    ((first, _), (second, _)) = found.first_stage.run["1"]
    assert {first, second} == {"a", "b"}
    ((query, candidates),) = found.candidates()
    assert (query.text, {one.document.content for one in candidates}) == (
        "wifi is slow", {"Printers no ink", "slow wireless"},
    )  # fmt: skip
    assert found.measures[0] == "AP@1000"
    assert catalogue.place("mteb/askubuntu").cached


def test_a_reranking_task_of_mteb_in_one_of_its_languages():
    found = catalogue.load("mteb/wikipedia/de")
    assert found.queries == {"q": "Wie lange leben Flöhe?"}
    assert found.qrels == {"q": {"x": 1}}
    assert texts(found, "x") == {"x": "Flöhe Flöhe leben drei Monate"}  # its only split has another name
    assert found.language == "de"
    assert not catalogue.place("mteb/wikipedia/da").cached


def test_candidates_that_list_the_relevant_first_are_put_in_an_order_of_chance():
    """MTEB's `top_ranked` has the relevant documents before the others, and their ids say which they are."""
    lists = [[f"apositive_{q}_{i}" for i in range(3)] + [f"negative_{q}_{i}" for i in range(7)] for q in range(200)]
    firsts = [drawn(str(q), ids)[0] for q, ids in enumerate(lists)]
    assert 0.2 < sum(doc_id.startswith("apositive") for doc_id, _ in firsts) / 200 < 0.4
    assert drawn("1", lists[1]) == drawn("1", reversed(lists[1]))
    assert [score for _, score in drawn("1", lists[1])] == [1 / rank for rank in range(1, 11)]


def test_the_splits_of_weblinx_are_sets_of_their_own():
    found = catalogue.load("mteb/weblinx/cat")
    assert found.queries == {"2": "click another"}
    assert found.qrels == {"2": {"d1": 1}}
    assert found.measures[0] == "RR@10"
    assert catalogue.place("mteb/weblinx/iid").cached


def test_mindsmall_asks_every_headline_that_a_reader_has_read():
    found = catalogue.load("mteb/mindsmall")
    assert found.queries == {"test_query0_0": "Rates rise", "test_query0_1": "Banks gain", "test_query2_0": "Pets"}
    ids = {document.text: document.doc_id for document in found.documents}
    assert set(ids) == {"Markets fall", "A cat", "A dog"}
    assert found.qrels["test_query0_1"] == {ids["Markets fall"]: 1, ids["A cat"]: 0, ids["A dog"]: 0}
    assert found.qrels["test_query2_0"] == {ids["A cat"]: 1, ids["A dog"]: 0, ids["Markets fall"]: 0}
    assert {len(candidates) for _, candidates in found.candidates()} == {3}
    assert found.measures[0] == "AP@1000"
    assert catalogue.place("mteb/mindsmall").cached


def test_futurequeryeval():
    found = catalogue.load("futurequeryeval")
    assert found.queries == {"query_001": "Who won in May 2025?"}
    assert found.qrels == {"query_001": {"doc_90eb43ed_0": 0, "doc_cd9ed42b_1": 2}}
    assert texts(found, "doc_90eb43ed_0") == {"doc_90eb43ed_0": '"Enough," she said.'}
    assert (
        found.origin == "huggingface.co/datasets/abdoelsayed/FutureQueryEval@e57e5b2000000000000000000000000000000000"
    )
    assert [one.doc_id for _, candidates in found.candidates() for one in candidates] == ["doc_cd9ed42b_1"]
    assert catalogue.place("futurequeryeval").cached


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        ("corpus.tsv", "doc_90eb43ed_0\tone\n", "1 judged documents have no text, such as doc_cd9ed42b_1"),
        ("corpus.tsv", "doc_90eb43ed_0\ta title\ta text\n", "corpus.tsv:1: expected an id and a text"),
        ("queries.tsv", "query_id\tquery\n", "1 judged queries have no text, such as query_001"),
    ],
)
def test_futurequeryeval_in_another_form_is_refused(tmp_path, monkeypatch, file, text, said):
    from collection_seeds import seed_futurequeryeval
    from huggingface_hub import constants

    seed_futurequeryeval(tmp_path)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    (path,) = tmp_path.glob(f"*/snapshots/*/{file}")
    path.write_text(text)
    with pytest.raises(InputError, match=said):
        catalogue.load("futurequeryeval")


def test_futurequeryeval_may_have_names_of_columns_and_quotes(tmp_path, monkeypatch):
    from collection_seeds import seed_futurequeryeval
    from huggingface_hub import constants

    seed_futurequeryeval(tmp_path)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    (path,) = tmp_path.glob("*/snapshots/*/corpus.tsv")
    path.write_text('doc_id\ttext\ndoc_90eb43ed_0\t"two\nlines"\ndoc_cd9ed42b_1\t"a ""word"""\n')
    found = catalogue.load("futurequeryeval")
    assert texts(found, "doc_90eb43ed_0", "doc_cd9ed42b_1", "doc_id") == {
        "doc_90eb43ed_0": "two lines", "doc_cd9ed42b_1": 'a "word"',
    }  # fmt: skip


def test_miracl_is_searched_by_a_run_of_ones_own():
    found = catalogue.load("miracl/yo")
    assert found.queries == {"7": "kí ni eégbọn"}
    assert found.qrels == {"7": {"12#0": 1, "12#1": 0}}
    assert texts(found, "12#1") == {"12#1": "Eégbọn ajá"}
    assert catalogue.place("miracl/yo").cached
    with pytest.raises(InputError, match="BM25 is here for en and zh, not for yo: give a run of your own with --run"):
        found.candidates()


def test_neuclir_asks_in_english_and_keeps_one_language():
    found = catalogue.load("neuclir/2022/fa")
    assert found.queries == {"3": "Fleas"}
    assert found.qrels == {"3": {"p1": 3}}
    assert texts(found, "p1") == {"p1": "کک کک حشره است"}
    assert found.language == "en-fa"
    assert catalogue.place("neuclir/2022/fa").cached


def test_neuclir_of_2023_has_the_queries_that_ir_datasets_leaves_out():
    found = catalogue.load("neuclir/2023/fa")
    assert found.queries == {"200": "Fleas"}
    assert found.qrels == {"200": {"p1": 3, "p2": 0}}
    assert texts(found, "p1") == {"p1": "کک کک حشره است"}
    assert found.origin.endswith(" neuclir/1/fa/trec-2023")
    assert catalogue.place("neuclir/2023/fa").cached
    assert not catalogue.place("neuclir/2023/ru").cached


def test_a_set_of_beir_that_may_not_be_passed_on_is_read_from_a_folder(tmp_path):
    with pytest.raises(InputError, match=r"TREC disks 4 and 5.* as .*beir/robust04$"):
        catalogue.load("beir/robust04")
    folder = tmp_path / "cache" / "rerankllm" / "beir" / "robust04"
    (folder / "qrels").mkdir(parents=True)
    (folder / "corpus.jsonl").write_text(
        '{"_id": "FT1", "title": "", "text": "fleas"}\n{"_id": "FT2", "text": "dogs"}\n'
    )
    (folder / "queries.jsonl").write_text('{"_id": "301", "text": "flea life"}\n{"_id": "302", "text": "not judged"}\n')
    (folder / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\n301\tFT1\t2\n")
    found = catalogue.load("beir/robust04")
    assert found.queries == {"301": "flea life"}
    assert found.qrels == {"301": {"FT1": 2}}
    assert texts(found, "FT1", "none") == {"FT1": "fleas"}
    assert [document.doc_id for document in found.documents] == ["FT1", "FT2"]
    assert len(found.documents) == 2
    assert [one.doc_id for _, candidates in found.candidates() for one in candidates] == ["FT1"]


@pytest.mark.parametrize(
    ("name", "folder"),
    [
        ("beir/nfcorpus", "irds/beir/nfcorpus"),
        ("dl20", "irds/msmarco-passage"),
        ("bright/pony", "datasets/xlangai___bright"),
        ("nanobeir/nq", "datasets/zeta-alpha-ai___nano_nq"),
        ("freshstack/godot", "datasets/freshstack___corpus-oct-2024"),
        ("r2med/pmc-clinical", "datasets/R2MED___pmc-clinical"),
        ("mteb/scidocs", "datasets/mteb___sci_docs_rr"),
        ("mteb/esci/jp", "datasets/mteb___esci_reranking"),
        ("miracl/te", "irds/miracl/v1.0/te"),
        ("neuclir/2022/zh", "irds/neuclir"),
        ("neuclir/2023/ru", "irds/neuclir"),
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

    from rerankllm.collections import mindsmall, mteb, three_tables

    for source in (mindsmall, mteb, three_tables):
        for name in source.NAMES:
            organisation, _, repository = source.repository(name).partition("/")
            assert f"{organisation}___{camelcase_to_snakecase(repository)}" in catalogue.place(name).path


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
