"""What is computed together: every row once, within the limits, and beginnings shared where that saves work."""

from hypothesis import given
from hypothesis import strategies as st

from rerankllm.backends.hf.batches import Limits, Row, _cost, plan

ROOMY = Limits(10_000, 10_000)
ids = st.lists(st.integers(0, 2), min_size=1, max_size=12).map(tuple)
rows = st.lists(
    st.tuples(ids, st.integers(1, 12), st.integers(0, 5)).map(lambda t: Row(t[0], min(t[1], len(t[0])), t[2])),
    max_size=20,
)


@given(rows, st.integers(1, 40), st.integers(1, 20), st.booleans())
def test_every_row_once_within_the_limits(rows, tokens, positions, share):
    families = plan(rows, Limits(tokens, positions), share=share)
    assert sorted(i for family in families for batch in family.batches for i in batch) == list(range(len(rows)))
    for family in families:
        members = [rows[i] for batch in family.batches for i in batch]
        assert len({row.ids[: family.prefix] for row in members}) <= 1
        assert all(family.prefix <= len(row.ids) - row.read for row in members if family.prefix)
        for batch in family.batches:
            width = max(len(rows[i].ids) + rows[i].room for i in batch)
            read = max(rows[i].read for i in batch)
            assert len(batch) == 1 or (len(batch) * width <= tokens and len(batch) * read <= positions)


@given(rows)
def test_sharing_never_costs_more(rows):
    assert _cost(rows, plan(rows, ROOMY, share=True)) <= _cost(rows, plan(rows, ROOMY, share=False))


def test_long_beginnings_are_computed_once_a_query():
    queries = [tuple(range(start, start + 200)) for start in (0, 1000)]
    rows = [Row((*query, 5000 + i, 6000 + i)) for query in queries for i in range(8)]
    families = plan(rows, ROOMY, share=True)
    assert sorted((family.prefix, sorted(family.batches[0])) for family in families) == [
        (200, list(range(8))),
        (200, list(range(8, 16))),
    ]


def test_short_beginnings_are_not_worth_a_pass():
    rows = [Row((1, 2, *range(10 * i, 10 * i + 50))) for i in range(3)]
    assert [family.prefix for family in plan(rows, ROOMY, share=True)] == [0]


def test_rows_of_one_length_are_computed_together():
    rows = [Row(tuple(range(length))) for length in (5, 90, 6, 88)]
    assert plan(rows, Limits(200, 100), share=False)[0].batches == ((1, 3), (2, 0))
