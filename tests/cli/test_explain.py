"""`rerankllm explain` over files."""

import json
import sqlite3
from pathlib import Path

import pytest

from rerankllm.formats.beir import read_corpus
from rerankllm.formats.trec import read_run
from rerankllm.sample import path as sample

SOURCE = ["--run", sample("run.txt"), "--queries", sample("queries.tsv"), "--corpus", sample("corpus.jsonl"), "--quiet"]
MODEL = f"simulated:{sample('qrels.txt')}?world=harsh"


@pytest.fixture
def run(cli, tmp_path):
    path = tmp_path / "out.txt"
    rerank(cli, path, "sliding(window=6, stride=3)")
    return path


def rerank(cli, path, strategy, *more, source=SOURCE):
    journal = path.with_name(f"{path.name}.journal")
    status, _, err = cli("rerank", *source, "--model", MODEL, "--strategy", strategy, "--output", path,
                         "--journal", journal, *more)  # fmt: skip
    assert status == 0, err


@pytest.mark.slow
def test_the_document_of_a_run(cli, run):
    first = [doc_id for doc_id, _ in read_run(sample("run.txt"))["q1"]]
    final = [doc_id for doc_id, _ in read_run(run)["q1"]]
    for doc_id in first:
        status, out, err = cli("explain", run, "q1", doc_id, "--format", "json")
        assert (status, err) == (0, "")
        found = json.loads(out)
        assert (found["rank"], found["first_rank"]) == (final.index(doc_id) + 1, first.index(doc_id) + 1)
        assert found["judgements"][-1]["moved"]["to"] == found["rank"]
        assert found["judgements"][0]["moved"]["from"] == found["first_rank"]
        neighbours = [pair and pair[side] for pair, side in ((found["above"], "one"), (found["below"], "other"))]
        assert neighbours == [final[final.index(doc_id) - 1] if found["rank"] > 1 else None,
                              final[found["rank"]] if found["rank"] < len(final) else None]  # fmt: skip
    status, out, _ = cli("explain", run, "q1", final[0])
    assert status == 0
    assert out.startswith(f"{final[0]} stands at 1 of 20; the first stage had it at {first.index(final[0]) + 1}")
    assert "Directly above" not in out
    assert "Directly below stands" in out
    assert "moved from" in out


def test_what_is_named_is_quoted(cli, run):
    texts = read_corpus(sample("corpus.jsonl"))
    final = [doc_id for doc_id, _ in read_run(run)["q1"]]
    given = ["explain", run, "q1", final[1], "--corpus", sample("corpus.jsonl")]
    found = json.loads(cli(*given, "--format", "json")[1])
    assert found["texts"] == {doc_id: texts[doc_id].content for doc_id in (final[1], final[0], final[2])}
    out = " ".join(cli(*given)[1].split())
    for doc_id in final[:3]:
        text = texts[doc_id].content
        assert f"{doc_id}: “{text if len(text) <= 400 else text[:400] + ' …'}”" in out
    pair = json.loads(cli(*given, "--compare", final[5], "--format", "json")[1])
    assert list(pair["texts"]) == [final[1], final[5]]
    assert "texts" not in json.loads(cli("explain", run, "q1", final[1], "--format", "json")[1])


def test_two_documents(cli, run):
    final = [doc_id for doc_id, _ in read_run(run)["q1"]]
    status, out, _ = cli("explain", run, "q1", final[1], "--compare", final[0])
    assert status == 0
    assert out.startswith(f"{final[0]} stands at 1 of 20")
    found = json.loads(cli("explain", run, "q1", final[1], "--compare", final[0], "--format", "json")[1])
    assert (found["one"], found["other"], found["better"]) == (final[0], final[1], final[0])
    assert [each["verdict"] for each in found["together"]].count(1) >= 1


def test_ids_that_are_not_there(cli, run, tmp_path):
    status, _, err = cli("explain", run, "q11", "d112")
    assert (status, err.count("\n")) == (1, 1)
    assert "has no query 'q11': did you mean q1?" in err
    status, _, err = cli("explain", run, "q1", "d11")
    assert "query q1 has no document 'd11': did you mean d112" in err
    assert cli("explain", run, "q1", "d112", "--compare", "zzz")[2].endswith("has no document 'zzz'\n")
    assert "no such file" in cli("explain", tmp_path / "none.txt", "q1", "d112")[2]


