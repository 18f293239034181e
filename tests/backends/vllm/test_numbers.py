"""vLLM's numbers against a plain forward pass of the transformers library on the same tokens, both in float32."""

import asyncio
import json

import pytest
from near_ties import greedy

from rerankllm.calls import CallFailed, Generate, ReadContinuation, ReadLabels, Request, TokenPrompt

TOLERANCE = 2e-4
"""Nats. The engine's kernels, its blocks and who shares the batch change the order of sums; measured: below 5e-5."""

PASSAGES = [
    "The mitochondrion produces most of the chemical energy a cell needs.",
    "Vienna is the capital of Austria and lies on the Danube, close to the borders of three other countries.",
    "A sonnet has fourteen lines.",
    "Basalt is a dark volcanic rock that forms when lava rich in iron and magnesium cools quickly.",
    "Der Rhein entspringt in den Alpen und mündet in die Nordsee.",
    "Penguins cannot fly, but they swim well.",
    "The first transatlantic telegraph cable worked for three weeks in 1858.",
    "Compilers translate source code into machine code, often through several intermediate languages.",
]


@pytest.fixture(scope="module")
def reference(smollm2):
    import torch
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(smollm2, dtype=torch.float32)

    class Reference:
        def logprobs(self, ids):
            """For every position the log-probabilities of what comes next, in float64."""
            with torch.no_grad():
                return torch.log_softmax(model(torch.tensor([ids])).logits[0].double(), -1)

    return Reference()


def prompts(backend):
    return [
        backend.tokenizer.encode(f"Write a question that this passage answers.\nPassage: {passage}\nQuestion:")
        for passage in PASSAGES
    ]


def answers(backend, requests):
    return asyncio.run(backend.complete_all(requests))


def furthest(found, expected):
    return max(abs(a - b) for a, b in zip(found, expected, strict=True))


def test_labels(backend, reference):
    """As many as the engine tells apart, likely or not, half of them with two spellings."""
    spelled = tuple((2 * i + 300, 40_000 - i) if i % 2 else (2 * i + 300,) for i in range(84))
    want = ReadLabels(tuple(map(str, range(84))), spelled)
    found = answers(backend, [Request(TokenPrompt(ids), want) for ids in prompts(backend)])
    worst = 0.0
    for ids, response in zip(prompts(backend), found, strict=True):
        last = reference.logprobs(ids)[-1]
        expected = [float(last[list(tokens)].logsumexp(0)) for tokens in spelled]
        worst = max(worst, furthest(response.logprobs, expected))
        assert (response.usage.prompt_tokens, response.usage.completion_tokens) == (len(ids), 0)
    assert worst < TOLERANCE, "label log-probabilities"


@pytest.mark.parametrize("text", [" where is vienna and on which river does it lie", " where"])
def test_continuations(backend, reference, text):
    continuation = backend.tokenizer.encode(text)
    found = answers(backend, [Request(TokenPrompt(p), ReadContinuation(continuation)) for p in prompts(backend)])
    worst = 0.0
    for ids, response in zip(prompts(backend), found, strict=True):
        known = reference.logprobs(ids + continuation)[len(ids) - 1 :]
        worst = max(worst, furthest(response.logprobs, [float(known[i, t]) for i, t in enumerate(continuation)]))
        assert response.usage.prompt_tokens == len(ids) + len(continuation)
    assert worst < TOLERANCE, "continuation log-probabilities"


def test_a_cached_beginning_changes_nothing(backend, reference):
    """The second prompt begins like the first for longer than a block of the cache, and continuations differ."""
    shared = backend.tokenizer.encode(" ".join(PASSAGES * 3))
    assert len(shared) > 256
    first, second = backend.tokenizer.encode(" who swims well"), backend.tokenizer.encode(" what is basalt")
    for continuation in (first, second, first):
        (response,) = answers(backend, [Request(TokenPrompt(shared), ReadContinuation(continuation))])
        known = reference.logprobs(shared + continuation)[len(shared) - 1 :]
        expected = [float(known[i, t]) for i, t in enumerate(continuation)]
        assert furthest(response.logprobs, expected) < TOLERANCE
    want = ReadLabels(("a",), ((continuation[0],),))
    (response,) = answers(backend, [Request(TokenPrompt(shared), want)])
    assert furthest(response.logprobs, expected[:1]) < TOLERANCE


