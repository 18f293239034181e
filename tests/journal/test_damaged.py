"""Journals with rows that cannot be read."""

import sqlite3

import pytest
from waiting import GUARD

from rerankllm import Reranker
from rerankllm.data import Query
from rerankllm.errors import InputError
from rerankllm.journal.read import entries
from rerankllm.journal.store import Journal

DOCS = [f"passage {i} " + "word " * i for i in range(6)]
QUERY = Query("q", "which passage")
both = pytest.mark.parametrize("driver", ["rounds", "concurrent"])


@pytest.fixture
def oracle(tmp_path):
    (tmp_path / "qrels").write_text("q 0 0 1\nq 0 3 2\n")
    return f"oracle:{tmp_path / 'qrels'}"


def ranked(reranker, text="which passage"):
    return reranker.submit(Query("q", text), DOCS).result(timeout=GUARD)


@both
@pytest.mark.parametrize("outcome", ["{", "", None, "[]", "7", '{"usage": ["a", 1]}', b"\xff\xfe", "[" * 100_000])
def test_a_damaged_row_is_said_and_asked_again(tmp_path, oracle, driver, outcome, caplog):
    with Reranker("pointwise", oracle, journal=tmp_path / "j", driver=driver) as reranker:
        before = ranked(reranker)
    with sqlite3.connect(tmp_path / "j") as db:
        db.execute("UPDATE calls SET outcome = ? WHERE id = 2", (outcome,))
    db.close()
    with Reranker("pointwise", oracle, journal=tmp_path / "j", driver=driver) as reranker:
        after = ranked(reranker)
        assert len(ranked(reranker, "another query")) == len(DOCS)
    assert after.results == before.results
    assert after.ledger.replayed == len(DOCS) - 1
    assert "call 2 cannot be read" in caplog.text
    with Reranker("pointwise", oracle, journal=tmp_path / "j", driver=driver) as reranker:
        assert ranked(reranker).ledger.replayed == len(DOCS)


@both
def test_an_error_in_the_loop_reaches_whoever_waits_and_no_later_query(tmp_path, oracle, driver, monkeypatch):
    with Reranker("pointwise", oracle, journal=tmp_path / "j", driver=driver) as reranker:
        for broken in ("rerankllm.drivers.gateway.Gateway.out", "rerankllm.drivers.gateway.Ticket.admit"):
            with monkeypatch.context() as patched:
                patched.setattr(broken, lambda *_: 1 / 0)
                with pytest.raises(ZeroDivisionError):
                    ranked(reranker, broken)
            assert len(ranked(reranker)) == len(DOCS)


def test_damaged_rows_are_left_out_where_a_journal_is_shown(tmp_path, oracle, caplog):
    with Reranker("pointwise", oracle, journal=tmp_path / "j") as reranker:
        ranked(reranker)
    with sqlite3.connect(tmp_path / "j") as db:
        db.execute("UPDATE calls SET outcome = '{' WHERE id = 1")
        db.execute("UPDATE calls SET prompt = x'00' WHERE id = 2")
        db.execute("UPDATE calls SET repairs = NULL WHERE id = 3")
    db.close()
    journal = Journal(tmp_path / "j")
    assert [entry.number for entry in entries(journal)] == [4, 5, 6]
    assert "call 1 cannot be read" in caplog.text
    journal.close()


def test_a_command_that_cannot_be_read_is_one_line(tmp_path):
    journal = Journal(tmp_path / "j")
    journal.begin("folder", {}, "0")
    journal.take_over([("UPDATE runs SET options = '{'", ())])
    with pytest.raises(InputError, match="give the options again"):
        journal.command()
    journal.close()
