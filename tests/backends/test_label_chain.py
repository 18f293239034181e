"""Answers held to labels: always a chain, and the one that the model would have written by itself if it writes one."""

import math
import re
from types import SimpleNamespace

import pytest
from chain_model import CONTEXT, Closing, Scripted, Trailing, ahead, written
from hypothesis import given
from hypothesis import strategies as st
from word_tokenizer import MergingTokenizer, WordTokenizer

from rerankllm.backends.label_chain import LabelChain
from rerankllm.backends.llamacpp.readout import ChainReader, Writer
from rerankllm.calls import CallFailed, FillIn, Generate, WriteLabels
from rerankllm.elicitation.constrained import BARE, CHAIN, GRADES, LIST, Form, held_to
from rerankllm.elicitation.grades import WRITTEN
from rerankllm.elicitation.labels import letters, numbers

TOKENIZERS = {"words": WordTokenizer, "merging": MergingTokenizer, "closing": Closing, "trailing": Trailing}
sets = st.one_of(
    st.tuples(st.sampled_from(["words", "merging", "closing"]), st.integers(1, 13).map(numbers)),
    st.tuples(st.sampled_from(["words", "merging"]), st.integers(1, 17).map(letters)),
)


@pytest.mark.slow
@given(
    sets, st.integers(1, 17), st.sampled_from([CHAIN, LIST]), st.integers(0, 2**20), st.sampled_from([0.0, 3.0, 9.0])
)
def test_any_logits_give_a_chain_and_those_of_a_chain_the_same(kind, count, form, seed, liking):
    tokenizer, labels = TOKENIZERS[kind[0]](), kind[1]
    count = min(count, len(labels))
    held = held_to(tokenizer, CONTEXT, labels, count, form)
    assert held is not None
    model = Scripted(tokenizer, labels, count, form, seed, liking)
    response, steps = written(model, ChainReader(held.want))
    assert model.is_chain(response.text)
    assert response.finish_reason == "stop"
    assert [labels[reading.label] for reading in response.readings] == re.findall(r"\w+", response.text)
    for reading in response.readings:
        assert response.text.startswith(labels[reading.label], reading.at)
    assert response.usage.completion_tokens in (steps, 0)
    guessed, fewer = ahead(model, ChainReader(held.want))
    assert repr(guessed) == repr(response)  # nan is not equal to itself
    assert fewer <= steps
    free, _ = written(model, Writer(Generate(200), model))
    if model.is_chain(free.text):
        assert response.text == free.text


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "labels"),
    [("words", numbers(12)), ("words", letters(6)), ("merging", letters(4)), ("closing", numbers(2))],
)
def test_models_that_like_chains_write_them_and_the_same_when_they_are_held(name, labels):
    chains = 0
    for seed in range(40):
        tokenizer = TOKENIZERS[name]()
        held = held_to(tokenizer, CONTEXT, labels, len(labels), CHAIN)
        model = Scripted(tokenizer, labels, len(labels), CHAIN, seed, 9.0)
        free, _ = written(model, Writer(Generate(100), model))
        if model.is_chain(free.text):
            assert written(model, ChainReader(held.want))[0].text == free.text
            chains += 1
    assert chains >= 5


@pytest.mark.slow
@given(
    st.sampled_from(["words", "closing", "trailing"]),
    st.integers(1, 5),
    st.integers(0, 2**20),
    st.sampled_from([0.0, 3.0, 9.0]),
)
def test_any_logits_give_a_grade_in_every_place_and_those_of_grades_the_same(name, count, seed, liking):
    tokenizer = TOKENIZERS[name]()
    held = held_to(tokenizer, CONTEXT, WRITTEN, count, GRADES)
    model = Scripted(tokenizer, WRITTEN, count, GRADES, seed, liking)
    response, _ = written(model, ChainReader(held.want))
    assert model.is_chain(response.text)
    assert len(response.readings) == count
    assert repr(ahead(model, ChainReader(held.want))[0]) == repr(response)
    for reading in response.readings:
        assert response.text.startswith(WRITTEN[reading.label], reading.at)
    free, _ = written(model, Writer(Generate(60), model))
    if model.wrote(free):
        assert response.text == free.text


@pytest.mark.slow
@given(st.permutations(["0", "1", "10", "2", "11"]), st.integers(0, 2**20), st.sampled_from([0.0, 5.0]))
def test_a_label_that_another_begins_with_ends_where_the_model_would_end_it(labels, seed, liking):
    tokenizer = WordTokenizer()
    held = held_to(tokenizer, CONTEXT, tuple(labels), 1, BARE)
    model = Scripted(tokenizer, labels, 1, BARE, seed, liking)
    response, _ = written(model, ChainReader(held.want))
    assert response.text in labels
    free, _ = written(model, Writer(Generate(9), model))
    if free.text in labels:
        assert response.text == free.text
    (reading,) = response.readings
    known = [math.exp(value) for value in reading.logprobs if not math.isnan(value)]
    assert sum(known) <= 1 + 1e-6


