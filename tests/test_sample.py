"""The collection that ships is whole, and its run is what its script makes of it."""

import subprocess
import sys
from pathlib import Path

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


def test_the_run_is_bm25s(tmp_path):
    script = ROOT / "eval" / "sample" / "make_run.py"
    subprocess.run([sys.executable, script, "--output", tmp_path / "run.txt"], check=True, capture_output=True)
    assert (tmp_path / "run.txt").read_bytes() == sample("run.txt").read_bytes()
