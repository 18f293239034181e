"""Answers held to labels: always a chain, and the one that the model would have written by itself if it writes one."""

import math
import re
from itertools import product
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from word_tokenizer import MergingTokenizer, WordTokenizer

from rerankllm.backends.label_chain import LabelChain
from rerankllm.backends.llamacpp.readout import ChainReader, Writer
from rerankllm.calls import CallFailed, Generate, WriteLabels
from rerankllm.elicitation.constrained import BARE, CHAIN, LIST, Form, held_to
from rerankllm.elicitation.labels import letters, numbers

CONTEXT = "Rank:"


class Closing(WordTokenizer):
    """One token for a digit with the bracket that closes, and one for what stands between two labels."""

    def encode(self, text, *, special=False):
        pieces = re.findall(r"\d\]|\] >| \[|[\s\S]", text)
        return tuple(self.ids.setdefault(piece, len(self.ids) + 1) for piece in pieces)


class Scripted:
    """A made-up model: noise, and a liking for what goes on with a chain, token by token as its tokenizer has them."""

    def __init__(self, tokenizer, labels, count, form, seed, liking):
        self.tokenizer, self.form, self.seed, self.liking = tokenizer, form, seed, liking
        self.labels, self.count = labels, count
        whole = form.opening + form.between.join(labels) + form.closing
        for text in (whole, *(f"{form.opening}{a}{form.between}{b}{form.closing}" for a, b in product(labels, labels))):
            tokenizer.encode(CONTEXT + text)
        self.pieces = {token: piece for piece, token in tokenizer.ids.items() if isinstance(piece, str)}
        self.end = max(self.pieces) + 1

    def piece(self, token):
        return self.pieces.get(token, "").encode()

    def ends(self, token):
        return token == self.end

    def logits(self, ids):
        rng = np.random.default_rng([self.seed, *ids])
        found = rng.normal(size=self.end + 1).astype(np.float32)
        found[0] = -np.inf  # no token has this number
        text = "".join(map(self.pieces.__getitem__, ids))
        for token, piece in self.pieces.items():
            whole = (*self.before, *ids, token)
            if self.goes_on(text + piece) and self.tokenizer.encode(CONTEXT + text + piece) == whole:
                found[token] += self.liking
        if self.is_chain(text):
            found[self.end] += self.liking
        return found

    @property
    def before(self):
        return self.tokenizer.encode(CONTEXT)

    def goes_on(self, text):
        """Whether a chain may begin so."""
        left, rest = list(self.labels), text
        for place in range(self.count):
            rest = self._without(rest, self.form.opening if place == 0 else self.form.between)
            if not rest:
                return rest == ""
            if any(label.startswith(rest) for label in left):
                return True
            after = self.form.closing if place == self.count - 1 else self.form.between
            label = next((one for one in left if rest.startswith(one + after[:1]) and rest != one), None)
            if label is None:
                return False
            left.remove(label)
            rest = rest[len(label) :]
        return self.form.closing.startswith(rest)

    @staticmethod
    def _without(text, start):
        """What follows a start; nothing where that is not yet complete, None where the text starts otherwise."""
        if text.startswith(start):
            return text[len(start) :]
        return "" if start.startswith(text) else None

    def is_chain(self, text):
        """Whether it is a whole one."""
        form = self.form
        inner = text.removeprefix(form.opening).removesuffix(form.closing)
        found = inner.split(form.between) if form.between else [inner]
        return (
            text == form.opening + inner + form.closing
            and len(found) == len(set(found)) == self.count
            and set(found) <= set(self.labels)
        )


def written(model, reader):
    """What a reader makes of the model's logits, and the tokens it wrote before the last it chose."""
    ids = list(reader.begins)
    steps = 0
    while True:
        steps += 1
        found = reader.read(model.logits(ids))
        if not found:
            return reader.response(7), steps
        ids += found


TOKENIZERS = {"words": WordTokenizer, "merging": MergingTokenizer, "closing": Closing}
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
