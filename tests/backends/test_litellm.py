"""LiteLLM against a scripted host of a provider whose API is not OpenAI's: Anthropic's messages."""

import asyncio
import json

import pytest

pytest.importorskip("openai")

from needs import needs
from scripted_server import Garbage, ScriptedServer, Status

from rerankllm import Reranker
from rerankllm.backends.litellm import LiteLLM, _known
from rerankllm.calls import CallFailed, ChatPrompt, Generate, Message, ReadLabels, Request, Response
from rerankllm.data import Usage
from rerankllm.errors import AuthError, CapabilityError, InputError

needs("litellm", extra="litellm")
NAME = "anthropic/claude-haiku-4-5"
PROMPT = ChatPrompt((Message("system", "you rank"), Message("user", "which is better?")))
pytestmark = [
    pytest.mark.filterwarnings("ignore"),  # LiteLLM's own
    pytest.mark.slow,  # it takes seconds to import
]
WORK = Request(PROMPT, Generate(12, stop=("\n",)))


def price(prompt, completion):
    """US dollars for so many tokens, by LiteLLM's table."""
    _, _, table = _known(NAME)
    return pytest.approx(prompt * table["input_cost_per_token"] + completion * table["output_cost_per_token"])


@pytest.fixture(autouse=True)
def key(monkeypatch):
    monkeypatch.setenv("ANTHROPIC_API_KEY", "secret-key")


def said(text, *, stop="end_turn", thought=None, cached=0):
    content = [] if thought is None else [{"type": "thinking", "thinking": thought, "signature": "x"}]
    return Garbage(
        json.dumps({
            "id": "msg_1", "type": "message", "role": "assistant", "model": "claude", "stop_reason": stop,
            "content": [*content, {"type": "text", "text": text}],
            "usage": {"input_tokens": 7, "output_tokens": 3, "cache_read_input_tokens": cached,
                      "cache_creation_input_tokens": 0},
        })
    )  # fmt: skip


def ask(script, *works, name=NAME, **options):
    with ScriptedServer(script) as server:

        async def run():
            backend = LiteLLM(name=name, base_url=server.url.removesuffix("/v1"), **options)
            try:
                return [await backend.complete(work) for work in works]
            finally:
                await backend.aclose()

        return asyncio.run(run()), server


def test_a_request_is_translated_and_so_is_the_answer():
    [outcome], server = ask(lambda *_: said("[2] > [1]", cached=5), WORK)
    assert isinstance(outcome, Response)
    assert (outcome.text, outcome.finish_reason, outcome.attempts) == ("[2] > [1]", "stop", 1)
    assert outcome.usage == Usage(12, 3, 5)
    assert server.paths == ["/v1/messages"]
    body = server.bodies[0]
    assert body["model"] == "claude-haiku-4-5"
    assert (body["max_tokens"], body["temperature"], body["stop_sequences"]) == (12, 0.0, ["\n"])
    assert "you rank" in json.dumps(body["system"])
    assert server.headers[0]["x-api-key"] == "secret-key"


@pytest.mark.parametrize(
    ("options", "cost"),
    [
        ({"price_prompt": 2.0, "price_completion": 4.0}, 12 * 2.0 + 3 * 4.0),
        ({"price_prompt": 2.0, "price_completion": 4.0, "price_cached": 0.5}, 7 * 2.0 + 5 * 0.5 + 3 * 4.0),
    ],
)
def test_cached_tokens_are_priced(options, cost):
    backend = LiteLLM(name=NAME, **options)
    assert backend.cost(Usage(12, 3, 5)) == pytest.approx(cost / 1e6)


def test_it_ranks():
    with (
        ScriptedServer(lambda *_: said("[2] > [1]")) as server,
        Reranker("sliding / text", f"litellm:{NAME}?base_url={server.url.removesuffix('/v1')}") as reranker,
    ):
        ranking = reranker.rerank("q", ["a", "b"])
    assert [result.document.text for result in ranking] == ["b", "a"]
    assert ranking.ledger.cost_usd == price(7, 3)


def test_thoughts_and_why_an_answer_ended_are_kept():
    [outcome], _ = ask(lambda *_: said("", stop="max_tokens", thought="hm"), WORK)
    assert (outcome.text, outcome.reasoning, outcome.finish_reason) == ("", "hm", "length")


@pytest.mark.parametrize(("thinking", "sent"), [("off", None), ("2000", {"type": "enabled", "budget_tokens": 2000})])
def test_thinking_is_told_in_the_providers_words(thinking, sent):
    name = "anthropic/claude-3-7-sonnet-20250219"
    _, server = ask(lambda *_: said("[2] > [1]"), WORK, name=name, thinking=thinking)
    body = server.bodies[0]
    assert body.get("thinking") == sent
    assert body["max_tokens"] == (12 if sent is None else 2012)
    assert ("temperature" in body) == (sent is None)


@pytest.mark.parametrize("first", [429, 503, 529])
def test_what_may_help_is_tried_again(first):
    error = {"type": "error", "error": {"type": "overloaded_error", "message": "slow down"}}
    [outcome], server = ask(
        lambda _, n: said("x") if n else Status(first, error, {"retry-after": "0.01"}), WORK, retries=1
    )
    assert (outcome.text, outcome.attempts, server.calls) == ("x", 2, 2)


def test_a_wrong_key_costs_one_call():
    error = {"type": "error", "error": {"type": "authentication_error", "message": "invalid x-api-key"}}
    with pytest.raises(AuthError, match="invalid x-api-key.*check the key and the model name"):
        ask(lambda *_: Status(401, error), WORK, WORK)


def test_a_refused_request_fails_alone():
    error = {"type": "error", "error": {"type": "invalid_request_error", "message": "nonsense"}}
    [outcome], server = ask(lambda *_: Status(400, error), WORK)
    assert isinstance(outcome, CallFailed)
    assert "nonsense" in outcome.reason
    assert server.calls == 1


def test_what_it_cannot_do_is_said_before_any_call():
    assert LiteLLM(name=NAME).capabilities.label_logprobs == 0
    with pytest.raises(CapabilityError, match="use / text"):
        Reranker("pointwise / labels", f"litellm:{NAME}")
    with pytest.raises(InputError, match="knows no such provider"):
        LiteLLM(name="whatever")
    [outcome], server = ask(lambda *_: said("x"), Request(ChatPrompt(()), ReadLabels(("A", "B"))))
    assert isinstance(outcome, CallFailed)
    assert server.calls == 0


def test_prices_and_context_come_from_its_table():
    backend = LiteLLM(name=NAME)
    assert backend.cost(Usage(10, 3)) == price(10, 3)
    assert backend.cost(Usage(10, 0, 10)) < backend.cost(Usage(10, 0))
    assert backend.capabilities.context == 200_000
    assert LiteLLM(name=NAME, price_prompt=1.0, price_completion=2.0).cost(Usage(10**6, 10**6, 5)) == pytest.approx(3.0)
    assert LiteLLM(name="anthropic/claude-99").cost(Usage(1, 1)) is None