def test_it_takes_as_many_steps_as_labels_where_each_is_a_token():
    held = held_to(WordTokenizer(), CONTEXT, letters(20), 20, CHAIN)
    chain = LabelChain(held.want)
    steps = 0
    while chain.asked:
        assert len(chain.asked) == 20  # those already written too: their log-probabilities are kept as well
        chain.take([-float(token % 7) for token in chain.asked])
        steps += 1
    assert steps == 19  # the last one follows from the others
    assert sorted(reading.label for reading in chain.response(1).readings) == list(range(20))


def test_log_probabilities_are_those_of_every_label_as_far_as_its_branch_was_walked():
    ids = {"1": 1, "2": 2, "3": 3, "]": 4, "0": 5}
    paths = tuple(tuple(ids[c] for c in f"{label}]") for label in ("1", "2", "3", "10", "12", "20"))
    chain = LabelChain(WriteLabels(("1", "2", "3", "10", "12", "20"), (paths,), 1, "[", "", "]"))
    assert chain.asked == (1, 2, 3)
    assert chain.take([-1.0, -2.0, -3.0]) == (1,)
    assert chain.asked == (2, 4, 5)
    assert chain.take([-0.5, -4.0, -1.0]) == ()
    (reading,) = chain.response(1).readings
    assert (chain.response(1).text, reading.at, reading.label) == ("[12]", 1, 4)
    one, two, three, ten, twelve, twenty = reading.logprobs
    assert (one, three, ten, twelve) == (-5.0, -3.0, -2.0, -1.5)
    assert math.isnan(two)
    assert math.isnan(twenty)
    assert reading.floor == -2.0  # what 2 and 20 begin with


def test_of_equal_tokens_the_lowest_is_taken_and_each_label_once():
    chain = LabelChain(WriteLabels(("b", "a"), (((2,), (1,)), ((2,), (1,))), 2, "", ",", ""))
    assert chain.take([0.0, 0.0]) == ()
    assert chain.response(1).text == "a,b"


def test_logits_that_are_no_numbers_are_no_answer():
    chain = LabelChain(WriteLabels(("a", "b"), (((1,), (2,)),)))
    chain.take([math.nan, math.nan])
    assert chain.response(1) == CallFailed("the model's logits are not numbers")


@pytest.mark.parametrize(
    ("labels", "paths", "count"),
    [((), ((),), 1), (("a",), (((1,),),), 2), (("a", "b"), (((1,),),), 1), (("a", "b"), (((1,), (2,)),), 2)],
)
def test_what_cannot_be_written_is_refused(labels, paths, count):
    with pytest.raises(ValueError, match="label"):
        WriteLabels(labels, paths, count)


@pytest.mark.parametrize(("paths", "count", "text"), [((), 0, ()), ((((1,),),), 2, ("b",)), ((((1,),),), 1, ("b",))])
def test_places_that_cannot_be_filled_are_refused(paths, count, text):
    with pytest.raises(ValueError, match="label"):
        FillIn(("a",), paths, count, text=text)


def test_a_label_may_fill_every_place():
    held = held_to(WordTokenizer(), CONTEXT, ("0", "1"), 3, GRADES)
    chain = LabelChain(held.want)
    while chain.asked:
        chain.take([0.0, -1.0])
    assert chain.response(1).text == "[1]: 0\n[2]: 0\n[3]: 0"


class TestTokensOfLabels:
    def test_the_opening_belongs_to_the_label_where_it_merges_with_it(self):
        tokenizer = MergingTokenizer()
        held = held_to(tokenizer, CONTEXT, ("A", "B"), 2, CHAIN)
        assert held.left == ""
        first, last = held.want.paths
        assert tokenizer.decode(first[0]) == "[A] > "
        assert tokenizer.decode(first[0][:1]) == "[A"
        assert tokenizer.decode(last[1]) == "[B]"

    def test_a_prompt_that_opens_the_answer_leaves_the_opening_to_the_label(self):
        held = held_to(MergingTokenizer(), f"{CONTEXT} [", ("A", "B"), 1, Form("[", "", "]"))
        assert (held.left, held.want.opening) == ("[", "[")
        held = held_to(WordTokenizer(), f"{CONTEXT} [", ("A", "B"), 1, Form("[", "", "]"))
        assert (held.left, held.want.opening) == ("", "")

    def test_one_and_twelve_are_told_apart_by_what_follows(self):
        tokenizer = Closing()
        held = held_to(tokenizer, CONTEXT, numbers(12), 12, CHAIN)
        first = held.want.paths[0]
        assert tokenizer.decode(first[0][:2]) == "[1]"
        assert tokenizer.decode(first[11][:3]) == "[12]"

    def test_tokens_that_hang_on_the_labels_before_are_refused(self):
        def encode(text, *, special):
            """Another token for a letter that a B comes before."""
            return tuple(ord(c) + 1000 * (c.isalpha() and "B" in text[:i]) for i, c in enumerate(text))

        fickle = SimpleNamespace(encode=encode)
        assert held_to(fickle, "", ("A", "B", "C"), 3, CHAIN) is None

    def test_labels_of_the_same_tokens_are_refused(self):
        unknown = SimpleNamespace(encode=lambda text, special: (0,) * len(text))
        assert held_to(unknown, "", ("A", "B"), 1, CHAIN) is None