def test_a_journal_that_is_not_there_or_is_another(cli, run, tmp_path):
    status, _, err = cli("explain", run, "q1", "d112", "--journal", tmp_path / "none.db")
    assert status == 1
    assert "none.db: an explanation is read off the judgements" in err
    other = tmp_path / "other.db"
    cli("rerank", *SOURCE, "--model", MODEL, "--strategy", "full", "--output", tmp_path / "o", "--journal", other)
    status, _, err = cli("explain", run, "q1", "d112", "--journal", other)
    assert status == 1
    assert "not sliding(window=6, stride=3, passes=1); choose with --stage" in err
    assert cli("explain", run, "q1", "d112", "--journal", other, "--stage", "full(top_k=10, seed=0)")[0] == 0
    cli("journal", other, "--purge")
    assert "holds nothing of query 'q1'" in cli("explain", run, "q1", "d112", "--journal", other)[2]


@pytest.mark.slow
def test_of_several_stages_in_a_journal_that_of_the_run(cli, run, tmp_path):
    journal = tmp_path / "out.txt.journal"
    assert cli("rerank", *SOURCE, "--model", MODEL, "--strategy", "prp(sort=heap)", "--output", tmp_path / "prp.txt",
               "--top-k", "3", "--journal", journal)[0] == 0  # fmt: skip
    found = json.loads(cli("explain", run, "q1", "d112", "--format", "json")[1])
    assert found["stage"].startswith("sliding")
    found = json.loads(cli("explain", tmp_path / "prp.txt", "q1", "d112", "--journal", journal, "--format", "json")[1])
    assert found["stage"].startswith("prp(")
    assert "top_k=3" in found["stage"]
    assert found["comparisons"]["won"] or found["comparisons"]["lost"]
    (tmp_path / "prp.txt.provenance.json").unlink()
    status, _, err = cli("explain", tmp_path / "prp.txt", "q1", "d112", "--journal", journal)
    assert status == 1
    assert "which one made the run is not recorded; choose with --stage" in err


def test_beyond_the_depth_and_cut_off(cli, tmp_path):
    path = tmp_path / "out.txt"
    rerank(cli, path, "full", "--depth", "5", "--truncate", "8")
    first = [doc_id for doc_id, _ in read_run(sample("run.txt"))["q1"]]
    assert "It was not read: it is beyond depth 5." in cli("explain", path, "q1", first[6])[1]
    out = " ".join(cli("explain", path, "q1", first[-1])[1].split())
    assert f"{first[-1]} is not in the run, which lists 8 documents of this query; the first stage had it at 20." in out


def test_calls_of_an_earlier_version_and_calls_that_failed_are_named(cli, run, tmp_path):
    journal = tmp_path / "out.txt.journal"
    with sqlite3.connect(journal) as database:
        ((key,),) = database.execute("SELECT key FROM queries WHERE query_id = 'q1'")
        database.execute("DELETE FROM answers WHERE key = ? AND step = 0", (key,))
        database.execute("INSERT INTO failures (key, step, item, reason) VALUES (?, 9, 0, 'out of luck')", (key,))
    database.close()
    status, out, err = cli("explain", run, "q1", "d112")
    assert status == 0
    assert "1 calls of an earlier version are not explained" in err
    assert "nothing says what it showed: out of luck" in err
    assert "moved from" not in out  # as the moves do not account for the ranking any more


def test_a_query_that_failed_says_why(cli, tmp_path):
    qrels = tmp_path / "qrels"
    qrels.write_text("".join(line for line in sample("qrels.txt").read_text().splitlines(True) if line[:3] != "q1 "))
    path = tmp_path / "out.txt"
    cli("rerank", *SOURCE, "--model", f"simulated:{qrels}", "--output", path, "--journal", tmp_path / "out.txt.journal")
    status, _, err = cli("explain", path, "q1", "d112")
    assert status == 1
    assert "has no query 'q1': it failed (no qrels for query q1)" in err


def test_the_first_stage_is_named_or_missed(cli, run, tmp_path):
    journal = tmp_path / "out.txt.journal"
    with sqlite3.connect(journal) as database:
        database.execute("DELETE FROM runs")
    database.close()
    status, out, err = cli("explain", run, "q1", "d112")
    assert status == 0
    assert "the first stage's order is not known" in err
    assert "name it with --first-stage" in err
    assert "where the first stage had it is not known" in out
    assert "moved from" in cli("explain", run, "q1", "d112", "--first-stage", sample("run.txt"))[1]


