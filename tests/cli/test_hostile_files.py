"""Texts that steer terminals or spreadsheets, links in the way, two runs at once, a killed run and a full disk."""

import csv
import errno
import gzip
import io
import os
from pathlib import Path

import pytest

from rerankllm.display import visible
from rerankllm.errors import InputError
from rerankllm.evaluation.tables import write_csv
from rerankllm.files import alone, open_for_writing, replace_text, replacing
from rerankllm.runs.writer import unfinished
from rerankllm.sample import path as sample

ORACLE = f"oracle:{sample('qrels.txt')}"
RERANK = ("rerank", "--sample", "--model", ORACLE, "--strategy", "pointwise")
FULL = Path("/dev/full")
needs_full = pytest.mark.skipif(not FULL.exists(), reason="needs /dev/full, a device that is always full")


def test_control_characters_are_pictures():
    assert visible("a\x1b[2Jb\x07\r\x9b1m\x7f\tc\n") == "a\u241b[2Jb\u2407\u240d\ufffd1m\u2421\tc\n"
    assert visible("ordinary – 中文 text") == "ordinary – 中文 text"


def test_passages_cannot_steer_the_terminal(cli, tmp_path):
    (tmp_path / "p.txt").write_text("one \x1b]0;owned\x07 passage\nanother \x1b[2J passage\n")
    (tmp_path / "qrels").write_text("query 0 1 1\n")
    status, out, err = cli(
        "rank", "which \x1b[31mpassage", tmp_path / "p.txt", "--model", "embed:minilm", "--strategy", "embed"
    )
    assert "\x1b" not in out + err, status


def test_answers_and_prompts_cannot_either(cli, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("q.tsv").write_text("q\twhich \x1b]0;owned\x07\n")
    Path("c.jsonl").write_text('{"_id": "a", "text": "one \\u001b]0;owned\\u0007"}\n')
    Path("run").write_text("q Q0 a 1 1 x\n")
    Path("qrels").write_text("q 0 a 1\n")
    given = ("--run", "run", "--queries", "q.tsv", "--corpus", "c.jsonl", "--output", "out", "--journal", "j")
    assert cli("rerank", *given, "--model", "oracle:qrels", "--strategy", "pointwise")[0] == 0
    status, out, _ = cli("journal", "j", "--show", "1")
    assert status == 0
    assert "one" in out
    assert "\x1b" not in out


def test_no_cell_is_a_formula():
    page = io.StringIO()
    write_csv(page, [{"name": text, "value": -0.5} for text in ("=1+1", "+1", "-cmd", "@x", "\t=1", "plain", "-")])
    rows = list(csv.DictReader(io.StringIO(page.getvalue())))
    assert [row["name"] for row in rows] == ["'=1+1", "'+1", "'-cmd", "'@x", "'\t=1", "plain", "-"]
    assert {row["value"] for row in rows} == {"-0.5"}


def test_a_link_in_the_way_is_not_followed(tmp_path):
    (tmp_path / "precious").write_text("mine")
    for name in ("out", f"{os.getpid()}-out"):
        (tmp_path / f".unfinished-{name}").symlink_to(tmp_path / "precious")
    with replacing(tmp_path / "out") as file:
        file.write("new")
    (tmp_path / f".unfinished-{os.getpid()}-out").symlink_to(tmp_path / "precious")
    replace_text(tmp_path / "out", "newer")
    assert (tmp_path / "out").read_text() == "newer"
    assert (tmp_path / "precious").read_text() == "mine"


def text_of(path):
    return gzip.decompress(path.read_bytes()).decode() if path.suffix == ".gz" else path.read_text()


@pytest.mark.parametrize("name", ["out", "out.gz"])
def test_two_cannot_write_one_file(tmp_path, name):
    path = tmp_path / name
    with open_for_writing(path) as first:
        first.write("first")
        with pytest.raises(InputError, match="another process is writing"):
            open_for_writing(path)
    assert text_of(path) == "first"
    with open_for_writing(path) as again:
        again.write("2")
    assert text_of(path) == "2"


def test_two_runs_of_one_output_or_journal_do_not_pay_twice(cli, tmp_path):
    out, journal = tmp_path / "out", tmp_path / "j"
    with open_for_writing(out):
        status, _, err = cli(*RERANK, "--output", out)
    assert status == 1
    assert "another process is writing" in err
    with alone(journal, "busy"):
        status, _, err = cli(*RERANK, "--output", out, "--journal", journal)
    assert status == 1
    assert "another run is using the journal" in err
    assert cli(*RERANK, "--output", out, "--journal", journal)[0] == 0
    assert sorted(path.name for path in tmp_path.iterdir() if "lock" in path.name or "unfinished" in path.name) == []


def test_of_a_killed_run_it_is_said_that_its_last_query_may_be_half(cli, tmp_path):
    out = tmp_path / "out"
    assert cli(*RERANK, "--output", out)[0] == 0
    assert "was cut" not in cli("eval", "--run", out, "--qrels", sample("qrels.txt"))[2]
    unfinished(out).touch()
    assert "was cut while it was written" in cli("eval", "--run", out, "--qrels", sample("qrels.txt"))[2]
    assert cli(*RERANK, "--output", out)[0] == 0
    assert "was cut" not in cli("eval", "--run", out, "--qrels", sample("qrels.txt"))[2]


@needs_full
def test_a_full_disk_is_one_line(cli, tmp_path, monkeypatch):
    status, _, err = cli(*RERANK, "--output", FULL)
    assert (status, "Traceback" in err) == (1, False)
    assert "cannot write /dev/full: No space left on device" in err

    def full(*_, **__):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    for name in ("out.txt", "out.txt.gz"):
        with monkeypatch.context() as patched:
            patched.setattr("rerankllm.formats.trec.write_run", full)
            status, _, err = cli(*RERANK, "--output", tmp_path / name)
        assert (status, f"cannot write {tmp_path / name}: No space left" in err) == (1, True), err


@needs_full
def test_compressed_output_and_pages_on_a_full_disk(tmp_path):
    (tmp_path / "x.gz").symlink_to(FULL)
    with pytest.raises(InputError, match="No space left"), replacing(tmp_path / "x.gz") as file:
        file.write("text" * 100_000)
    (tmp_path / "page").symlink_to(FULL)
    with pytest.raises(InputError, match="No space left"), replacing(tmp_path / "page") as file:
        file.write("text" * 100_000)
