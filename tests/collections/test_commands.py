"""The commands over named collections."""

import json

import pytest

from rerankllm.files import digest
from rerankllm.formats.trec import read_run
from rerankllm.runs import provenance


def test_retrieve_rerank_and_eval_by_name(cli, tmp_path):
    first, second = tmp_path / "bm25.txt", tmp_path / "reranked.txt"
    status, out, err = cli("retrieve", "--dataset", "beir/scifact", "--depth", "3", "--output", first)
    assert (status, out) == (0, "")
    assert "building a BM25 index of 4 documents" in err
    run = read_run(first)
    assert {query_id: [d for d, _ in ranked] for query_id, ranked in run.items()} == {
        "1": ["s3", "s2", "s1"], "2": ["s4"],
    }  # fmt: skip
    record = json.loads(provenance.sidecar(first).read_text())
    assert record["reranked"] is None
    assert record["retrieval"]["retriever"] == "BM25"
    assert record["retrieval"]["parameters"] == {
        "variant": "lucene", "k1": 0.9, "b": 0.4, "stemmer": "porter", "depth": 3, "fields": "title and text",
    }  # fmt: skip
    assert record["retrieval"]["ties"] == "score descending, then doc_id ascending"

    qrels = tmp_path / "qrels.txt"
    qrels.write_text("1 0 s2 3\n1 0 s3 1\n2 0 s4 1\n")
    status, _, err = cli(
        "rerank", "--dataset", "beir/scifact", "--depth", "3", "--output", second, "--strategy", "full",
        "--model", f"oracle:{qrels}",
    )  # fmt: skip
    assert status == 0
    assert [d for d, _ in read_run(second)["1"]] == ["s2", "s3", "s1"]
    assert "nDCG@10 1.0000 before, 1.0000 after (2 judged queries)" in err
    assert provenance.read(second).retrieval == provenance.read(first).retrieval
    assert provenance.read(second).reranked["strategy"].startswith("full(")

    status, out, err = cli("eval", "--dataset", "beir/scifact", "--run", first, "--run", second)
    assert (status, err) == (0, "")
    assert [line.split("\t")[1:] for line in out.splitlines()] == [
        ["nDCG@10", "all", "1.0000"], ["R@100", "all", "1.0000"],
    ] * 2  # fmt: skip


def test_a_published_first_stage_by_name(cli, tmp_path):
    run = tmp_path / "splade.txt"
    status, out, err = cli("retrieve", "--dataset", "dl19", "--retriever", "splade++", "--depth", "1", "--output", run)
    assert (status, out) == (0, "")
    assert "1 documents for 1 queries" in err
    assert read_run(run) == {"264014": [("8", 12.5)]}
    retrieval = provenance.read(run).retrieval
    assert retrieval.retriever.startswith(
        "splade++, huggingface.co/datasets/castorini/rank_llm_data retrieve_results/SPL"
    )


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("dl19", "splade"), "no published runs of 'splade'; did you mean 'splade++'?"),
        (("beir/scifact", "splade++"), "could not be fetched"),
        (("beir/arguana", "tas-b", "--k1", "1"), "could not be fetched"),
        (("nanobeir/arguana", "splade++"), "no run of splade++ is published for nanobeir/arguana. There are: beir/arg"),
        (("dl19", "splade++", "--k1", "1"), "--k1 has no effect: dl19 has its candidates already; leave it out"),
    ],
)
def test_a_first_stage_that_is_not_to_be_had(cli, tmp_path, options, reason):
    dataset, retriever, *more = options
    status, _, err = cli(
        "retrieve", "--dataset", dataset, "--retriever", retriever, *more, "--output", tmp_path / "run.txt"
    )
    assert status == 1
    assert reason in " ".join(err.split())
    assert not (tmp_path / "run.txt").exists()


def test_runs_of_different_first_stages_are_not_compared_silently(cli, tmp_path):
    for name, k1 in (("a", "0.9"), ("b", "2")):
        assert cli("retrieve", "--dataset", "beir/scifact", "--k1", k1, "--output", tmp_path / name)[0] == 0
    status, out, err = cli("eval", "--dataset", "beir/scifact", "--run", tmp_path / "a", "--run", tmp_path / "b")
    assert (status, len(out.splitlines())) == (0, 4)
    assert "compare with care" in err
    assert "k1 0.9 against 2.0" in err


