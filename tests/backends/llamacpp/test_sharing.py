"""Planning what is computed once for several sequences, and counting the cells that takes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rerankllm.backends.llamacpp.prefixes import Cells, Path, common, plan

token_lists = st.lists(st.integers(0, 2), max_size=8).map(tuple)


@pytest.mark.slow
@given(token_lists, token_lists)
def test_common_is_the_longest_common_beginning(first, second):
    length = common(first, second)
    assert first[:length] == second[:length]
    assert first[: length + 1] != second[: length + 1] or length == min(len(first), len(second))


@st.composite
def sorted_paths(draw):
    resident = draw(token_lists)
    prompts = sorted(draw(st.lists(token_lists.filter(bool), min_size=1, max_size=6)))
    paths = []
    for sequence, ids in enumerate(prompts, 1):
        shareable = draw(st.integers(0, len(ids) - 1))
        paths.append(Path(sequence, ids, min(common(resident, ids), shareable), shareable))
    return paths


@pytest.mark.slow
@given(sorted_paths())
def test_every_sequence_gets_its_missing_tokens_in_order_and_reads_its_own(paths):
    held = {path.sequence: list(path.ids[: path.cached]) for path in paths}
    limits = {path.sequence: path.shareable for path in paths}
    for run in plan(paths):
        assert run.start < run.stop
        assert run.path.sequence in run.sequences
        for sequence in run.sequences:
            assert len(held[sequence]) == run.start
            assert len(run.sequences) == 1 or run.stop <= limits[sequence]
            held[sequence] += run.path.ids[run.start : run.stop]
    assert {path.sequence: path.ids for path in paths} == {s: tuple(ids) for s, ids in held.items()}


def test_a_common_beginning_is_computed_once_and_then_that_of_subgroups():
    prompts = [(1, 1, 2, 5), (1, 1, 2, 6), (1, 1, 3, 7), (1, 1, 3, 8)]
    paths = [Path(number, ids, 0, 3) for number, ids in enumerate(prompts, 1)]
    runs = [(run.path.ids[run.start : run.stop], run.sequences) for run in plan(paths)]
    assert runs == [
        ((1, 1), (1, 2, 3, 4)),
        ((2,), (1, 2)),
        ((5,), (1,)),
        ((6,), (2,)),
        ((3,), (3, 4)),
        ((7,), (3,)),
        ((8,), (4,)),
    ]


def test_cells_are_counted_once_however_many_hold_them():
    cells = Cells()
    cells.add(0, 10, (0, 1))
    cells.add(10, 14, (1,))
    cells.copy(0, 2, 6)
    assert cells.used == 14
    cells.trim(0)
    cells.trim(1)
    assert cells.used == 6
    cells.trim(2, 2)
    assert cells.used == 2
    cells.trim(2)
    assert cells.used == 0
