"""A run that is measured query by query is worth what it is worth when it is measured as a whole."""

import random

import pytest

from rerankllm.errors import InputError
from rerankllm.evaluation.measures import mean, parse_measures, per_query
from rerankllm.runs import measured
from rerankllm.runs.measured import TOGETHER, Measured

CHANCE = random.Random(7)
DOCS = [f"d{i}" for i in range(15)]
QRELS = {f"q{n}": {doc_id: CHANCE.randrange(4) for doc_id in CHANCE.sample(DOCS, 8)} for n in range(3 * TOGETHER)}
FIRST = {query_id: CHANCE.sample(DOCS, 15) for query_id in CHANCE.sample([*QRELS, "unjudged"], 2 * TOGETHER + 40)}
RANKED = {query_id: CHANCE.sample(DOCS, 15) for n, query_id in enumerate(FIRST) if n % 10}
RANKED[next(iter(RANKED))] = []  # cut off: nothing is left
PARTS = {query_id: f"part {int(query_id[1:]) % 3}" for query_id in QRELS}


def fed():
    found = Measured(QRELS)
    for query_id, doc_ids in FIRST.items():
        found.came(query_id, doc_ids)
        if query_id in RANKED:
            found.ranked(query_id, RANKED[query_id])
        assert len(found._first) <= TOGETHER
    return found


@pytest.mark.parametrize("parts", [None, PARTS], ids=["whole", "parts"])
def test_as_a_whole(parts):
    (measure,) = parse_measures(["nDCG@10"])
    before, after = per_query(QRELS, FIRST, [measure]), per_query(QRELS, RANKED, [measure])
    failed = {query_id: {str(measure): 0.0} for query_id in before if query_id not in after}
    assert failed
    assert fed().means(parts) == {
        "before": pytest.approx(mean(before, measure, parts), abs=1e-12),
        "after": pytest.approx(mean(after | failed, measure, parts), abs=1e-12),
        "queries": len(before),
    }


def test_nothing_judged():
    found = Measured({}).means(None)
    assert found["queries"] == 0
    assert found["before"] != found["before"]


def test_what_cannot_be_measured_stops_no_run_and_is_said_at_the_end(monkeypatch):
    def broken(*_):
        raise InputError("no provider")

    with monkeypatch.context() as patched:
        patched.setattr(measured, "per_query", broken)
        found = Measured(QRELS)
        for query_id, doc_ids in FIRST.items():
            found.came(query_id, doc_ids)
            found.ranked(query_id, doc_ids)
        with pytest.raises(InputError, match="no provider"):
            found.means(None)
    assert found.means(None)["queries"] == len(FIRST.keys() & QRELS.keys())
