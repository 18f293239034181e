"""Models that think, prices, and what is sent to OpenAI's own host."""

import asyncio
import re
from importlib import resources

import pytest
import yaml

pytest.importorskip("openai")

from scripted_server import Answer, ScriptedServer

from rerankllm.backends.openai.backend import OpenAI
from rerankllm.backends.openai.known_models import Known, known
from rerankllm.backends.openai.request import THOUGHT_TOKENS
from rerankllm.calls import ChatPrompt, Generate, Message, Request, Response
from rerankllm.data import Candidate, Document, Query, Usage
from rerankllm.drivers.events import Failed
from rerankllm.errors import CapabilityError, InputError
from rerankllm.reranker import Reranker
from rerankllm.runs import notices

REQUEST = Request(ChatPrompt((Message("user", "which is better?"),)), Generate(12))


def ask(script, name, **options):
    """The outcome of one request, and the body it was sent with."""
    with ScriptedServer(script) as server:

        async def run():
            backend = OpenAI(name=name, base_url=server.url, **options)
            try:
                return await backend.complete(REQUEST)
            finally:
                await backend.aclose()

        outcome = asyncio.run(run())
    return outcome, server.bodies[0]


@pytest.mark.parametrize(
    "name", ["o1", "o3", "o4-mini", "gpt-5", "gpt-5-mini-2025-08-07", "openai/o3", "o3-2031-01-01"]
)
def test_a_model_that_thinks_is_sent_no_sampling_and_has_room_to_think(name):
    _, body = ask(lambda body, n: Answer("A"), name, reasoning_effort="low")
    assert body == {
        "model": name,
        "messages": [{"role": "user", "content": "which is better?"}],
        "max_completion_tokens": 12 + THOUGHT_TOKENS,
        "reasoning_effort": "low",
    }


@pytest.mark.parametrize("name", ["gpt-4o", "gpt-5-chat-latest", "gpt-4.1-nano", "my-o3", "o3x"])
def test_other_models_are_not_taken_for_such(name):
    _, body = ask(lambda body, n: Answer("A"), name)
    assert body["temperature"] == 0.0
    assert body["max_tokens"] == 12
    assert "reasoning_effort" not in body


def test_the_table_can_be_overruled():
    _, body = ask(lambda body, n: Answer("A"), "o3", reasoning=False, temperature=0.5)
    assert (body["temperature"], body["max_tokens"]) == (0.5, 12)
    _, body = ask(lambda body, n: Answer("A"), "qwen", reasoning=True, temperature=0.6)
    assert (body["temperature"], body["max_tokens"]) == (0.6, 12 + THOUGHT_TOKENS)
    _, body = ask(lambda body, n: Answer("A"), "o3", max_tokens=500)
    assert body["max_completion_tokens"] == 500
    with pytest.raises(InputError, match="takes no temperature"):
        OpenAI(name="o3", temperature=0.7)


def test_the_room_to_think_is_taken_from_the_context_and_leaves_half():
    url = "http://localhost:1/v1"
    assert OpenAI(name="o3", base_url=url, context=100_000).capabilities.context == 100_000 - THOUGHT_TOKENS
    small = OpenAI(name="o3", base_url=url, context=4096)
    assert small.capabilities.context == 2048
    assert small.most_tokens(Generate(12)) == 12 + 2048


@pytest.mark.parametrize(
    ("answer", "reasoning"),
    [
        (Answer("A", message={"reasoning_content": "B is worse"}), "B is worse"),
        (Answer("A", message={"reasoning": "B is worse"}), "B is worse"),
        (Answer("A", message={"reasoning": None, "reasoning_content": None}), None),
        (Answer("A", usage={"prompt_tokens": 7, "completion_tokens": 300,
                            "completion_tokens_details": {"reasoning_tokens": 256}}), ""),
        (Answer("A", usage={"prompt_tokens": 7, "completion_tokens": 3,
                            "completion_tokens_details": {"reasoning_tokens": 0}}), None),
        (Answer("A"), None),
    ],
)  # fmt: skip
def test_thoughts_kept_apart_are_no_part_of_the_answer(answer, reasoning):
    outcome, _ = ask(lambda body, n: answer, "any")
    assert isinstance(outcome, Response)
    assert (outcome.text, outcome.reasoning) == ("A", reasoning)


def test_a_model_known_to_think_hides_its_thoughts():
    outcome, _ = ask(lambda body, n: Answer("A"), "o3")
    assert outcome.reasoning == ""


def test_labels_are_refused_before_the_first_call_where_a_model_thinks():
    with ScriptedServer(lambda body, n: Answer("A")) as server:
        with pytest.raises(CapabilityError, match="use / text"):
            Reranker("pointwise / labels", f"openai:o3?base_url={server.url}")
        assert server.calls == 0


