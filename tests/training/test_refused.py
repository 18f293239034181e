"""What is measured on is not trained on: verb and command refuse it before anything is asked or written."""

import json

import pytest

from rerankllm import train
from rerankllm.errors import InputError


@pytest.fixture
def leaking(planted):
    """The same data to train on and to measure on, under another name."""
    return {**planted, "student": "embed:minilm", "measure_on": {"novel": dict(planted["data"])}}


def test_test_queries_in_the_training_data_are_refused(leaking, tmp_path):
    with pytest.raises(InputError) as refused:
        train(leaking, tmp_path / "out")
    assert "9 queries of novel, which is held out, are in the training data (" in str(refused.value)
    assert "take them out of `data`, or novel out of what is held out" in str(refused.value)
    assert not (tmp_path / "out" / "training.json").exists()


def test_a_teacher_is_not_asked_where_queries_leak(leaking, tmp_path):
    leaking["teacher"] = {"model": f"simulated:{leaking['data']['qrels']}", "strategy": "pointwise"}
    with pytest.raises(InputError, match="9 queries of novel, which is held out, are in the training data"):
        train(leaking, tmp_path / "out")
    assert not (tmp_path / "out" / "teacher.journal").exists()


def test_a_teacher_that_checks_negatives_is_not_asked_either(leaking, tmp_path):
    judge = {"model": f"simulated:{leaking['data']['qrels']}", "strategy": "pointwise"}
    leaking["teacher"] = {"qrels": True, "negatives": 3, "filter": judge}
    with pytest.raises(InputError, match="9 queries of novel, which is held out, are in the training data"):
        train(leaking, tmp_path / "out")
    assert not (tmp_path / "out" / "teacher.journal").exists()


def test_the_command_says_so_in_one_line(cli, planted, tmp_path):
    (tmp_path / "held.tsv").write_text("x1\tHow do dog  0 live\n")
    config = {**planted, "student": "embed:minilm", "held_out": [{"queries": "held.tsv"}], "split": {"test": 0.1}}
    (tmp_path / "student.yaml").write_text(json.dumps(config))  # JSON is YAML
    status, out, err = cli("train", tmp_path / "student.yaml", "--output", tmp_path / "out")
    assert status == 1
    assert out == ""
    assert "1 queries of " in err
    assert "held.tsv, which is held out, are in the training data (q0): take them out of `data`" in err
