"""`calibrate` in Python, and what its command writes."""

import json

import pytest

from rerankllm import Calibration, calibrate
from rerankllm.errors import InputError


@pytest.fixture
def scored(tmp_path):
    """Results of ten queries, whose scores rise with their grades, with qrels and a summary."""
    rows, qrels = [], []
    for query in range(10):
        for i in range(6):
            row = {"query_id": f"q{query}", "doc_id": f"d{i}", "rank": i + 1, "score": 6.0 - i, "provenance": "judged"}
            rows.append(json.dumps(row))
            qrels.append(f"q{query} 0 d{i} {int(i < 2 or (query + i) % 5 == 0)}")
    for name, lines in (("results.jsonl", rows), ("qrels.txt", qrels)):
        (tmp_path / name).write_text("\n".join([*lines, ""]))
    (tmp_path / "summary.json").write_text(json.dumps({"strategy": "pointwise", "model": "m:x"}))
    return tmp_path


@pytest.mark.parametrize("method", ["logistic", "isotonic"])
def test_the_command_writes_what_the_verb_gives(cli, scored, method):
    jsonl, qrels, summary = (scored / name for name in ("results.jsonl", "qrels.txt", "summary.json"))
    status, _, err = cli("calibrate", "--jsonl", jsonl, "--qrels", qrels, "--summary", summary, "--method", method,
                         "--output", scored / "c.json")  # fmt: skip
    assert status == 0, err
    assert "on held-out queries (5 folds)" in err
    found = calibrate(jsonl, qrels, summary=summary, method=method)
    assert found.to_dict() == json.loads((scored / "c.json").read_text())
    assert (found.strategy, found.model) == ("pointwise", "m:x")
    assert Calibration.load(scored / "c.json") == found


def test_scores_and_grades_may_be_mappings():
    scores = {"q": [("a", 2.0), ("b", 1.0), ("c", 0.0)]}
    found = calibrate(scores, {"q": {"a": 3, "b": 1}}, relevance_level=2)
    assert (found.relevant, found.results, found.source) == ({"q": (2.0,)}, 3, {})
    with pytest.raises(InputError, match="no query has both"):
        calibrate(scores, {"r": {"a": 1}})
