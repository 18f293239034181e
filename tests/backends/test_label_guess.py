"""What is guessed of an answer."""

import pytest

from rerankllm.backends.label_guess import BEGIN, Guesser


def written(guesser, order, values):
    """How many labels were guessed right in all, where each place's values are heard before its label is written."""
    left, right, guessed = list(range(len(order))), 0, []
    for place, label in enumerate(order):
        if not guessed:
            guessed = guesser.guess(left, left, len(order) - place)
        right += guessed[0] == label
        guessed = guessed[1:] if guessed[0] == label else []
        guesser.hear(values(place))
        guesser.written(label, left)
        left.remove(label)
    return right


def test_an_answer_in_the_order_shown_is_guessed_from_the_first():
    assert written(Guesser(9, once=True), range(9), lambda place: dict.fromkeys(range(9), 0.0)) == 9


def test_an_answer_in_the_order_of_what_was_heard_is_guessed_from_the_second():
    order = [4, 2, 7, 0, 5, 1, 6, 3, 8]
    values = {label: -float(place) for place, label in enumerate(order)}
    assert written(Guesser(9, once=True), order, lambda place: values) == 8


def test_more_are_guessed_while_that_goes_well_and_fewer_after_it_went_wrong():
    guesser, left = Guesser(20, once=True), list(range(20))
    assert guesser.guess(left, left, 20) == [0, 1]
    for label in (0, 1):
        guesser.written(label, left)
        left.remove(label)
    assert guesser.guess(left, left, 18) == [2, 3, 4, 5]
    assert guesser.guess(left, left, 3) == [2, 3, 4]
    guesser.written(9, left)
    left.remove(9)
    assert len(guesser.guess(left, left, 17)) == 1
    assert BEGIN == 2


def test_the_first_is_one_of_those_that_go_on_as_the_place_does():
    guesser = Guesser(12, once=True)
    assert guesser.guess([9, 10, 11], list(range(12)), 3)[0] == 9


@pytest.mark.parametrize("likely", [0, 2])
def test_a_label_that_may_be_written_again_is_guessed_again(likely):
    guesser = Guesser(3, once=False)
    for _ in range(3):
        guesser.hear({label: float(label == likely) for label in range(3)})
        guesser.written(likely, range(3))
    found = guesser.guess(range(3), range(3), 4)
    assert set(found) == {likely}
