"""The collection that ships is whole, and its run is what its script makes of it."""

import dataclasses
import subprocess
import sys
from pathlib import Path

import pytest
from near_ties import assert_same_order

from rerankllm import Reranker, evaluate, load_collection
from rerankllm.formats.beir import read_corpus, read_queries
from rerankllm.formats.trec import read_qrels, read_run
from rerankllm.sample import path as sample

ROOT = Path(__file__).parents[1]


def test_every_candidate_has_a_text_and_a_grade():
    run, qrels = read_run(sample("run.txt")), read_qrels(sample("qrels.txt"))
    corpus, queries = read_corpus(sample("corpus.jsonl")), read_queries(sample("queries.tsv"))
    assert list(run) == list(queries)
    assert len(run) >= 5
    assert {len(ranked) for ranked in run.values()} == {20}
    for query_id, ranked in run.items():
        assert all(doc_id in corpus and doc_id in qrels[query_id] for doc_id, _ in ranked)
        assert {2, 3} & set(qrels[query_id].values())
    assert len({doc.content for doc in corpus.values()}) == len(corpus)


@pytest.mark.slow
def test_the_run_is_bm25s(tmp_path):
    script = ROOT / "eval" / "sample" / "make_run.py"
    subprocess.run([sys.executable, script, "--output", tmp_path / "run.txt"], check=True, capture_output=True)
    made, shipped = read_run(tmp_path / "run.txt"), read_run(sample("run.txt"))
    assert list(made) == list(shipped)
    for query_id, ranked in shipped.items():
        assert dict(made[query_id]) == pytest.approx(dict(ranked), abs=1e-5)  # float32, summed as the processor likes
        assert_same_order(dict(ranked), dict(made[query_id]), margin=2e-5)


def test_it_is_a_collection_like_any_other(cli):
    collection = load_collection("sample")
    queries = collection.candidates()
    run = read_run(sample("run.txt"))
    assert {query.query_id: [c.doc_id for c in found] for query, found in queries} == {
        query_id: [doc_id for doc_id, _ in ranked] for query_id, ranked in run.items()
    }
    assert {len(found) for _, found in collection.candidates(depth=3)} == {3}
    with Reranker("full", f"oracle:{sample('qrels.txt')}") as reranker:
        rankings = list(reranker.stream(queries))
    assert evaluate(rankings, collection.qrels, ["RR@10", "P@1"]) == {"RR(rel=2)@10": 1.0, "P(rel=2)@1": 1.0}
    assert evaluate(rankings[:4], collection.qrels, ["RR@10"]) == {"RR(rel=2)@10": 0.5}  # what is missing counts
    status, out, _ = cli("eval", "--dataset", "sample", "--run", sample("run.txt"))
    first = {query_id: [doc_id for doc_id, _ in ranked] for query_id, ranked in run.items()}
    assert (status, out.split()[-1]) == (0, f"{evaluate(first, collection.qrels)['nDCG@10']:.4f}")


def test_candidates_without_a_first_stage_are_bm25s(tmp_path, monkeypatch):
    pytest.importorskip("bm25s", reason="needs the extra `bm25`")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    bare = dataclasses.replace(load_collection("sample"), first_stage=None)
    found = bare.candidates(depth=5)
    assert len(found) == 8
    assert all(0 < len(candidates) <= 5 for _, candidates in found)
