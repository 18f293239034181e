from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from rerankllm.strategies.sorting.schedule import earliest_rounds

SPANS = st.lists(st.tuples(st.integers(0, 20), st.integers(1, 6)).map(lambda s: (s[0], s[0] + s[1])), max_size=30)


@given(SPANS)
def test_rounds_are_disjoint_and_keep_the_order_of_overlapping_steps(steps):
    rounds = earliest_rounds(steps)
    assert sorted(step for spans in rounds for step in spans) == sorted(steps)
    for spans in rounds:
        touched = [place for start, stop in spans for place in range(start, stop)]
        assert len(touched) == len(set(touched))
    # What each place sees, in order, is what it would see one by one.
    flat = [step for spans in rounds for step in spans]
    for place in range(27):
        assert [s for s in flat if s[0] <= place < s[1]] == [s for s in steps if s[0] <= place < s[1]]


@given(SPANS)
def test_no_step_could_run_earlier(steps):
    rounds = earliest_rounds(steps)
    for before, spans in pairwise(rounds):
        taken = {place for start, stop in before for place in range(start, stop)}
        assert all(taken & set(range(start, stop)) for start, stop in spans)