def test_what_prompts_of_one_query_begin_with_is_computed_once(backend):
    """Fewer tokens than a block of vLLM's own choice has on a CPU."""
    shared = backend.tokenizer.encode(" ".join(PASSAGES))[:70]
    works = [Request(TokenPrompt((*shared, last)), ReadLabels(("a",), ((5,),))) for last in (11, 12)]
    engine, found = backend._engine._llm.llm_engine, []
    step = engine.step
    engine.step = lambda: [found.append(output) or output for output in step()]
    try:
        answers(backend, works)
    finally:
        del engine.step
    assert max(output.num_cached_tokens for output in found) == 64
    told = [response.usage.cached_tokens for response in answers(backend, works)]
    assert told == [64, 64]


def test_text(backend, reference):
    ids = prompts(backend)[1]
    likeliest = greedy(lambda given: reference.logprobs(given)[-1], ids, 12, margin=10 * TOLERANCE)
    assert len(likeliest) > 6  # before a near tie
    (whole,) = answers(backend, [Request(TokenPrompt(ids), Generate(12))])
    expected = whole.text
    assert expected.startswith(backend.tokenizer.decode(likeliest))
    assert whole.finish_reason == "length"
    assert (whole.usage.prompt_tokens, whole.usage.completion_tokens) == (len(ids), 12)
    stop = expected[8:11]
    (cut,) = answers(backend, [Request(TokenPrompt(ids), Generate(12, stop=("", stop)))])
    assert (cut.text, cut.finish_reason) == (expected[: expected.index(stop)], "stop")
    assert cut.usage.completion_tokens < 12


def test_an_answer_is_held_to_the_choices(backend):
    """Which the model would not give by itself, and greedily the likelier: verified, not assumed."""
    ids = prompts(backend)[0]
    choices = ("Zanzibar", "Quito")
    (free,) = answers(backend, [Request(TokenPrompt(ids), Generate(8))])
    assert free.text not in choices
    held = answers(
        backend, [Request(TokenPrompt(ids), Generate(8, choices=order)) for order in (choices, choices[::-1])]
    )
    assert held[0].text == held[1].text
    assert held[0].text in choices
    assert held[0].finish_reason == "stop"
    (short,) = answers(backend, [Request(TokenPrompt(ids), Generate(1, choices=choices))])
    assert isinstance(short, CallFailed)
    assert "did not hold the answer to Zanzibar, Quito" in short.reason


def test_the_models_own_sampling_is_not_used(backend, load, smollm2, tmp_path):
    """A folder whose generation config asks for heat and a penalty writes what the plain one writes."""
    for file in smollm2.iterdir():
        (tmp_path / file.name).symlink_to(file)
    (tmp_path / "generation_config.json").unlink()
    config = {"do_sample": True, "temperature": 2.0, "top_k": 1000, "repetition_penalty": 1.8, "eos_token_id": 2}
    (tmp_path / "generation_config.json").write_text(json.dumps(config))
    heated = load(tmp_path)
    requests = [Request(TokenPrompt(ids), Generate(16)) for ids in prompts(backend)[:3]]
    assert [r.text for r in answers(heated, requests)] == [r.text for r in answers(backend, requests)]
    assert heated.revision != backend.revision
    asyncio.run(heated.aclose())


def test_half_precision_does_not_tie_labels_unless_told_to(load, smollm2):
    """Logits of eight bits tie; a last layer computed in float32 keeps them apart."""
    distinct = {}
    for head in ("float32", "model"):
        half = load(smollm2, dtype="bfloat16", head_dtype=head)
        assert half.model.endswith(
            "?dtype=bfloat16&max_model_len=1024"
            if head == "float32"
            else "?dtype=bfloat16&head_dtype=model&max_model_len=1024"
        )
        want = ReadLabels(tuple(map(str, range(128))), tuple((1000 + i,) for i in range(128)))
        (response,) = answers(half, [Request(TokenPrompt(prompts(half)[0]), want)])
        distinct[head] = len(set(response.logprobs))
        asyncio.run(half.aclose())
    assert distinct["float32"] >= 126
    assert distinct["model"] <= 120
