"""Every host of the table in docs/backends.md: what it is asked, what it refuses, what is learnt, and that it ranks."""

import json
from pathlib import Path

import pytest

pytest.importorskip("openai")

from host_shapes import BEST_FIRST, SHAPES, Tried
from scripted_server import Answer, ScriptedServer

from rerankllm import Reranker
from rerankllm.backends.openai.completion import read_completion
from rerankllm.data import Usage

EVAL = Path(__file__).parents[3] / "eval" / "hosts" / "results.md"

every = pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.name)


@every
def test_text_ranks_at_every_host(shape):
    found = Tried(shape, "text")
    assert found.ranking is not None, found.said
    assert found.ranking.doc_ids == BEST_FIRST
    strict = {"Mistral": "seed is left out", "Gemini": "seed is left out",
              "Azure, a thinking model": "temperature is left out"}  # fmt: skip
    assert found.learnt == ([strict[shape.name]] if shape.name in strict else [])
    assert len(found.bodies) == 1 + len(found.learnt)


@every
def test_labels_are_read_where_they_are_told_and_else_refused_with_what_works(shape):
    found = Tried(shape, "labels")
    if shape.tells:
        assert found.ranking is not None, found.said
        assert found.ranking.doc_ids == BEST_FIRST
        assert found.ranking[0].score == pytest.approx(0.9)
        return
    assert found.ranking is None
    assert "/ text" in found.said
    assert len(found.bodies) <= 2  # the first goes alone


@every
def test_answers_are_held_where_a_host_can_and_else_refused(shape):
    found = Tried(shape, "held")
    if not shape.holds:
        assert found.ranking is None
        assert "does not hold answers to a form" in found.said
        return
    assert found.ranking is not None, found.said
    assert found.ranking.doc_ids == BEST_FIRST
    assert shape.holds in found.bodies[-1]


@every
def test_an_opened_answer_is_sent_to_vllm_only_and_elsewhere_left_to_the_model(shape):
    found = Tried(shape, "opened")
    if shape.tells:
        assert found.ranking is not None, found.said
        assert found.ranking.doc_ids == BEST_FIRST
    else:
        assert "text" in found.said
        assert len(found.bodies) <= 2  # a temperature that is refused comes first
    for body in found.bodies:
        assert body.get("continue_final_message", False) is (shape.name == "vLLM")
        assert (body["messages"][-1]["role"] == "assistant") is (shape.name == "vLLM")


@every
def test_thinking_off_is_told_and_what_ignores_it_is_said(shape):
    found = Tried(shape, "thinking")
    assert found.ranking is not None, found.said
    assert found.ranking.doc_ids == BEST_FIRST
    ignored = any("thinks, though it is told not to" in message for message in found.warnings)
    visible = shape.thinks and shape.thought != "hidden"
    assert ignored == (visible and not shape.silent[0])
    assert found.learnt == (["reasoning_effort is left out"] if shape.name == "Mistral" else [])


@every
def test_cached_tokens_are_read_in_every_shape(shape):
    usage = Tried(shape, "text").ranking.ledger.usage
    assert usage.cached_tokens == (64 if "64" in json.dumps(shape.usage) else 0)


@pytest.mark.parametrize(
    "usage",
    [
        {"prompt_tokens": 90, "completion_tokens": 9, "prompt_tokens_details": {"cached_tokens": 64}},
        {"prompt_tokens": 90, "completion_tokens": 9, "prompt_cache_hit_tokens": 64, "prompt_cache_miss_tokens": 26},
        {"prompt_tokens": 90, "completion_tokens": 9, "prompt_tokens_details": None, "cached_tokens": 64},
        {"prompt_tokens": 90, "completion_tokens": 9, "cache_read_input_tokens": 64, "cache_creation_input_tokens": 0},
    ],
    ids=["OpenAI", "DeepSeek", "Moonshot", "Anthropic through a gateway"],
)
def test_cached_tokens_are_priced_and_shown(usage):
    with (
        ScriptedServer(lambda body, n: Answer("[2] > [1]", usage=usage)) as server,
        Reranker(
            "sliding / text",
            f"openai:m?base_url={server.url}&price_prompt=10&price_completion=0&price_cached=1",
        ) as reranker,
    ):
        ledger = reranker.rerank("q", ["a", "b"]).ledger
    assert (ledger.usage.prompt_tokens, ledger.usage.cached_tokens) == (90, 64)
    assert ledger.cost_usd == pytest.approx((26 * 10 + 64 * 1) / 1e6)


def test_llama_cpps_server_tells_of_its_cache_in_builds_whose_usage_does_not():
    body = {
        "choices": [{"message": {"role": "assistant", "content": "[2]"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 90, "completion_tokens": 3, "total_tokens": 93},
        "timings": {"cache_n": 64, "prompt_n": 26, "predicted_n": 3},
    }
    assert read_completion(json.dumps(body)).usage == Usage(90, 3, 64)


def test_the_table_in_eval_has_every_host():
    written = EVAL.read_text(encoding="utf-8")
    assert [shape.name for shape in SHAPES if f"| {shape.name} |" not in written] == []
