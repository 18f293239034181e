"""What a run's record says, and what keeps runs from being compared."""

import gzip
import json
import os
from pathlib import Path

import pytest

from rerankllm.errors import InputError
from rerankllm.runs import provenance
from rerankllm.runs.provenance import Retrieval

BM25 = Retrieval("dl19 (ir_datasets 0.6.3)", "BM25", "bm25s 0.3.16", {"k1": 0.9, "depth": 100}, "then doc_id")


@pytest.fixture
def make(tmp_path):
    def made(name, retrieval=None, reranked=None):
        path = tmp_path / name
        path.write_text(f"1 Q0 {name} 1 1 t\n")
        if retrieval is not None:
            provenance.write(path, retrieval, reranked)
        return path

    return made


def test_a_record_reads_back(make):
    run = make("a", BM25, {"strategy": "full"})
    found = provenance.read(run)
    assert (found.retrieval, found.reranked) == (BM25, {"strategy": "full"})
    assert run.read_text() == "1 Q0 a 1 1 t\n"


def test_rerankings_of_the_same_candidates_may_be_compared(make):
    first, second = make("a", BM25), make("b", BM25, {"strategy": "full"})
    assert provenance.differences([first, second, make("c", provenance.retrieval_of(first))]) == []


def test_a_run_without_a_record_is_known_by_its_content(make):
    plain = make("plain")
    reranked = make("b", provenance.retrieval_of(plain), {"strategy": "full"})
    assert provenance.differences([plain, reranked]) == []
    (line,) = provenance.differences([reranked, make("other")])
    assert "is not recorded" in line
    assert provenance.differences([plain, make("other")]) == []  # nothing is known of either


def test_what_differs_is_said(make):
    other = Retrieval(BM25.collection, "BM25", "bm25s 0.3.16", {"k1": 1.2, "depth": 100}, "then doc_id")
    (line,) = provenance.differences([make("a", BM25), make("b", other)])
    assert "different first stages: k1 0.9 against 1.2" in line
    lines = provenance.differences([make("a", BM25), make("b", BM25), make("c", Retrieval("noveleval", "web search"))])
    assert len(lines) == 1
    assert "retriever BM25 against web search" in lines[0]


def test_a_recorded_run_against_one_that_is_not(make):
    (line,) = provenance.differences([make("a", BM25), make("plain")])
    assert "the first stage of" in line
    assert "plain is not recorded" in line


def test_a_run_that_was_changed_has_lost_its_record(make):
    run = make("a", BM25)
    run.write_text("1 Q0 z 1 1 t\n")
    assert provenance.retrieval_of(run).collection is None
    lines = provenance.differences([run, make("b", BM25)])
    assert "was changed after" in lines[0]
    assert "not recorded" in lines[1]


def test_a_record_that_is_none(make):
    run = make("a")
    for text in ("{", "[]", json.dumps({"retrieval": {"colour": 1}, "reranked": None, "sha256": ""})):
        provenance.sidecar(run).write_text(text)
        with pytest.raises(InputError, match="no record of provenance"):
            provenance.differences([run, run])


def test_gzipped_runs_have_records_too(tmp_path):
    run = tmp_path / "a.gz"
    run.write_bytes(gzip.compress(b"1 Q0 d 1 1 t\n"))
    provenance.write(run, BM25)
    assert provenance.retrieval_of(run) == BM25


def test_a_pipe_has_no_record_and_is_like_no_other(make, tmp_path):
    provenance.write(Path(os.devnull), BM25)
    assert not provenance.sidecar(Path(os.devnull)).exists()
    unknown = provenance.retrieval_of(Path(os.devnull))
    reranked = [make(name, unknown, {"strategy": "full"}) for name in ("a", "b")]
    (line,) = provenance.differences(reranked)
    assert "is not recorded" in line
