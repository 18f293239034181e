from hypothesis import given
from hypothesis import strategies as st

from rerankllm.calibration.order import agreement

P = st.floats(0, 1)


@given(P, P)
def test_a_win_needs_both_orders(ab, ba):
    verdict = agreement(ab, ba)
    assert verdict in (0.0, 0.5, 1.0)
    assert (verdict == 1.0) == (ab > 0.5 > ba)
    assert verdict + agreement(ba, ab) == 1.0
