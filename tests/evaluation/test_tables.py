"""Tables on narrow terminals: they go on below or become lines, and cut neither numbers nor names."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from rerankllm.evaluation.tables import Table, as_text

WIDE = Table(
    "Quality",
    ("system", "nDCG@10", "RR(rel=2)@10", "judged@10", "RBP", "queries"),
    tuple((name, "0.1834 [0.150, 0.210]", "+0.1812", "0.998", "0.4 + 0.1", "43/43") for name in ("good", "cascade(a)")),
)
SPECS = Table(
    "nDCG@10 by judge",
    ("strategy", "good", "calls", "front"),
    (("→ cascade([pointwise / likelihood, sliding(window=20)], depths=[100, 20])", ".861", "9 to 200", "*"),),
)


def cells(table):
    return {cell for row in table.rows for cell in row}


@pytest.mark.parametrize("width", [None, 160, 100, 80, 60, 40, 25])
@pytest.mark.parametrize("table", [WIDE, SPECS], ids=["numbers", "long names"])
def test_nothing_is_cut(table, width):
    shown = as_text([table], ["what it says below the table"], width)
    plain = " ".join(shown.split())
    for cell in cells(table):
        assert cell in plain, cell
    for name in table.head[1:]:
        assert name in plain
    assert "…" not in shown
    if width is not None:
        longest = max(len(word) for word in plain.split())
        assert max(map(cell_len, shown.split("\n"))) <= max(width, longest + 6, 38)


def test_what_fits_is_one_table_and_what_does_not_goes_on_below():
    assert as_text([WIDE], [], 160).count("system") == 1
    narrow = as_text([WIDE], [], 60)
    assert narrow.count("system") == narrow.count("cascade(a)") > 1
    assert narrow.count("Quality") == 1
    assert as_text([WIDE], [], 30).count("good\n") == 1  # a name, then a line a number
    assert "  1  → cascade(" in as_text([SPECS], [], 90)  # long names first, by number in the table


def test_sentences_are_broken_and_names_are_not():
    said = "What this strategy asks, and what that costs, in a sentence that is longer than the terminal is wide."
    table = Table("Strategies", ("name", "what"), (("sliding(window=20, stride=10)", said),), words=2, prose=True)
    shown = as_text([table], [], 70)
    assert "sliding(window=20, stride=10)" in shown
    words = [re.sub(r"[^\w]", "", word) for word in shown.split()]
    assert all(re.sub(r"[^\w]", "", word) in words for word in said.split())
    assert max(map(len, shown.split("\n"))) <= 70


@given(
    st.lists(st.tuples(*[st.text("ab 1.-/[]", max_size=30).map(str.strip)] * 4), min_size=1, max_size=4),
    st.integers(1, 3),
    st.integers(5, 130),
)
def test_every_cell_is_there_at_any_width(rows, words, width):
    shown = " ".join(as_text([Table("t", ("h", "i", "j", "k"), tuple(rows), words)], [], width).split())
    for row in rows:
        for cell in row:
            assert " ".join(cell.split()) in shown
