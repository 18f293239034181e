"""Qrels that judge none of a run's queries are an error, and no mean."""

import pytest


@pytest.mark.parametrize(
    ("qrels", "said"),
    [
        ("7 0 a 1\n", "run.txt ranks none of the 1 judged queries: are these its qrels?"),
        ("", "the qrels judge nothing"),
    ],
)
def test_nothing_to_evaluate_is_one_line_and_status_1(cli, tmp_path, monkeypatch, qrels, said):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "run.txt").write_text("1 Q0 a 1 2.0 t\n1 Q0 b 2 1.0 t\n")
    (tmp_path / "qrels.txt").write_text(qrels)
    status, out, err = cli("eval", "--run", "run.txt", "--qrels", "qrels.txt")
    assert (status, out) == (1, "")
    assert said in err
    assert err.count("\n") == 1
