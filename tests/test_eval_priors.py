"""What eval/judges/priors.py takes off recorded answers, held to judges of which it is known."""

import math
import sys
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest

from rerankllm.data import Candidate, Document, Query

EVAL = Path(__file__).parents[1] / "eval" / "judges"
QUERIES, SIZE = 4, 20
BIAS = np.linspace(3, 0, SIZE)


@pytest.fixture(scope="module")
def priors():
    sys.path.insert(0, str(EVAL))
    try:
        import priors
    finally:
        sys.path.remove(str(EVAL))
    return priors


class Collection:
    """Twenty documents a query, of grades 0 to 3 in turn."""

    def __init__(self):
        self.queries = [
            (Query(f"q{q}", ""), [Candidate(Document(f"d{d:02}", "")) for d in range(SIZE)]) for q in range(QUERIES)
        ]
        self.grades = {f"q{q}": {f"d{d:02}": d % 4 for d in range(SIZE)} for q in range(QUERIES)}

    def ndcg(self, orders):
        return [sum(self.grades[q][doc] for doc in order[:5]) / 15 for q, order in orders.items()]


def rows(text):
    head, _, *lines = list(text)
    names = [cell.strip() for cell in head.split("|")[1:-1]]
    return [dict(zip(names, (cell.strip() for cell in line.split("|")[1:-1]), strict=True)) for line in lines]


def test_a_liking_for_places_goes_with_what_other_queries_prompts_say(priors):
    collection, lists = Collection(), []
    for query, candidates in collection.queries:
        docs = [candidate.doc_id for candidate in candidates]
        for shown in (docs, docs[::-1]):
            worth = [0.5 * collection.grades[query.query_id][doc] + docs.index(doc) / 1000 for doc in shown]
            lists.append({"query": query.query_id, "docs": shown, "logprobs": (BIAS + worth).tolist()})
    kept = {"lists": lists, "priors": []}
    as_is, less = rows(priors.lists(kept, collection))
    assert (as_is["taken off"], less["taken off"]) == ("nothing", priors.NAMES["others"])
    assert float(as_is["range of mean log-probability"]) > 2.5
    assert float(less["range of mean log-probability"]) == 0
    assert float(as_is["right"]) < 1
    # What other queries' prompts say holds the places' liking, and the mean worth that stood there.
    blank = [{"judgement": "Permute", "prior": "empty", "query": None, "logprobs": BIAS.tolist()}]
    *_, empty, _ = rows(priors.lists(kept | {"priors": blank}, collection))
    assert (empty["taken off"], empty["right"], empty["two answers agree"]) == (priors.NAMES["empty"], "1.00", "1.00")
    assert empty["nDCG@10, shown as given"].startswith("1.000")
    assert empty["several orders, Borda"].startswith("1.000")


def test_comparisons_lose_a_liking_for_the_second_and_calibration_does_not_notice(priors):
    collection = Collection()
    grades, first = collection.grades["q0"], collection.queries[0][1][:6]
    answers = {
        query.query_id: {
            (a.doc_id, b.doc_id): 1 / (1 + math.exp(1.5 - (grades[a.doc_id] - grades[b.doc_id])))
            for a, b in permutations(first, 2)
        }
        for query, _ in collection.queries
    }

    class Judge:
        def answered(self, name):
            assert name == "pairs"
            found = {}
            for query, known in answers.items():
                pairs = [
                    (priors.Compare(Query(query, ""), Document(a, ""), Document(b, "")), p)
                    for (a, b), p in known.items()
                ]
                found[query] = pairs
            return found

    blank = [
        {"judgement": "Compare", "prior": "documents", "query": f"q{q}", "logprobs": [-1.5, 0.0]} for q in range(4)
    ]
    as_is, documents, others = rows(priors.pairs({"priors": blank}, Judge(), collection))
    assert documents["taken off"] == priors.NAMES["documents"]
    assert float(as_is["pairs that turn with the order"]) > 0.5
    for less in (documents, others):
        assert less["p(the first wins)"] == "0.50"
        assert (less["pairs that turn with the order"], less["right, one order"]) == ("0.00", "1.00")
        assert less["calibrated"] == as_is["calibrated"]
