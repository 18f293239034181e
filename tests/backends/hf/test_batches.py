"""What is padded together: every row once, within the limits, with rows of its length."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rerankllm.backends.hf.batches import Limits, Row, batches

ids = st.lists(st.integers(0, 2), min_size=1, max_size=12).map(tuple)
rows = st.lists(
    st.tuples(ids, st.integers(1, 12), st.integers(0, 5)).map(lambda t: Row(t[0], min(t[1], len(t[0])), t[2])),
    max_size=20,
)


@pytest.mark.slow
@given(rows, st.integers(1, 40), st.integers(1, 20))
def test_every_row_once_within_the_limits(rows, tokens, positions):
    found = list(batches(rows, Limits(tokens, positions)))
    assert sorted(i for batch in found for i in batch) == list(range(len(rows)))
    for batch in found:
        width = max(len(rows[i].ids) + rows[i].room for i in batch)
        read = max(rows[i].read for i in batch)
        assert len(batch) == 1 or (len(batch) * width <= tokens and len(batch) * read <= positions)


def test_rows_of_one_length_are_computed_together():
    rows = [Row(tuple(range(length))) for length in (5, 90, 6, 88)]
    assert list(batches(rows, Limits(200, 100))) == [(1, 3), (2, 0)]