def test_a_run_of_yours_loses_what_the_collection_excludes(cli, tmp_path):
    run, output = tmp_path / "run.txt", tmp_path / "out.txt"
    run.write_text("a Q0 a 1 3 t\na Q0 c 2 2 t\na Q0 b 3 1 t\n")
    qrels = tmp_path / "qrels.txt"
    qrels.write_text("a 0 b 1\n")
    status, _, err = cli(
        "rerank", "--dataset", "beir/arguana", "--run", run, "--output", output, "--strategy", "full",
        "--model", f"oracle:{qrels}",
    )  # fmt: skip
    assert status == 0
    assert "1 documents removed (a query's own text under its own id)" in err
    assert [d for d, _ in read_run(output)["a"]] == ["b", "c"]
    assert provenance.read(output).retrieval.file == digest(run)
    status, out, err = cli("eval", "--dataset", "beir/arguana", "--run", run, "--measure", "RR@10")
    assert out.endswith("RR@10\tall\t0.5000\n")
    assert "1 documents removed" in err


def test_eval_of_cqadupstack_is_the_mean_of_means(cli, tmp_path):
    run = tmp_path / "run.txt"
    run.write_text("android/1 Q0 android/2 1 1 t\nandroid/9 Q0 android/1 1 1 t\ntex/1 Q0 tex/2 1 1 t\n")
    status, out, err = cli("eval", "--dataset", "beir/cqadupstack", "--run", run, "--measure", "nDCG@10")
    assert status == 0
    assert out == f"{run}\tnDCG@10\tall\t0.7500\n"
    assert "means over the 12 sub-forums" in err
    assert "lacks 10 of 13 judged queries" in err


def test_eval_of_freshstack_by_its_own_measures(cli, tmp_path):
    run = tmp_path / "run.txt"
    run.write_text("7 Q0 f/a.py_0 1 2 t\n7 Q0 f/d.py_0 2 1 t\n")
    status, out, _ = cli("eval", "--dataset", "freshstack/yolo", "--run", run)
    assert status == 0
    values = dict(line.split("\t")[1::2] for line in out.splitlines())
    assert values["Coverage@20"] == "0.7500"
    assert values["R@50"] == "0.6667"


def test_binary_measures_of_trec_dl(cli, tmp_path):
    run = tmp_path / "run.txt"
    run.write_text("264014 Q0 8 1 2 t\n264014 Q0 7 2 1 t\n")
    out, err = cli("eval", "--dataset", "dl19", "--run", run)[1:]
    assert "RR(rel=2)@10\tall\t0.5000" in out
    assert "RR" not in err
    out, err = cli("eval", "--dataset", "dl19", "--run", run, "--measure", "RR@10")[1:]
    assert "RR(rel=2)@10\tall\t0.5000" in out
    assert "measuring RR(rel=2)@10" in err


def test_the_list_says_what_is_cached(cli, seeded):
    cli("retrieve", "--dataset", "beir/scifact", "--output", "/dev/null")
    status, out, _ = cli("datasets")
    lines = dict(line.split("\t", 1) for line in out.splitlines())
    assert status == 0
    assert lines["bright/biology"].startswith("cached\t")
    assert lines["nanobeir/nq"].startswith("not cached\t")
    assert lines["beir/nfcorpus"] == f"not cached\t{seeded}/irds/beir/nfcorpus"
    assert {"dl19", "dl23", "beir/cqadupstack", "freshstack/godot", "noveleval", "t2ranking"} <= set(lines)


@pytest.mark.slow
def test_contradictions_are_refused(cli, tmp_path):
    run = tmp_path / "run.txt"
    run.write_text("1 Q0 s2 1 1 t\n")
    for arguments, complaint in (
        (("eval", "--run", run), "give the judgements once"),
        (("eval", "--run", run, "--dataset", "beir/scifact", "--qrels", run), "give the judgements once"),
        (("rerank", "--sample", "--dataset", "beir/scifact"), "give one source"),
        (("rerank", "--dataset", "beir/scifact", "--qrels", run, "--output", run), "name the same file"),
        (("rerank", "--dataset", "beir/scifact", "--qrels", run, "--dry-run"), "leave --qrels out"),
        (("retrieve", "--dataset", "beir/scifacts", "--output", tmp_path / "o"), "did you mean 'beir/scifact'"),
        (("retrieve", "--dataset", "t2ranking", "--stemmer", "porter", "--output", tmp_path / "o"), "has no effect"),
        (("eval", "--run", run, "--dataset", "beir/scifact", "--measure", "Coverage@20"), "judgements by subtopic"),
    ):
        status, _, err = cli(*arguments)
        *before, last = err.splitlines()
        assert status == 1
        assert complaint in last
        assert not before or "Coverage@20" in arguments  # which reads the collection, and tells of it the first time
