"""Queries with their candidates as Parquet."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from rerankllm.data import Query
from rerankllm.errors import InputError
from rerankllm.formats.parquet import TOGETHER, is_parquet, read_requests

ROW = {
    "query_id": "q1",
    "query": "how long",
    "candidates": [
        {"doc_id": "a", "text": "one", "score": 1.0, "title": "A", "year": 1999},
        {"doc_id": "b", "text": "two", "score": 2.0, "title": None, "year": None},
    ],
}


def write(path, *rows):
    pq.write_table(pa.Table.from_pylist(list(rows)), path, row_group_size=50)
    return path


def test_rows_become_queries_with_candidates_best_first(tmp_path):
    ((query, candidates),) = read_requests(write(tmp_path / "a.parquet", ROW))
    assert query == Query("q1", "how long")
    assert [(c.doc_id, c.document.text, c.document.title, c.score) for c in candidates] == [
        ("b", "two", "", 2.0),
        ("a", "one", "A", 1.0),
    ]
    assert candidates[1].document.metadata == {"year": 1999}


def test_a_folder_is_read_in_the_order_of_names(tmp_path):
    for name, ids in (("2", range(200, 300)), ("1", range(2 * TOGETHER))):
        write(tmp_path / f"{name}.parquet", *({**ROW, "query_id": i} for i in ids))
    assert is_parquet(tmp_path)
    assert is_parquet("x.parquet")
    assert not is_parquet("x.jsonl")
    found = [int(query.query_id) for query, _ in read_requests(tmp_path)]
    assert found == [*range(2 * TOGETHER), *range(200, 300)]


def candidates(*found):
    return {**ROW, "candidates": list(found)}


@pytest.mark.parametrize(
    ("row", "complaint"),
    [
        ({**ROW, "query": " "}, r"a.parquet:2: expected the text of query q1 not to be empty, found"),
        ({**ROW, "query_id": None}, "expected query_id to be a text or a whole number"),
        ({**ROW, "query_id": "other", "candidates": None}, "expected candidates to be a list of structs"),
        (candidates({"doc_id": "a", "text": None, "score": 1.0}), "expected a text of candidate a"),
        (candidates({"doc_id": "a", "text": "x", "score": float("nan")}), "a finite number as score of candidate a"),
        (
            candidates({"doc_id": "a", "text": "x", "score": 1.0}, {"doc_id": "a", "text": "y", "score": 1.0}),
            "each doc_id once",
        ),
        (
            candidates({"doc_id": "a", "text": "x", "score": 1.0}, {"doc_id": "b", "text": "y", "score": None}),
            "a score for all candidates of query q1 or for none, found '1 of 2 without'",
        ),
        (ROW, "each query_id once"),
    ],
)
def test_a_row_that_is_no_good_is_named(tmp_path, row, complaint):
    path = write(tmp_path / "a.parquet", {**ROW, "query_id": "q0"} if row is not ROW else ROW, row)
    with pytest.raises(InputError, match=complaint):
        list(read_requests(path))


def test_other_names_of_the_same_fields_are_known(tmp_path):
    row = {
        "qid": 7,
        "question": "why?",
        "candidates": [{"docid": "a", "contents": "x"}, {"docid": "b", "contents": "y"}],
    }
    ((query, found),) = read_requests(write(tmp_path / "a.parquet", row))
    assert (query.query_id, query.text) == ("7", "why?")
    assert [(each.doc_id, each.document.text) for each in found] == [("a", "x"), ("b", "y")]


def test_what_is_no_parquet_or_lacks_a_column_is_named(tmp_path):
    (tmp_path / "a.parquet").write_text("nothing of the kind")
    with pytest.raises(InputError, match=r"a.parquet: cannot be read as Parquet"):
        list(read_requests(tmp_path / "a.parquet"))
    with pytest.raises(InputError, match=r"none.parquet: cannot be read"):
        list(read_requests(tmp_path / "none.parquet"))
    pq.write_table(pa.table({"query_id": ["q"], "query": ["x"]}), tmp_path / "a.parquet")
    with pytest.raises(InputError, match="expected a column `candidates`, yours has `query_id`, `query`"):
        list(read_requests(tmp_path / "a.parquet"))


def test_the_command_line_reads_it(cli, tmp_path):
    write(tmp_path / "a.parquet", ROW)
    (tmp_path / "qrels").write_text("q1 0 a 1\n")
    model = f"oracle:{tmp_path / 'qrels'}"
    status, _, err = cli("rerank", "--requests", tmp_path / "a.parquet", "--model", model, "-o", tmp_path / "out")
    assert status == 0, err
    assert [line.split()[2] for line in (tmp_path / "out").read_text().splitlines()] == ["a", "b"]
