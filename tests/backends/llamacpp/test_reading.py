"""Reading answers off logits."""

import math

import numpy as np
import pytest

from rerankllm.backends.llamacpp.readout import Writer, log_probabilities, reader_for
from rerankllm.calls import Generate, ReadContinuation, ReadLabels


class Pieces:
    """A vocabulary of given pieces; the last token ends an answer."""

    def __init__(self, *pieces):
        self._pieces = pieces

    def piece(self, token):
        return self._pieces[token]

    def ends(self, token):
        return token == len(self._pieces)


def logits_for(token, size=8):
    return np.eye(size, dtype=np.float32)[token]


def written(want, vocabulary, tokens):
    writer = Writer(want, vocabulary)
    for count, token in enumerate(tokens, 1):
        if not writer.read(logits_for(token)):
            assert count == len(tokens)
    return writer.response(3)


def test_log_probabilities_add_up_to_one_even_for_large_logits():
    logits = np.array([1000.0, 999.0, -1000.0], dtype=np.float32)
    values = log_probabilities(logits, (0, 1, 2))
    assert sum(map(math.exp, values)) == pytest.approx(1)
    assert values[0] - values[1] == pytest.approx(1)
    assert values[2] == pytest.approx(-2000, abs=1)


def test_a_continuation_is_read_token_by_token():
    reader = reader_for(ReadContinuation((2, 0)), Pieces())
    assert reader.extra == (2,)
    assert reader.read(np.zeros(4, dtype=np.float32)) == ()
    assert reader.read(np.log(np.array([0.5, 0.25, 0.125, 0.125], dtype=np.float32))) == ()
    response = reader.response(5)
    assert response.logprobs == pytest.approx((math.log(0.25), math.log(0.5)))
    assert (response.usage.prompt_tokens, response.usage.completion_tokens) == (7, 0)


def test_the_variants_of_a_label_count_together_and_one_without_any_is_nan():
    reader = reader_for(ReadLabels(("A", "B", "C"), ((0, 3), (1,), ())), Pieces())
    reader.read(np.log(np.array([0.5, 0.25, 0.125, 0.125], dtype=np.float32)))
    first, second, third = reader.response(1).logprobs
    assert (first, second) == pytest.approx((math.log(0.625), math.log(0.25)))
    assert math.isnan(third)


def test_of_equal_tokens_the_lowest_is_written():
    writer = Writer(Generate(5), Pieces(b"a", b"b", b"c"))
    assert writer.read(np.array([0.0, 1.0, 1.0, 0.0], dtype=np.float32)) == (1,)


def test_writing_stops_at_the_end_token_and_counts_it():
    response = written(Generate(5), Pieces(b"a", b"b"), [0, 1, 2])
    assert (response.text, response.finish_reason, response.usage.completion_tokens) == ("ab", "stop", 3)


def test_writing_stops_at_the_length():
    response = written(Generate(2), Pieces(b"a", b"b"), [0, 1])
    assert (response.text, response.finish_reason, response.usage.completion_tokens) == ("ab", "length", 2)


@pytest.mark.parametrize(
    ("stops", "pieces", "text"),
    [
        (("\n",), (b"one\ntwo",), "one"),
        (("END",), (b"text E", b"N", b"D more"), "text "),
        (("cd", "b"), (b"a", b"bcd"), "a"),
        (("",), (b"a", b"b"), "ab"),
        (("é",), ("café".encode()[:-1], b"\xa9!"), "caf"),
    ],
)
def test_text_is_cut_before_the_first_stop_string(stops, pieces, text):
    response = written(Generate(len(pieces), stops), Pieces(*pieces), range(len(pieces)))
    assert response.text == text
    assert response.finish_reason == ("stop" if any(stops) else "length")


def test_bytes_of_half_a_character_are_replaced():
    assert written(Generate(1), Pieces(b"a\xc3"), [0]).text == "a\N{REPLACEMENT CHARACTER}"


@pytest.mark.parametrize("want", [ReadContinuation(()), ReadLabels((), ()), ReadLabels(("A",), ((),)), Generate(0)])
def test_nothing_wanted_needs_no_reader(want):
    assert reader_for(want, Pieces()) is None
