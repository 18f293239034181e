"""A report of runs that are still being written: the queries that all have ranked, and no more."""

import shutil

import pytest

import rerankllm
from rerankllm.errors import InputError
from rerankllm.formats.trec import read_qrels, read_run
from rerankllm.runs.writer import unfinished
from rerankllm.sample import path as sample


@pytest.fixture
def done(cli, tmp_path):
    """A finished run with its journal."""
    source = ["--run", sample("run.txt"), "--queries", sample("queries.tsv"), "--corpus", sample("corpus.jsonl")]
    model = f"simulated:{sample('qrels.txt')}?world=mild"
    status, _, err = cli("rerank", *source, "--strategy", "full", "--model", model, "--output", tmp_path / "done.txt",
                         "--journal", tmp_path / "done.txt.journal", "--quiet")  # fmt: skip
    assert status == 0, err
    return tmp_path / "done.txt"


def cut(done, path, queries):
    """The run as it is when so many queries are written, and half a line of the next."""
    lines = done.read_text().splitlines(keepends=True)
    whole = [line for line in lines if line.split()[0] in list(read_run(done))[:queries]]
    after = lines[len(whole)] if len(whole) < len(lines) else ""
    path.write_text("".join(whole) + after[: len(after) // 2])
    shutil.copy(f"{done}.journal", f"{path}.journal")
    unfinished(path).touch()
    return path


def test_numbers_are_of_the_queries_that_all_have_ranked(done, tmp_path):
    path = cut(done, tmp_path / "going.txt", 4)
    page = rerankllm.report({"whole": done, "going": path}, qrels=sample("qrels.txt"), first_stage=sample("run.txt"))
    (part,) = page.to_dict()["main"]["parts"]
    assert part["headline"][0] == (
        "So far: going has ranked 3 of 8 queries (going.txt). "
        "All numbers here are of the 3 queries that all have ranked."
    )  # the last one written may lack documents
    kept = {
        query_id: read_qrels(sample("qrels.txt"))[query_id] for query_id in list(read_run(path, unfinished=True))[:3]
    }
    assert [query["id"] for query in part["queries"]] == sorted(kept)
    whole = rerankllm.compare({"whole": done}, kept, first_stage=sample("run.txt")).to_dict()["systems"]
    means = {system["name"]: system["means"]["nDCG@10"]["mean"] for system in part["document"]["systems"]}
    for system in whole:
        assert means[system["name"]] == pytest.approx(system["means"]["nDCG@10"]["mean"])
    assert means["going"] == means["whole"]
    cost = {system["name"]: system["cost"] for system in part["document"]["systems"]}["going"]
    assert cost["calls"] == 1  # of three queries: those under way have cost something, and are no query yet


def test_a_run_that_is_whole_is_no_run_in_progress(done):
    page = rerankllm.report({"whole": done}, qrels=sample("qrels.txt"), first_stage=sample("run.txt"))
    assert "So far" not in page.html


def test_a_run_without_a_whole_query_is_named(done, tmp_path):
    path = cut(done, tmp_path / "going.txt", 1)
    with pytest.raises(InputError, match=r"going.txt has no judged query yet: make the report when it has"):
        rerankllm.report({"going": path}, qrels=sample("qrels.txt"), first_stage=sample("run.txt"))


def test_runs_in_progress_that_share_no_query_are_said_to(done, tmp_path):
    first = cut(done, tmp_path / "one.txt", 3)
    other = tmp_path / "two.txt"
    other.write_text("".join(reversed(done.read_text().splitlines(keepends=True)[-61:])))
    unfinished(other).touch()
    with pytest.raises(InputError, match="no query is ranked by all of the runs in progress"):
        rerankllm.report({"one": first, "two": other}, qrels=sample("qrels.txt"), first_stage=sample("run.txt"))
