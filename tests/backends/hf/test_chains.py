"""Answers of labels written many at a time: as each is written alone, and nothing computed twice."""

import math

import pytest

torch = pytest.importorskip("torch", reason="needs the extra `hf`")
transformers = pytest.importorskip("transformers", reason="needs the extra `hf`")

from rerankllm.backends.hf.batches import Limits, Row  # noqa: E402
from rerankllm.backends.hf.causal import Causal  # noqa: E402
from rerankllm.backends.hf.chains import ChainWriter, compared  # noqa: E402
from rerankllm.backends.label_chain import LabelChain  # noqa: E402
from rerankllm.calls import WriteLabels  # noqa: E402

OPEN, CLOSE, MORE = 1, 2, 3
ANSWER = 4
"""Tokens that a label takes at most: its opening, two digits and its closing."""
PROMPTS = [(7, *range(10, 10 + length), last) for length, last in ((30, 5), (12, 6), (30, 9), (3, 8), (18, 4))]


def labels(count):
    """Labels of one digit or two: tokens 20 to 29 are digits."""
    spelled = [tuple(20 + int(digit) for digit in str(number)) for number in range(1, count + 1)]
    first = tuple((OPEN, *digits, CLOSE) for digits in spelled)
    later = tuple((MORE, OPEN, *digits, CLOSE) for digits in spelled)
    return WriteLabels(tuple(map(str, range(1, count + 1))), (first, later, later)[: min(count, 3)], count, between=" ")


@pytest.fixture(scope="module")
def model():
    config = transformers.LlamaConfig(
        vocab_size=50, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=512,
    )  # fmt: skip
    torch.manual_seed(0)
    return transformers.LlamaForCausalLM(config).eval()


def engine(model, cache=1 << 20):
    return Causal(model, 0, Limits(64, 64), cache)


def alone(model, ids, want):
    """An answer by one forward pass a comparison, of the whole text and nothing else."""
    chain = LabelChain(want)
    ids = (*ids, *chain.begins)
    while chain.asked:
        with torch.inference_mode():
            ids += compared(chain, model(torch.tensor([ids])).logits[0, -1])
    return chain.response(0), ids


def close(found, expected):
    assert found.text == expected.text
    for one, other in zip(found.readings, expected.readings, strict=True):
        for mine, theirs in zip(one.logprobs, other.logprobs, strict=True):
            assert (math.isnan(mine) and math.isnan(theirs)) or mine == pytest.approx(theirs, abs=1e-4)


@pytest.mark.parametrize("cache", [0, 1 << 20])
@pytest.mark.parametrize("tokens", [1, 100, 4096])
def test_every_answer_is_as_it_is_written_alone(model, cache, tokens):
    wants = [labels(count) for count in (3, 12, 1, 5, 11)]
    writer = ChainWriter(engine(model, cache), tokens)
    written = dict(
        one for several in writer.write([Row(ids) for ids in PROMPTS], wants, lambda: False) for one in several
    )
    for number, (ids, want) in enumerate(zip(PROMPTS, wants, strict=True)):
        close(written[number], alone(model, ids, want)[0])
        assert written[number].usage.prompt_tokens == len(ids)


def test_what_is_written_is_computed_once_and_together(model):
    wants = [labels(count) for count in (3, 12, 1, 5, 11)]
    computes = engine(model)
    passes = []
    inner = computes.logits
    computes.logits = lambda rows: passes.append(rows) or inner(rows)
    list(ChainWriter(computes, 4096).write([Row(ids) for ids in PROMPTS], wants, lambda: False))
    compares = [place for place, want in enumerate(wants) if want.count > 1]  # a single label is written as it is
    asked = {row.ids[:stop] for rows in passes for row in rows for stop in range(1, len(row.ids) + 1)}
    assert len(asked) <= computes.computed <= 1.1 * len(asked)  # what was guessed wrong may follow after all
    assert len(passes[0]) == len(compares)
    assert len(passes) <= 2 * 12
    written = {alone(model, PROMPTS[place], wants[place])[1][:-1] for place in compares}
    assert written <= asked


def test_what_is_guessed_right_takes_few_passes(model):
    computes = engine(model)
    passes = []

    def in_order(rows):
        """Logits of a model that repeats the order shown."""
        passes.append(len(rows))
        for number, row in enumerate(rows):
            logits = torch.zeros(row.read, 50)
            for place in range(row.read):
                before = row.ids[len(PROMPTS[0]) : len(row.ids) - row.read + 1 + place]
                logits[place, shown[len(before)]] = 9.0
            yield [(number, logits)]

    want = labels(12)
    want_ids = [token for place in range(12) for token in want.at(place)[place]]
    shown = dict(enumerate([*want_ids, 0]))
    computes.logits = in_order
    ((_, response),) = next(iter(ChainWriter(computes, 4096).write([Row(PROMPTS[0])], [want], lambda: False)))
    assert [reading.label for reading in response.readings] == list(range(12))
    assert len(passes) <= 6  # of 14 comparisons


def test_what_is_remembered_of_a_prompt_is_said(model):
    writer = ChainWriter(engine(model), 4096)
    found = []
    for _ in range(2):
        ((_, response),) = next(iter(writer.write([Row(PROMPTS[0])], [labels(3)], lambda: False)))
        found.append(response.usage.cached_tokens)
    assert found == [0, len(PROMPTS[0])]


def test_what_is_given_up_stops(model):
    looks = iter([False, False, True, True])
    computes = engine(model)
    assert list(ChainWriter(computes, 4096).write([Row(PROMPTS[0])], [labels(12)], lambda: next(looks))) == []
    assert computes.computed < len(PROMPTS[0]) + 3 * ANSWER


def test_a_prompt_that_is_not_packed_is_left_to_others(model):
    computes = engine(model)
    computes.reach = len(PROMPTS[0]) + 10
    writer = ChainWriter(computes, 4096)
    assert writer.takes(Row(PROMPTS[0]), labels(2))
    assert not writer.takes(Row(PROMPTS[0]), labels(12))
