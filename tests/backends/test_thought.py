"""Labels after a thought: the thought is the model's own, and so is the answer wherever it is a well-formed one."""

import math
from itertools import product

import pytest
from chain_model import Closing, Thinking, Trailing, written
from hypothesis import given
from hypothesis import strategies as st
from word_tokenizer import MergingTokenizer, WordTokenizer

from rerankllm.backends.label_chain import Other
from rerankllm.backends.llamacpp.readout import ThinkingWriter, Writer
from rerankllm.backends.thought import ThoughtChain, ends
from rerankllm.calls import AfterThought, CallFailed, Capabilities, Generate, Response
from rerankllm.calls.wants import BLANKS
from rerankllm.data import Usage
from rerankllm.elicitation.constrained import BARE, CHAIN, GRADES, ONE, Constraint
from rerankllm.elicitation.grades import WRITTEN
from rerankllm.elicitation.labels import letters, numbers
from rerankllm.elicitation.prompts import PromptBuilder
from rerankllm.elicitation.templates import load

TOKENIZERS = {"words": WordTokenizer, "merging": MergingTokenizer, "closing": Closing, "trailing": Trailing}
ANSWERS = [
    (numbers(3), 3, CHAIN),
    (numbers(12), 2, CHAIN),
    (letters(4), 4, CHAIN),
    (letters(2), 1, ONE),
    (("0", "1", "2", "3"), 1, BARE),
    (WRITTEN, 1, BARE),
    (WRITTEN, 2, GRADES),
]


def after_thought(tokenizer, labels, count, form):
    capabilities = Capabilities(generate=True, token_prompts=True, constrained=True)
    builder = PromptBuilder(load("permute", "reasoning"), tokenizer, capabilities)
    return Constraint(builder, form, required=True, end=Thinking.END).hold((), labels, count)


@pytest.mark.slow
@given(
    st.sampled_from(sorted(TOKENIZERS)), st.sampled_from(ANSWERS), st.integers(0, 2**20),
    st.sampled_from([3.0, 6.0, 12.0]),
)  # fmt: skip
def test_what_follows_any_thought_is_a_chain_and_a_chain_is_the_models_own(name, answer, seed, liking):
    tokenizer = TOKENIZERS[name]()
    after = after_thought(tokenizer, *answer)
    model = Thinking(tokenizer, *answer, seed, liking)
    held, steps = written(model, ThinkingWriter(Generate(120), after, model))
    free, _ = written(model, Writer(Generate(120), model))
    if model.wrote(free):
        assert held.text == free.text
    thought, ended, said = held.text.partition(after.end)
    if not ended or (said and not said[0].isspace() and free.text == held.text):
        assert held.text == free.text
        return
    assert free.text.startswith(thought + ended)
    assert model.is_chain(held.text) or held.finish_reason == "length"
    assert held.usage.completion_tokens in (steps, steps - 1)
    for reading in held.readings:
        assert held.text.startswith(answer[0][reading.label], reading.at)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(TOKENIZERS))
def test_models_that_like_to_answer_so_do_and_are_held_to_the_same(name):
    same = 0
    for seed, answer in product(range(10), ANSWERS):
        tokenizer = TOKENIZERS[name]()
        after = after_thought(tokenizer, *answer)
        model = Thinking(tokenizer, *answer, seed, 12.0)
        free, _ = written(model, Writer(Generate(150), model))
        if model.wrote(free):
            assert written(model, ThinkingWriter(Generate(150), after, model))[0].text == free.text
            same += 1
    assert same >= 10


class TestChain:
    """What is written after a thought, token by token; of `[A]` and `[B]`."""

    def setup_method(self):
        self.tokenizer = WordTokenizer()
        self.after = after_thought(self.tokenizer, ("A", "B"), 1, ONE)
        self.chain = ThoughtChain(self.after, self.tokenizer.decode)
        self.newline, self.x = self.tokenizer.encode("\nx")
        self.bracket, self.a, self.b = self.tokenizer.encode("[AB"[:2]) + self.tokenizer.encode("B")
        self.thought = Response("hm</think>", usage=Usage(5, 4))

    def take(self, other, logprob=-0.5):
        return self.chain.take([-1.0] * len(self.chain.asked), Other(other, logprob))

    def test_blanks_are_the_models_own_and_anything_else_begins_the_answer(self):
        assert self.chain.asked == (self.bracket,)
        assert self.take(self.newline) == (self.newline,)
        assert self.take(self.x)[-1] == self.bracket
        assert self.chain.take([-2.0, -1.0]) == ()
        response = self.chain.response(self.thought)
        assert response.text in {"hm</think>\n[B]", "hm</think>\n [B]"}
        assert response.usage == Usage(5, 4 + 3)
        (reading,) = response.readings
        assert (response.text[reading.at], reading.logprobs) == ("B", (-2.0, -1.0))

    def test_a_model_that_writes_nothing_but_blanks_is_stopped(self):
        for _ in range(BLANKS):
            assert self.take(self.newline) == (self.newline,)
        assert self.take(self.newline)[-1] == self.bracket

    def test_logits_that_are_no_numbers_are_no_answer(self):
        self.take(self.x, math.nan)
        self.chain.take([-2.0, -1.0])
        assert isinstance(self.chain.response(self.thought), CallFailed)


def test_a_thought_that_leaves_too_little_room_goes_on_freely():
    after = AfterThought("END", after_thought(WordTokenizer(), ("A", "B"), 1, ONE).answers)
    assert ends(after, "hm END\n", after.most_tokens)
    assert not ends(after, "hm END\n", after.most_tokens - 1)
    assert not ends(after, "hm END [", after.most_tokens)
