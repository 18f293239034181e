"""The report of a training: a comparison for each set of queries, with what the teacher cost."""

import json

import pytest

pytest.importorskip("scipy")

from rerankllm.data import Document, Query
from rerankllm.errors import InputError
from rerankllm.files import as_json
from rerankllm.reports.report import report
from rerankllm.training.measured import MEASURED, Measured
from rerankllm.training.proof import System, prove

COST = {"calls": 24, "tokens": 4_800, "usd": 0.6, "seconds": None}


def sets():
    documents = [Document(f"d{i}", f"text {i}", title="a title") for i in range(5)]
    queries = [(Query(f"q{i}", f"query\twith a tab {i}"), documents) for i in range(4)]
    qrels = {query.query_id: {f"d{place}": 3, f"d{place + 1}": 1} for place, (query, _) in enumerate(queries)}
    orders = {query.query_id: [document.doc_id for document in documents] for query, _ in queries}
    best = {
        query_id: sorted(order, key=lambda d, q=query_id: -qrels[q].get(d, 0)) for query_id, order in orders.items()
    }
    systems = [
        System("first stage", orders),
        System("base", {query_id: order[::-1] for query_id, order in orders.items()}, 0.25, 0.0),
        System("student", best, 0.5, 0.0),
        System("teacher", best, None, 0.05),
    ]
    return [Measured("Held-out queries", queries, qrels, best), Measured("Another set", queries, qrels)], systems


@pytest.fixture
def folder(tmp_path):
    proofs = []
    for place, one in enumerate(sets()[0]):
        own = sets()[1][: 4 - place]
        one.write(tmp_path / MEASURED / str(place), own)
        proofs.append(prove(one.name, own, one.qrels))
    record = {
        "identity": {"student": "embed:minilm"},
        "teacher": {"name": "judged.db", "lists": 12, "cost": COST},
        "seconds": 61.0,
        "pays_back": 12,
    }
    (tmp_path / "training.json").write_text(as_json({**record, "proofs": proofs}))
    return tmp_path


def test_every_set_of_queries_is_a_comparison_against_the_base(folder):
    made = report(folder, resamples=10_000)
    held_out, other = made.to_dict()["main"]["parts"]
    assert [part["name"] for part in (held_out, other)] == ["Held-out queries", "Another set"]
    rows = {row["name"]: row for row in held_out["document"]["systems"]}
    assert {"first stage", "base", "student", "teacher"} <= set(rows)
    assert "teacher" not in {row["name"] for row in other["document"]["systems"]}
    assert held_out["document"]["baseline"] == "base"
    assert held_out["notes"][:2] == [
        (
            "embed:minilm learned from judged.db: 12 lists, which took 24 calls, 4,800 tokens, $0.6. Training took 61 "
            "seconds."
        ),
        "After 12 queries it has saved what the teacher's judgements and the training cost.",
    ]
    assert held_out["queries"][0]["text"] == "query\twith a tab 0"


def test_costs_are_those_of_the_proof(folder):
    (part, _) = report(folder, resamples=10_000).to_dict()["main"]["parts"]
    costs = {row["name"]: row["cost"] for row in part["document"]["systems"]}
    assert costs["teacher"]["usd"] == 0.05
    assert (costs["student"]["seconds"], costs["student"]["usd"]) == (0.5, 0)
    assert costs["first stage"]["seconds"] == 0


def test_a_training_that_is_not_done_or_no_record_is_one_line(folder):
    record = json.loads((folder / "training.json").read_text())
    del record["proofs"]
    (folder / "training.json").write_text(json.dumps(record))
    with pytest.raises(InputError, match="holds a training that is not done: `rerankllm train` goes on with it"):
        report(folder)
    (folder / "training.json").write_text('{"proofs": [{}]}')
    with pytest.raises(InputError, match="is no record of a training"):
        report(folder)