def test_a_budget_spent_on_thoughts_is_named():
    usage = {"prompt_tokens": 7, "completion_tokens": 8204, "completion_tokens_details": {"reasoning_tokens": 8204}}
    answer = Answer("", finish_reason="length", usage=usage)
    with (
        ScriptedServer(lambda body, n: answer) as server,
        Reranker("sliding / text", f"openai:o3?base_url={server.url}", unusable="fail") as reranker,
    ):
        [failed] = reranker.stream([(Query("1", "q"), [Candidate(Document(str(i), "text")) for i in range(3)])])
    assert isinstance(failed, Failed)
    assert "thought until its tokens ran out, and answered nothing; give it room to think" in failed.reason
    assert failed.ledger.usage == Usage(7, 8204)  # paid for all the same


# --- prices ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "dollars"),
    [
        ("gpt-4o", 2.5 + 10), ("gpt-4o-2024-08-06", 2.5 + 10), ("gpt-4o-2024-05-13", 5 + 15), ("gpt-4o-mini", 0.75),
        ("gpt-4.1-nano-2025-04-14", 0.5), ("o3", 10), ("o4-mini", 5.5), ("gpt-5-mini", 2.25),
    ],
)  # fmt: skip
def test_prices_of_openais_own_host(name, dollars):
    assert OpenAI(name=name).cost(Usage(1_000_000, 1_000_000)) == pytest.approx(dollars)


@pytest.mark.parametrize("name", ["gpt-4o-2031-01-01", "gpt-4", "gpt-9", "gpt-4o-audio-preview", "ft:gpt-4o:me::x"])
def test_what_is_not_listed_has_no_price_rather_than_none_to_pay(name):
    assert OpenAI(name=name).cost(Usage(1, 1)) is None


@pytest.mark.parametrize(
    "more",
    [
        {"prompt_tokens_details": {"cached_tokens": 800_000}},
        {"prompt_cache_hit_tokens": 800_000, "prompt_cache_miss_tokens": 200_000},
        {"cached_tokens": 800_000},
        {"cache_read_input_tokens": 800_000},
    ],
)
def test_cached_tokens_are_read_priced_and_shown(more, monkeypatch, tmp_path):
    usage = {"prompt_tokens": 1_000_000, "completion_tokens": 0, **more}
    outcome, _ = ask(lambda body, n: Answer("A", usage=usage), "any")
    assert outcome.usage == Usage(1_000_000, 0, 800_000)
    assert OpenAI(name="gpt-5").cost(outcome.usage) == pytest.approx(0.2 * 1.25 + 0.8 * 0.125)
    url = "http://localhost:1/v1"
    assert OpenAI(name="m", base_url=url, price_prompt=2.0, price_completion=1.0).cost(outcome.usage) == 2.0
    given = OpenAI(name="m", base_url=url, price_prompt=2.0, price_completion=1.0, price_cached=1.0)
    assert given.cost(outcome.usage) == pytest.approx(1.2)
    with ScriptedServer(lambda body, n: Answer("[2] > [1]", usage=usage)) as server:
        model = f"openai:m?base_url={server.url}&price_prompt=2&price_completion=1&price_cached=1"
        with Reranker("sliding / text", model, journal=tmp_path / "journal") as reranker:
            first = reranker.rerank("q", ["a", "b"]).ledger
        with Reranker("sliding / text", model, journal=tmp_path / "journal") as reranker:
            again = reranker.rerank("q", ["a", "b"]).ledger
    assert first.usage == again.usage == outcome.usage
    assert (first.cost_usd, again.replayed) == (pytest.approx(1.2), 1)
    cost = {"calls": 1, "replayed": 0, "prompt_tokens": 1_000_000, "completion_tokens": 0, "cached_tokens": 800_000,
            "queries": 1, "failed_queries": 0, "answers": {"parsed": 1, "repaired": 0, "failed": 0}, "cost_usd": 1.2,
            "wall_seconds": 1.0}  # fmt: skip
    said = []
    monkeypatch.setattr(notices, "tell", said.append)
    notices.tell_summary(cost)
    assert "1000000 tokens (800000 of them cached), 1.0 s, $1.2" in said[0]


def test_other_hosts_have_prices_of_their_own():
    url = "http://localhost:1/v1"
    assert OpenAI(name="gpt-4o", base_url=url).cost(Usage(1, 1)) is None
    given = OpenAI(name="gpt-4o", base_url=url, price_prompt=1.0, price_completion=2.0)
    assert given.cost(Usage(1_000_000, 1_000_000)) == pytest.approx(3.0)
    assert OpenAI(name="gpt-4o", price_prompt=0.0).cost(Usage(1_000_000, 1_000_000)) == pytest.approx(10.0)


def test_the_table_is_dated_and_whole():
    text = (resources.files("rerankllm.backends.openai") / "models.yaml").read_text(encoding="utf-8")
    table = yaml.safe_load(text)
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", str(table["as_of"]))
    assert table["source"].startswith("https://")
    for name, entry in table["models"].items():
        assert 0 < entry["prompt"] < entry["completion"], name
        assert entry.keys() <= {"prompt", "cached", "completion", "thinks", "snapshots"}, name
        assert 0 < entry.get("cached", 0.001) < entry["prompt"], name
        for date in entry.get("snapshots", ()):
            assert known(f"{name}-{date}") == known(name)
    assert known("o3-2031-01-01") == Known(thinks=True)
