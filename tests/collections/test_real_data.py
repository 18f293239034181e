"""Known figures by name: the shared copies, put where ir_datasets and rerankllm keep theirs."""

import csv
import json
import os
import shutil
import subprocess
import sys
import tarfile

import pytest

from rerankllm.collections import catalogue
from rerankllm.evaluation.measures import mean, parse_measures, per_query


def corpus(folder):
    lines = (folder / "corpus.jsonl").read_text(encoding="utf-8").splitlines()
    return [(row["_id"], row["text"]) for row in map(json.loads, lines)]


@pytest.mark.slow
def test_dl19_by_name_reproduces_bm25_and_rankvicuna(shared_data, tmp_path):
    """In a process of its own, since ir_datasets settles on its home when it is imported."""
    data, home = shared_data / "dl19-bm25", tmp_path / "irds" / "msmarco-passage"
    (home / "trec-dl-2019").mkdir(parents=True)
    shutil.copy(data / "queries.tsv", home / "trec-dl-2019" / "queries.tsv")
    shutil.copy(data / "qrels.txt", home / "trec-dl-2019" / "qrels")
    passages = tmp_path / "collection.tsv"
    passages.write_text(
        "".join(f"{i}\t{' '.join(text.split())}\n" for i, text in corpus(data)), encoding="utf-8", newline="\n"
    )
    with tarfile.open(home / "collectionandqueries.tar.gz", "w:gz", compresslevel=1) as archive:
        archive.add(passages, "collection.tsv")

    def run(*arguments):
        environment = os.environ | {"IR_DATASETS_HOME": str(tmp_path / "irds"), "NO_COLOR": "1"}
        command = [sys.executable, "-m", "rerankllm", *map(str, arguments)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        return done.stdout, done.stderr

    _, err = run(
        "rerank", "--dataset", "dl19", "--run", data / "run.txt", "--output", "out.txt", "--quiet",
        "--strategy", "sliding(window=20, stride=10)", "--model", f"recorded:{shared_data}/rankvicuna-dl19-bm25.jsonl",
    )  # fmt: skip
    assert "nDCG@10 0.5058 before, 0.6682 after (43 judged queries)" in err
    out, err = run("eval", "--dataset", "dl19", "--run", data / "run.txt", "--run", "out.txt")
    assert "out.txt\tnDCG@10\tall\t0.6682\n" in out
    assert len(out.splitlines()) == 8
    assert err == ""  # the one is known to be a reranking of the other


@pytest.mark.slow
def test_the_candidates_of_noveleval_are_those_of_its_shared_run(shared_data, tmp_path, monkeypatch):
    data, kept = shared_data / "noveleval", tmp_path / "cache" / "rerankllm" / "noveleval"
    kept.mkdir(parents=True)
    with (kept / "corpus.tsv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, delimiter="\t", lineterminator="\n").writerows(corpus(data))
    shutil.copy(data / "queries.tsv", kept)
    shutil.copy(data / "qrels.txt", kept)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    found = catalogue.load("noveleval")
    rankings = {query_id: [doc_id for doc_id, _ in ranked] for query_id, ranked in found.first_stage.run.items()}
    (measure,) = parse_measures(["nDCG@10"])
    assert mean(per_query(found.qrels, rankings, [measure]), measure) == pytest.approx(0.6503, abs=5e-5)
    assert len(found.documents) == 420
