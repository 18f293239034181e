"""What becomes of a published figure: the same, another, or unknown where not all queries were ranked."""

import pytest

from rerankllm.experiments.config import Published
from rerankllm.experiments.tabulate import published

FIGURE = Published(0.7, 0.01, "a paper", "nDCG@10", "full@best")


def row(mean, *, system="full@best", status="done", answered=2.0):
    return {"dataset": "dl", "system": system, "status": status, "answered": answered, "queries": 2,
            "measures": {"nDCG@10": None if mean is None else {"mean": mean}}}  # fmt: skip


@pytest.mark.parametrize(
    ("found", "reproduced", "verdict"),
    [
        (row(0.7051), True, "reproduced"),
        (row(0.7151), False, "not reproduced"),
        (row(0.6899), False, "not reproduced"),
        (row(0.7, answered=1.5), False, "not all queries were ranked"),
        (row(0.7, status="partial"), False, "not all queries were ranked"),
    ],
)
def test_a_mean_beside_its_figure(found, reproduced, verdict):
    (told,) = published(FIGURE, [row(0.7, system="first stage"), found])
    assert told["reproduced"] is reproduced
    assert told["note"].endswith(f"published (a paper): {verdict}.")


def test_a_row_without_a_mean_says_nothing():
    assert list(published(FIGURE, [row(None), row(0.7, system="other")])) == []
