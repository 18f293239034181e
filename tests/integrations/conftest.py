"""A judged query, and an engine that fails."""

import counting_backend  # noqa: F401 - registers `counting:`
import pytest
from judged_sample import judged

from rerankllm import Reranker


@pytest.fixture
def sample(tmp_path):
    return judged(tmp_path)


@pytest.fixture
def counting():
    """An engine that fails for queries that say `cannot`."""
    with Reranker("pointwise", "counting:test") as reranker:
        yield reranker
