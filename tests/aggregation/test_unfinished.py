"""An iteration that ends at its bound says so."""

import logging

import pytest

from rerankllm.aggregation.votes import Vote
from rerankllm.spec.stage import parse_aggregation


@pytest.mark.parametrize("name", ["bradley_terry", "zermelo"])
def test_too_few_sweeps_are_told(name, caplog):
    votes = [Vote.of(("a", "b", "c")), Vote.of(("b", "a", "c"))]
    with caplog.at_level(logging.WARNING):
        parse_aggregation(name).scores(["a", "b", "c"], votes)
        assert not caplog.records
        parse_aggregation(f"{name}(sweeps=1)").scores(["a", "b", "c"], votes)
    assert f"{name}: 1 sweeps were not enough" in caplog.text
