"""What eval/rankfusion/judges.py says of recorded judges, held to judges of which it is known."""

import importlib
import sys
from itertools import permutations
from pathlib import Path

import pytest

from rerankllm.analysis.diagnose.probe import Seen
from rerankllm.calibration.order import sigmoid
from rerankllm.data import Candidate, Document, Query, Usage
from rerankllm.drivers.events import Judged
from rerankllm.judgements import Compare, ParseReport

EVAL = Path(__file__).parents[1] / "eval" / "rankfusion"
GRADES = (0, 2, 1, 3, 1)


@pytest.fixture(scope="module")
def judges():
    before = sys.modules.pop("run", None)
    sys.path.insert(0, str(EVAL))
    try:
        yield importlib.import_module("judges")
    finally:
        sys.path.remove(str(EVAL))
        sys.modules.pop("run", None)
        if before is not None:
            sys.modules["run"] = before


def seen(query, liking):
    """Answers that like the first place by so many nats, to all pairs of five documents."""
    candidates = [Candidate(Document(f"d{i}", "")) for i in range(len(GRADES))]
    events = [
        Judged(
            Query(query, ""), Compare(Query(query, ""), candidates[a].document, candidates[b].document),
            sigmoid(liking + GRADES[a] - GRADES[b]), ParseReport(), Usage(),
        )
        for a, b in permutations(range(len(GRADES)), 2)
    ]  # fmt: skip
    return Seen(candidates, events)


def ndcg(orders):
    """Stands for it: the grade of the first document."""
    return {query: GRADES[int(order[0][1:])] / 3 if order else 0.0 for query, order in orders.items()}


def test_a_liking_for_places_goes_with_the_example_and_the_claims_say_so(judges):
    queries = [f"q{i}" for i in range(8)]
    plain = judges.Asked.of("small", "plain", {query: seen(query, 4) for query in queries})
    shown = judges.Asked.of("small", "example", {query: seen(query, 0.5) for query in queries})
    assert set(plain.turning.values()) == {1.0}
    assert set(shown.turning.values()) == {0.1}  # the two of equal grade
    assert list(plain.gaps.values()) == pytest.approx([4.0] * 8)
    rows = {
        (cells[0], cells[2]): cells
        for cells in ([cell.strip() for cell in line.split("|")[1:-1]] for line in judges.claimed(
            list(judges.tests([plain, shown], ndcg)))) if cells[2] not in {"judge", "---"}
    }  # fmt: skip
    fewer, narrower, heap, *_ = judges.CLAIMS
    _, _, _, count, after, before, step, moved, p, adjusted = rows[fewer, "small"]
    assert (count, after, before, step, moved) == ("8", "0.100", "1.000", "-0.900", "0, 8")
    assert float(p) == pytest.approx(2 / 2**8, abs=1e-3)
    assert float(p) < float(adjusted) < 1
    assert rows[narrower, "small"][6] == "-3.500"
    # All pairs turn, so agree-or-tie keeps the given order, whose first is of grade 0; log-odds find the best.
    assert rows[heap, "small, plain"][4:8] == ["1.000", "0.000", "+1.000", "8, 0"]
    assert rows[heap, "small, example"][4:7] == ["1.000", "1.000", "+0.000"]


def test_what_two_judges_say_of_the_same_query_is_fused(judges):
    one = judges.Asked.of("one", "plain", {query: seen(query, 0) for query in ("q0", "q1")})
    other = judges.Asked.of("other", "plain", {"q1": seen("q1", 2)})
    assert judges.fused([one, other]) == {"q1": ("d3", "d1", "d2", "d4", "d0")}


def test_the_first_passages_are_those_that_were_compared_with_each_other(judges):
    whole = seen("q", 0)
    assert judges._depth(whole) == 5
    cut = judges._cut(whole, 3)
    assert (len(cut.candidates), len(cut.events)) == (3, 6)
    lacking = Seen(whole.candidates, [event for event in whole.events if event.judgement.first.doc_id != "d3"])
    assert judges._depth(lacking) == 3
