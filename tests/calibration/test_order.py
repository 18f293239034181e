import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rerankllm.calibration.order import FORMS, TIE, agree, logodds, margin, softmax

P = st.floats(0, 1)
SOFT = ("logodds", "average", "softmax")


@given(P, P)
def test_a_win_needs_both_orders_to_agree(ab, ba):
    verdict = agree(ab, ba)
    assert verdict in (0.0, 0.5, 1.0)
    assert (verdict == 1.0) == (ab > 0.5 > ba)
    assert verdict + agree(ba, ab) == 1.0


@given(P, P)
def test_the_three_published_forms_pick_the_same_winner(ab, ba):
    """Unless rounding makes a tie of it, and then in none of them is the other the winner."""
    winners = {(p > TIE) - (p < TIE) for p in (FORMS[form](ab, ba) for form in SOFT)}
    if abs(ab - ba) > 1e-9:
        assert winners == {(ab > ba) - (ab < ba)}
    assert not winners >= {1, -1}


@pytest.mark.slow
@given(P, P)
def test_where_both_orders_agree_every_form_does(ab, ba):
    verdict = agree(ab, ba)
    if verdict != TIE and abs(ab - ba) > 1e-9:
        assert all((FORMS[form](ab, ba) > TIE) == (verdict > TIE) for form in SOFT)


@pytest.mark.parametrize("form", FORMS)
@given(ab=P, ba=P)
def test_a_preference_looks_the_same_from_both_sides(form, ab, ba):
    there, back = FORMS[form](ab, ba), FORMS[form](ba, ab)
    assert 0 <= there <= 1
    assert there + back == pytest.approx(1)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("ab", [0.0, 1.0])
@pytest.mark.parametrize("ba", [0.0, 1.0])
def test_answers_in_words_are_ties_unless_both_orders_agree(form, ab, ba):
    there = FORMS[form](ab, ba)
    assert (there > TIE) - (there < TIE) == ab - ba
    assert form == "softmax" or there == agree(ab, ba)


@given(st.floats(-5, 5), st.floats(-5, 5))
def test_a_liking_for_a_place_cancels_out_in_log_odds(worth, liking):
    def p(x):
        return 1 / (1 + math.exp(-x))

    assert logodds(p(worth + liking), p(-worth + liking)) == pytest.approx(p(worth), abs=1e-9)
    assert margin(p(worth)) == pytest.approx(worth, abs=1e-9)


@given(P)
def test_one_order_alone_is_what_log_odds_make_of_it_and_its_mirror(p):
    assert logodds(p, 1 - p) == pytest.approx(p, abs=1e-9)


@given(P, P)
def test_the_nested_softmax_is_squeezed(ab, ba):
    assert 0.268 < softmax(ab, ba) < 0.732
    assert softmax(ab, ba) == pytest.approx(math.exp(ab) / (math.exp(ab) + math.exp(ba)))