def test_the_sample_by_name(cli, tmp_path):
    path = tmp_path / "out.txt"
    rerank(cli, path, "pointwise", source=["--sample", "--quiet"])
    found = json.loads(cli("explain", path, "q1", "d112", "--format", "json")[1])
    assert found["first_rank"] == 2
    assert [row["of"] for row in found["scores"]] == [20]
    assert found["judgements"][0]["said"].startswith("scored ")


def test_answers_that_another_run_bought_are_told(cli, run, tmp_path):
    path, journal = tmp_path / "again.txt", tmp_path / "out.txt.journal"
    status, _, err = cli("rerank", *SOURCE, "--model", MODEL, "--strategy", "sliding(window=6, stride=3, passes=2)",
                         "--output", path, "--journal", journal)  # fmt: skip
    assert status == 0, err
    first = json.loads(cli("explain", run, "q1", "d112", "--format", "json")[1])["judgements"]
    found = json.loads(cli("explain", path, "q1", "d112", "--journal", journal, "--format", "json")[1])["judgements"]
    replayed = [each for each in found if each["call"] is None]
    assert [each["answer"] for each in replayed] == [each["answer"] for each in first]
    assert len(found) > len(replayed)
    assert "bought by another run" in cli("explain", path, "q1", "d112", "--journal", journal)[1]


@pytest.mark.slow
def test_of_several_rankings_by_one_stage_that_of_the_runs_model(cli, run, tmp_path):
    journal, strategy = tmp_path / "out.txt.journal", "sliding(window=6, stride=3)"
    before = cli("explain", run, "q1", "d112")[1]
    assert cli("rerank", *SOURCE, "--model", f"{MODEL}&seed=1", "--strategy", strategy, "--output", tmp_path / "b.txt",
               "--journal", journal)[0] == 0  # fmt: skip
    assert cli("explain", run, "q1", "d112") == (0, before, "")
    other = cli("explain", tmp_path / "b.txt", "q1", "d112", "--journal", journal)
    assert (other[0], other[2]) == (0, "")
    assert other[1] != before
    alone = tmp_path / "alone.db"
    cli("rerank", *SOURCE, "--model", f"{MODEL}&seed=2", "--strategy", strategy, "--output", tmp_path / "c.txt",
        "--journal", alone)  # fmt: skip
    status, _, err = cli("explain", run, "q1", "d112", "--journal", alone)
    assert status == 1
    assert "answers of simulated:" in err
    assert err.rstrip().endswith("it is another run's")


@pytest.mark.slow
def test_of_several_orders_in_a_journal_that_of_the_run(cli, tmp_path):
    folder = tmp_path / "orders"
    for strategy, certain in (("sliding(window=6, stride=3)", True), ("prp(sort=heap)", False)):
        assert cli("robustness", *SOURCE, "--model", MODEL, "--strategy", strategy, "--output", folder / strategy[:3],
                   "--orders", "given,reversed")[0] == 0  # fmt: skip
        for order in ("given", "reversed"):
            status, out, err = cli("explain", folder / strategy[:3] / f"{order}.txt", "q1", "d112", "--journal",
                                   folder / strategy[:3] / "journal", "--first-stage",
                                   folder / strategy[:3] / "candidates" / f"{order}.txt")  # fmt: skip
            assert status == 0
            assert ("moved from" in out or "stayed at" in out) == certain
            assert ("holds 2 rankings of this query by this stage" in err) != certain


def test_the_first_stage_is_the_runs_own(cli, run, tmp_path):
    journal, other = tmp_path / "out.txt.journal", tmp_path / "other.txt"
    lines = Path(sample("run.txt")).read_text().splitlines()
    turned = {query: [line.split() for line in lines if line.startswith(f"{query} ")][::-1] for query in ("q1", "q2")}
    other.write_text(
        "".join(f"{query} Q0 {row[2]} {i} {-i} x\n" for query in turned for i, row in enumerate(turned[query]))
    )
    source = ["--run", other, *SOURCE[2:]]
    assert cli("rerank", *source, "--model", MODEL, "--strategy", "full", "--output", tmp_path / "b.txt", "--journal",
               journal)[0] == 0  # fmt: skip
    status, out, err = cli("explain", run, "q1", "d112")
    assert status == 0
    assert "this run was made of something else): name it with --first-stage" in err
    assert "where the first stage had it is not known" in out
    assert "the first stage had it at 2" in cli("explain", run, "q1", "d112", "--first-stage", sample("run.txt"))[1]
