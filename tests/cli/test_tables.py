"""Files as people have them, on the command line."""

import json

import pytest

from rerankllm.formats.beir import read_corpus, read_queries
from rerankllm.formats.trec import read_run
from rerankllm.sample import path as sample

CSV = '\ufeffpmid,abstract,year\n7,"Fleas jump, far.",1999\n8,A flea lives for months.,2001\n\n9,Dogs bark.,2003\n'


@pytest.fixture
def model(tmp_path):
    (tmp_path / "qrels.txt").write_text("query 0 7 1\nquery 0 8 2\n")
    return ["--model", f"oracle:{tmp_path / 'qrels.txt'}", "--strategy", "sliding"]


def test_rank_takes_a_csv(cli, tmp_path, model):
    (tmp_path / "p.csv").write_text(CSV, encoding="utf-8")
    given = ["rank", "how long?", tmp_path / "p.csv", *model]
    status, out, err = cli(*given)
    assert (status, out) == (1, "")
    assert "p.csv:2: expected a column of texts (text, contents, segment, passage, …), yours has `pmid`" in err
    columns = ["--text-column", "abstract", "--id-column", "pmid"]
    _, out, _ = cli(*given, *columns, "--top-k", "2")
    assert [line.split("\t")[2:] for line in out.splitlines()] == [
        ["8", "A flea lives for months."],
        ["7", "Fleas jump, far."],
    ]
    _, out, _ = cli("rank", "how long?", "-", *model, *columns, "--truncate", "1", "--json", stdin=CSV)
    found = json.loads(out)
    assert (found["doc_id"], found["metadata"]) == ("8", {"year": "2001"})


def test_rank_leaves_out_rows_without_a_text_when_told_to(cli, tmp_path, model):
    (tmp_path / "p.tsv").write_text("id\ttext\n7\tx\n8\t\n9\ty\n")
    status, _, err = cli("rank", "q", tmp_path / "p.tsv", *model)
    assert (status, "p.tsv:3: the text is empty" in err) == (1, True)
    _, out, _ = cli("rank", "q", tmp_path / "p.tsv", *model, "--skip-missing")
    assert [line.split("\t")[2] for line in out.splitlines()] == ["7", "9"]


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_rerank_takes_tables_of_queries_and_documents(cli, tmp_path, suffix):
    pd = pytest.importorskip("pandas")
    corpus = read_corpus(sample("corpus.jsonl")).values()
    documents = pd.DataFrame({"key": [d.doc_id for d in corpus], "body": [d.text for d in corpus]})
    topics = read_queries(sample("queries.tsv"))
    queries = pd.DataFrame({"topic": list(topics), "wanted": list(topics.values())})
    for name, frame in (("docs", documents), ("queries", queries)):
        path = tmp_path / f"{name}.{suffix}"
        frame.to_csv(path, index=False) if suffix == "csv" else frame.to_parquet(path)
    status, _, err = cli(
        "rerank", "--run", sample("run.txt"), "--queries", tmp_path / f"queries.{suffix}", "--corpus",
        tmp_path / f"docs.{suffix}", "--id-column", "key", "--query-id-column", "topic", "--query-column", "wanted",
        "--model", f"oracle:{sample('qrels.txt')}", "--strategy", "sliding", "--output", tmp_path / "out.run",
    )  # fmt: skip
    assert status == 0, err
    plain = ["--queries", sample("queries.tsv"), "--corpus", sample("corpus.jsonl")]
    cli("rerank", "--run", sample("run.txt"), *plain, "--model", f"oracle:{sample('qrels.txt')}", "--strategy",
        "sliding", "--output", tmp_path / "plain.run")  # fmt: skip
    assert read_run(tmp_path / "out.run") == read_run(tmp_path / "plain.run")
