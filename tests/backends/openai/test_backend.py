import asyncio
import json
import logging
import math
import socket
import sys
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("openai")

from scripted_server import Answer, Delay, Drop, Garbage, Hang, Meet, ScriptedServer, Status, Trickle
from timing_out import times_out_at_once
from waiting import GUARD, leap

from rerankllm.backends.openai.backend import OpenAI
from rerankllm.backends.openai.completion import UnusableError, read_completion, server_message
from rerankllm.backends.openai.endpoint import Endpoint
from rerankllm.backends.openai.labels import label_logprobs
from rerankllm.backends.remote import PATIENCE
from rerankllm.calls import (
    CallFailed,
    ChatPrompt,
    Generate,
    Message,
    ReadContinuation,
    ReadLabels,
    Request,
    Response,
    TokenPrompt,
)
from rerankllm.data import Candidate, Document, Query, Usage
from rerankllm.errors import AuthError, BackendError, CapabilityError, InputError, MissingExtra
from rerankllm.judgements import Write
from rerankllm.reranker import Reranker
from rerankllm.spec.model import ModelSpec

KEY = "sk-proj-0123456789-very-secret"  # as conftest.py sets it
SOON = {"retry-after-ms": "1"}  # what the SDK takes as leave to retry at once


def prompt(text="which is better?"):
    return ChatPrompt((Message("system", "you rank"), Message("user", text)))


def generate(text="which is better?", max_tokens=12, stop=()):
    return Request(prompt(text), Generate(max_tokens, stop))


def labels(*names):
    return Request(prompt(), ReadLabels(names))


def ask(url, *works, **options):
    """What one backend makes of these, all at once."""

    async def run():
        backend = OpenAI(name="scripted", base_url=url, **options)
        try:
            return await backend.complete_all(works)
        finally:
            await backend.aclose()

    return asyncio.run(run())


def ask_script(script, *works, **options):
    """The same of a server of its own; with it, to see what it received."""
    with ScriptedServer(script) as server:
        return ask(server.url, *works, **options), server


@pytest.fixture
def closed():
    """A socket whose port is taken and refuses connections until something listens on it."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound


def url_of(bound):
    return f"http://127.0.0.1:{bound.getsockname()[1]}/v1"


# --- answers ------------------------------------------------------------------------------------------------


def test_an_answer_and_what_was_sent_for_it():
    [outcome], server = ask_script(lambda body, n: Answer("[2] > [1]"), generate(stop=("\n",)), seed=7)
    assert outcome == Response("[2] > [1]", usage=Usage(7, 3), attempts=1, finish_reason="stop")
    assert server.bodies == [
        {
            "model": "scripted",
            "messages": [
                {"role": "system", "content": "you rank"},
                {"role": "user", "content": "which is better?"},
            ],
            "max_tokens": 12,
            "stop": ["\n"],
            "temperature": 0.0,
            "seed": 7,
        }
    ]
    assert server.headers[0]["authorization"] == f"Bearer {KEY}"


def test_options_change_what_is_sent():
    _, server = ask_script(
        lambda body, n: Answer("x"), generate(), max_tokens=900, temperature=None, repetition_penalty=None
    )
    assert server.bodies[0]["max_tokens"] == 900
    assert not {"temperature", "repetition_penalty", "repeat_penalty"} & set(server.bodies[0])
    assert "seed" not in server.bodies[0]
    assert "stop" not in server.bodies[0]


def test_openai_itself_is_sent_max_completion_tokens(monkeypatch):
    with ScriptedServer(lambda body, n: Answer("x")) as server:
        monkeypatch.setenv("HTTP_PROXY", server.url.removesuffix("/v1"))
        [outcome] = ask("http://api.openai.com/v1", generate())
    assert outcome.text == "x"
    assert server.bodies[0]["max_completion_tokens"] == 12
    assert "max_tokens" not in server.bodies[0]


def test_the_base_url_may_come_from_the_environment(monkeypatch):
    with ScriptedServer(lambda body, n: Answer("x")) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        [outcome] = ask(None, generate())
    assert outcome.text == "x"


def test_answers_come_back_in_order():
    def script(body, number):
        return Delay(0.002 * (number * 7 % 5), Answer(body["messages"][-1]["content"]))

    outcomes, server = ask_script(script, *(generate(f"prompt {i}") for i in range(40)))
    assert [outcome.text for outcome in outcomes] == [f"prompt {i}" for i in range(40)]
    assert server.calls == 40


@pytest.mark.parametrize("text", ["", None])
def test_an_empty_answer_is_an_answer(text):
    [outcome], _ = ask_script(lambda body, n: Answer(text, finish_reason="length"), generate())
    assert outcome == Response("", usage=Usage(7, 3), finish_reason="length")


def test_half_surrogates_do_not_stop_a_request():
    [outcome], server = ask_script(lambda body, n: Answer("x"), generate("broken \ud83d text"))
    assert outcome.text == "x"
    assert server.bodies[0]["messages"][-1]["content"] == "broken ? text"


@pytest.mark.parametrize("usage", [None, {}, {"prompt_tokens": "7", "completion_tokens": None}, [7, 3]])
def test_missing_usage_is_estimated_and_said_once(usage, caplog):
    outcomes, _ = ask_script(lambda body, n: Answer("[2] > [1]", usage=usage), *[generate()] * 3)
    assert all(0 < o.usage.prompt_tokens < 20 and 0 < o.usage.completion_tokens < 12 for o in outcomes)
    assert sum("reports no usage" in record.message for record in caplog.records) == 1


def test_cost():
    priced = OpenAI(name="m", base_url="http://localhost/v1", price_prompt=2.0, price_completion=8.0)
    assert priced.cost(Usage(1_000_000, 500_000)) == pytest.approx(6.0)
    assert OpenAI(name="m", base_url="http://localhost/v1", price_prompt=2.0).cost(Usage(1, 1)) is None


# --- keys, permissions, model names -------------------------------------------------------------------------


@pytest.mark.parametrize("concurrency", [1, 8, 64])
@pytest.mark.parametrize(
    ("status", "hint"), [(401, r"\$OPENAI_API_KEY"), (403, "may not use model scripted"), (404, "model name")]
)
def test_a_refusal_of_the_key_costs_one_call(status, hint, concurrency):
    error = {"error": {"message": f"no such\nthing: {KEY}", "code": status}}
    with ScriptedServer(lambda body, n: Status(status, error)) as server:
        with pytest.raises(AuthError, match=hint) as caught:
            ask(server.url, *[generate()] * 100, concurrency=concurrency)
        assert server.calls == 1
        message = str(caught.value)
        assert message.startswith(f"{server.url[7:-3]} answered {status}: no such thing: [key]; ")
        assert KEY not in message
        assert "\n" not in message


def test_later_requests_are_refused_without_being_sent():
    with ScriptedServer(lambda body, n: Status(401)) as server:

        async def run():
            backend = OpenAI(name="m", base_url=server.url)
            for _ in range(3):
                with pytest.raises(AuthError, match="answered 401"):
                    await backend.complete(generate())
            await backend.aclose()

        asyncio.run(run())
        assert server.calls == 1


def test_a_key_refused_midway_stops_the_rest():
    with ScriptedServer(lambda body, n: Answer("x") if n < 5 else Status(401)) as server:
        with pytest.raises(AuthError):
            ask(server.url, *[generate()] * 100, concurrency=4)
        assert server.calls <= 5 + 4


def test_a_key_is_asked_for_by_name_only_where_one_is_needed(monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY")
    for url in (None, "https://api.openai.com/v1", "https://eu.api.openai.com/v1"):
        with pytest.raises(InputError, match="OPENAI_API_KEY"):
            OpenAI(name="m", base_url=url).check()
    with pytest.raises(InputError, match="OTHER_KEY"):
        OpenAI(name="m", api_key_env="OTHER_KEY").check()
    with Reranker("pointwise / text", "openai:gpt-4o") as reranker:
        assert reranker.plan(3).calls.high == 3
        with pytest.raises(InputError, match="OPENAI_API_KEY"):
            reranker.rerank("q", ["a", "b"])
    with pytest.raises(InputError, match="OPENAI_API_KEY"):
        Endpoint.at(None, "OPENAI_API_KEY").check_key()
    [outcome], server = ask_script(lambda body, n: Answer("x"), generate())
    assert outcome.text == "x"
    assert server.headers[0]["authorization"] == "Bearer none"


@pytest.mark.parametrize("key", [f"{KEY}\n{KEY}", f"{KEY} x", f"{KEY}é"])
def test_what_cannot_be_a_key_is_not_sent_nor_shown(key, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", key)
    with pytest.raises(InputError, match=r"\$OPENAI_API_KEY holds") as caught:
        OpenAI(name="m")
    assert KEY not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["localhost:8000/v1", "ftp://host/v1", "http://", "http://host:port/v1", "http://[half/v1"]
)
def test_what_is_no_url_is_named(url):
    with pytest.raises(InputError, match="base_url must look like"):
        OpenAI(name="m", base_url=url)


@pytest.mark.parametrize("url", [f"http://me:{KEY}@host/v1", f"http://host/v1?key={KEY}", "http://host/v1#x"])
def test_secrets_in_the_url_are_refused_and_not_shown(url):
    with pytest.raises(InputError, match="a key belongs in") as caught:
        OpenAI(name="m", base_url=url)
    assert KEY not in str(caught.value)


def test_the_key_is_nowhere_to_be_seen(caplog, closed):
    caplog.set_level(logging.DEBUG)
    said = f"you sent {KEY}, that is sk-pr****cret"
    actions = [
        Answer("x"),
        Status(400, {"error": {"message": said}}),
        Status(500, said, SOON),
        Garbage(f"<html>{'<p>' * 20}{said}</html>"),
        Garbage(json.dumps({"error": {"message": "x" * 190 + KEY}})),
        Answer(None, message={"refusal": said}),
    ]
    shown = []
    with ScriptedServer(lambda body, n: actions[min(n, len(actions) - 1)]) as server:

        async def run():
            backend = OpenAI(name="m", base_url=server.url, retries=0)
            shown.append(repr(backend))
            shown.extend([repr(await backend.complete(generate())) for _ in actions])
            shown.extend((repr(backend), repr(vars(backend)), backend.model))
            await backend.aclose()

        asyncio.run(run())
    shown.append(repr(ask(url_of(closed), generate(), retries=0)))
    everything = "\n".join([*shown, caplog.text])
    assert sum("CallFailed" in line for line in shown) == 6
    assert everything.count("[key]") >= 5
    assert "sk-pr" not in everything
    assert "secret" not in everything


# --- the gate and the slots ---------------------------------------------------------------------------------


def test_no_more_than_concurrency_are_on_their_way():
    def script(body, number):
        return Meet(8, Delay(0.1, Answer("x"))) if number else Answer("x")

    _, server = ask_script(script, *[generate()] * 17, concurrency=8)
    assert server.max_in_flight == 8


def test_the_first_request_runs_alone():
    seen = []

    def script(body, number):
        seen.append(server.in_flight)
        return Meet(8, Answer("x")) if number else Delay(0.1, Answer("x"))

    with ScriptedServer(script) as server:
        ask(server.url, *[generate()] * 9, concurrency=8)
    assert seen == [1, *range(1, 9)]


def test_requests_go_one_at_a_time_until_one_succeeds():
    outcomes, server = ask_script(
        lambda body, n: Delay(0.02, Status(400, "too long")), *[generate()] * 10, concurrency=8
    )
    assert all(isinstance(o, CallFailed) and o.attempts == 1 for o in outcomes)
    assert server.calls == 10
    assert server.max_in_flight == 1


def test_a_useless_answer_shows_that_the_host_serves():
    useless = Answer(None, message={"refusal": "no"})
    outcomes, server = ask_script(lambda body, n: Meet(8, useless) if n else useless, *[generate()] * 9, concurrency=8)
    assert all(isinstance(o, CallFailed) for o in outcomes)
    assert server.max_in_flight == 8


def test_a_dead_server_fails_everyone_and_is_tried_twice(closed):
    outcomes = ask(url_of(closed), *[generate()] * 100, retries=1)
    assert {o.reason for o in outcomes if isinstance(o, CallFailed)} == {outcomes[0].reason}
    assert outcomes[0].reason.startswith(f"cannot reach {url_of(closed)[7:-3]}: ")
    assert outcomes[0].reason.endswith("is the server running?")
    assert sorted(o.attempts for o in outcomes) == [0] * 99 + [2]


def test_a_server_that_comes_up_later_is_found(closed):
    async def run():
        backend = OpenAI(name="m", base_url=url_of(closed), retries=0)
        first = await backend.complete_all([generate()] * 3)
        listening = await asyncio.start_server(lambda r, w: w.close(), sock=closed)
        second = await backend.complete(generate())
        listening.close()
        await listening.wait_closed()
        await backend.aclose()
        return first, second

    first, second = asyncio.run(run())
    assert [o.attempts for o in first] == [1, 0, 0]
    assert second.attempts == 1
    assert "broke the connection off" in second.reason


def test_after_one_success_a_lost_server_fails_each_request_for_itself():
    async def run():
        with ScriptedServer(lambda body, n: Answer("x")) as server:
            backend = OpenAI(name="m", base_url=server.url, retries=0)
            first = await backend.complete(generate())
        rest = await backend.complete_all([generate()] * 5)
        await backend.aclose()
        return first, rest

    first, rest = asyncio.run(run())
    assert first.text == "x"
    assert [o.attempts for o in rest] == [1] * 5
    assert all("cannot reach" in o.reason for o in rest)


@pytest.mark.slow
def test_a_server_killed_midway_is_not_asked_for_ever():
    """However many calls there are, a dead host costs a bounded number of attempts; the rest fail unsent."""
    concurrency, retries = 4, 1

    async def run():
        with ScriptedServer(lambda body, n: Answer("x")) as server:
            backend = OpenAI(name="m", base_url=server.url, retries=retries, concurrency=concurrency)
            before = await backend.complete_all([generate()] * 20)
        after = [outcome for _ in range(50) for outcome in await backend.complete_all([generate()] * 20)]
        await backend.aclose()
        return before, after

    before, after = asyncio.run(run())
    assert all(o.text == "x" for o in before)
    assert all(isinstance(o, CallFailed) and "cannot reach" in o.reason for o in after)
    asked = sum(o.attempts > 0 for o in after)
    assert 2 * concurrency < asked <= 3 * concurrency + 2 * PATIENCE
    assert sum(o.attempts for o in after) == (retries + 1) * asked


@pytest.mark.parametrize("death", [Status(500, "out of memory", SOON), Garbage("<p>bad gateway</p>"), Hang()])
def test_a_host_that_goes_bad_midway_is_given_up(death):
    concurrency = 4
    with ScriptedServer(lambda body, n: Answer("x") if n < 10 else death) as server, times_out_at_once(server):
        outcomes = ask(server.url, *[generate()] * 500, concurrency=concurrency, retries=0, timeout=GUARD)
    answered = [o for o in outcomes if isinstance(o, Response)]
    assert len(answered) == 10
    assert server.calls - 10 <= 3 * concurrency + 2 * PATIENCE
    assert sum(o.attempts for o in outcomes) == server.calls


def test_a_host_that_comes_back_is_used_again():
    """Down for a while in the middle: the gate closes, a probe finds it back, and all go out together again."""
    concurrency, down = 4, range(10, 10 + 2 * 4 + 2)
    seen = []

    def script(body, n):
        seen.append(server.in_flight)
        if n in down:
            return Status(500, "restarting", SOON)
        again = n >= down.stop + 3 and max(seen[down.stop + 3 :]) < concurrency
        return Meet(concurrency, Answer("x")) if again else Answer("x")

    with ScriptedServer(script) as server:
        outcomes = ask(server.url, *[generate()] * 100, concurrency=concurrency, retries=0)
    assert sum(isinstance(o, Response) for o in outcomes) == 100 - len(down)
    assert all(o.attempts == 1 for o in outcomes)
    assert max(seen[down.stop + 3 :]) == concurrency


@pytest.mark.slow
def test_failures_with_successes_in_between_close_nothing():
    outcomes, server = ask_script(
        lambda body, n: Status(500, "flaky", SOON) if n % 8 else Answer("x"),
        *[generate()] * 200,
        concurrency=4,
        retries=0,
    )
    assert server.calls == 200
    assert all(o.attempts == 1 for o in outcomes)


def test_after_the_cool_down_the_host_is_tried_again(closed):
    async def run():
        backend = OpenAI(name="m", base_url=url_of(closed), retries=0)
        first = [await backend.complete(generate()) for _ in range(5)]
        leap(asyncio.get_running_loop(), GUARD)
        await asyncio.sleep(0)
        last = await backend.complete(generate())
        await backend.aclose()
        return [o.attempts for o in first], last.attempts

    assert asyncio.run(run()) == ([1, 1, 0, 0, 0], 1)


@pytest.mark.slow
@pytest.mark.parametrize("action", [Status(503, "<h1>upstream is down</h1>", SOON), Garbage("<p>log in first</p>")])
def test_a_host_that_never_serves_is_given_up(action):
    outcomes, server = ask_script(lambda body, n: action, *[generate()] * 50, retries=1)
    assert all(isinstance(o, CallFailed) for o in outcomes)
    assert sum(o.attempts for o in outcomes) == server.calls <= 2 * PATIENCE
    assert sum(o.attempts > 0 for o in outcomes) == PATIENCE
    assert len({o.reason for o in outcomes}) == 1


def test_a_slow_start_is_no_reason_to_give_up():
    def script(body, number):
        return Status(503, "loading the model", SOON) if number < 4 else Answer("x")

    outcomes, server = ask_script(script, *[generate()] * 10, retries=1)
    assert [isinstance(o, CallFailed) for o in outcomes] == [True, True, *[False] * 8]
    assert server.calls == 2 * 2 + 8


def test_a_probe_that_is_cancelled_lets_the_next_one_through():
    async def run(url):
        backend = OpenAI(name="m", base_url=url)
        first = asyncio.ensure_future(backend.complete(generate()))
        second = asyncio.ensure_future(backend.complete(generate()))
        while not server.calls:  # noqa: ASYNC110 - it lives on another loop
            await asyncio.sleep(0.01)
        first.cancel()
        outcome = await second
        await backend.aclose()
        return outcome

    with ScriptedServer(lambda body, n: Hang() if n == 0 else Answer("x")) as server:
        assert asyncio.run(run(server.url)).text == "x"


# --- failures -----------------------------------------------------------------------------------------------


def test_a_rate_limit_is_waited_for():
    def script(body, number):
        return Status(429, {"error": {"message": "slow down"}}, {"Retry-After": "0"}) if number == 0 else Answer("x")

    [outcome], server = ask_script(script, generate())
    assert outcome.text == "x"
    assert outcome.attempts == server.calls == 2


@pytest.mark.slow
def test_retry_after_is_honoured():
    came = []

    def script(body, number):
        came.append(time.monotonic())
        return Status(429, "slow down", {"Retry-After": "1.2"}) if number == 0 else Answer("x")

    [outcome], _ = ask_script(script, generate())
    assert came[1] - came[0] >= 1.2  # which no machine is too slow for
    assert outcome.attempts == 2


def test_retry_after_an_hour_is_not_waited_for():
    [outcome], server = ask_script(lambda body, n: Status(429, "come later", {"Retry-After": "3600"}), generate())
    assert outcome == CallFailed(f"{server.url[7:-3]} answered 429: come later", attempts=1)
    assert server.calls == 1


@pytest.mark.parametrize("retries", [0, 2, 4])
@pytest.mark.parametrize("status", [500, 429])
def test_a_failing_host_is_asked_so_often_and_no_more(status, retries):
    [outcome], server = ask_script(lambda body, n: Status(status, "oh no", SOON), generate(), retries=retries)
    assert outcome == CallFailed(f"{server.url[7:-3]} answered {status}: oh no", attempts=1 + retries)
    assert server.calls == 1 + retries


def test_a_request_that_cannot_be_served_fails_at_once_and_alone():
    message = "stop sequences must not be empty"

    def script(body, number):
        too_long = "long" in body["messages"][-1]["content"]
        return Status(400, {"error": {"message": message}}) if too_long else Answer("x")

    outcomes, server = ask_script(script, generate("long"), generate(), generate("long"), generate())
    assert outcomes[0] == outcomes[2] == CallFailed(f"{server.url[7:-3]} answered 400: {message}", attempts=1)
    assert outcomes[1].text == outcomes[3].text == "x"
    assert server.calls == 4


def test_a_host_that_hangs():
    with ScriptedServer(lambda body, n: Hang()) as server, times_out_at_once(server):
        [outcome] = ask(server.url, generate(), timeout=GUARD, retries=1)
    assert "did not answer within 900 s" in outcome.reason
    assert outcome.attempts == server.calls == 2


def test_a_host_that_trickles():
    """Three quarters of the time-out, no more, pass between two bytes."""
    loops = []

    def script(body, number):
        return Trickle(0.02, told=lambda: leap(loops[0], 0.75 * GUARD))

    async def run(url):
        loops.append(asyncio.get_running_loop())
        backend = OpenAI(name="m", base_url=url, timeout=GUARD, retries=0)
        outcome = await backend.complete(generate())
        await backend.aclose()
        return outcome

    with ScriptedServer(script) as server:
        outcome = asyncio.run(run(server.url))
    assert "did not answer within 900 s" in outcome.reason
    assert outcome.attempts == 1


def test_a_host_that_drops_the_connection():
    [outcome], server = ask_script(lambda body, n: Drop(), generate(), retries=1)
    assert isinstance(outcome, CallFailed)
    assert "broke the connection off" in outcome.reason
    assert outcome.attempts == server.calls == 2


@pytest.mark.slow
def test_a_dropped_connection_is_retried():
    [outcome], server = ask_script(lambda body, n: Drop() if n == 0 else Answer("x"), generate(), retries=1)
    assert outcome.text == "x"
    assert outcome.attempts == server.calls == 2


LIES = {
    "web page": "<!DOCTYPE html><html><body>[1] > [2]</body></html>",
    "half a document": '{"choices": [{"message": {"content": "[1] > [2]"',
    "nothing": "",
    "text": "[1] > [2]",
    "list": "[]",
    "null": "null",
    "error": '{"error": {"message": "[1] > [2] is overloaded", "code": 502}}',
    "error text": '{"error": "[1] > [2]"}',
    "error beside choices": '{"error": {"message": "x"}, "choices": [{"message": {"content": "[1] > [2]"}}]}',
    "error in the choice": '{"choices": [{"error": {"message": "x"}, "message": {"content": "[1] > [2]"}}]}',
    "no choices": '{"choices": []}',
    "null choices": '{"choices": null, "message": {"content": "[1] > [2]"}}',
    "choice is text": '{"choices": ["[1] > [2]"]}',
    "completion, not chat": '{"choices": [{"text": "[1] > [2]", "finish_reason": "stop"}]}',
    "message is text": '{"choices": [{"message": "[1] > [2]"}]}',
    "content is an object": '{"choices": [{"message": {"content": {"text": "[1] > [2]"}}}]}',
    "content is a number": '{"choices": [{"message": {"content": 12}}]}',
    "nested too deep": "[" * 100_000,
}


@pytest.mark.slow
@pytest.mark.parametrize("lie", LIES)
def test_nothing_but_an_answer_becomes_text(lie):
    [outcome], server = ask_script(lambda body, n: Garbage(LIES[lie], "text/html"), generate(), retries=1)
    assert isinstance(outcome, CallFailed)
    assert outcome.reason.startswith(f"{server.url[7:-3]}: answered 200 with ")
    assert len(outcome.reason) < 330
    assert outcome.attempts == server.calls == 2


def test_after_a_lie_the_truth_counts():
    [outcome], server = ask_script(lambda body, n: Answer("x") if n else Garbage(LIES["half a document"]), generate())
    assert outcome.text == "x"
    assert outcome.attempts == server.calls == 2


def test_an_error_that_will_stay_is_not_asked_for_again():
    error = Garbage(json.dumps({"error": {"message": "no such thing", "code": 400}}))
    [outcome], server = ask_script(lambda body, n: error, generate())
    assert outcome.reason.endswith("answered 200 with an error: no such thing")
    assert outcome.attempts == server.calls == 1


@pytest.mark.parametrize(
    "error",
    [
        {"message": "This model's maximum context length is 4096 tokens.", "code": "context_length_exceeded"},
        {"message": "the request exceeds the available context size", "type": "exceed_context_size_error"},
    ],
)
def test_a_prompt_that_is_too_long_is_told_what_would_help(error):
    [outcome], server = ask_script(lambda body, n: Status(400, {"error": error}), generate())
    assert error["message"] in outcome.reason
    assert "--max-passage-tokens" in outcome.reason
    assert "smaller window" in outcome.reason
    assert outcome.attempts == server.calls == 1


def test_an_account_without_credit_is_one_call():
    error = {"error": {"message": "You exceeded your current quota", "code": "insufficient_quota"}}
    with ScriptedServer(lambda body, n: Status(429, error)) as server:
        with pytest.raises(AuthError, match="no credit left"):
            ask(server.url, *[generate()] * 20)
        assert server.calls == 1


def test_withheld_answers_are_no_answers():
    [outcome], _ = ask_script(lambda body, n: Answer("[1] >", finish_reason="content_filter"), generate())
    assert isinstance(outcome, CallFailed)
    assert "content filter" in outcome.reason
    [outcome], _ = ask_script(lambda body, n: Answer(None, message={"refusal": "I will not rank."}), generate())
    assert isinstance(outcome, CallFailed)
    assert outcome.reason.endswith("the model refused: I will not rank.")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "choices",
                    "message",
                    "content",
                    "logprobs",
                    "error",
                    "refusal",
                    "usage",
                    "token",
                    "top_logprobs",
                    "logprob",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@pytest.mark.slow
@given(json_values, json_values, json_values)
def test_bodies_of_any_shape_are_read_or_refused(whole, choice, message):
    choice = {**choice, "message": message} if isinstance(choice, dict) else choice
    for body in (whole, {"choices": [choice]}, {"choices": whole}):
        text = json.dumps(body)
        assert "\n" not in server_message(text)
        try:
            completion = read_completion(text)
        except UnusableError:
            continue
        assert isinstance(completion.text, str)


@pytest.mark.slow
@given(st.lists(json_values, max_size=4))
def test_log_probabilities_of_any_shape_are_read_or_refused(positions):
    positions = [{"token": "A", "top_logprobs": p} if i % 2 else p for i, p in enumerate(positions)]
    try:
        values, floor = label_logprobs(positions, ("A", "B"))
    except UnusableError:
        return
    assert len(values) == 2
    assert all(isinstance(value, float) for value in (*values, floor))


# --- labels -------------------------------------------------------------------------------------------------


def read(*positions, names=("A", "B", "C"), **answer):
    [outcome], server = ask_script(lambda body, n: Answer("…", logprobs=positions, **answer), labels(*names))
    return outcome, server


def test_labels_are_read_where_the_first_one_is_spelled_and_summed_over_variants():
    start = ("Passage", {"Passage": math.log(0.9), "A": math.log(0.05)})
    bracket = (" [", {" [": math.log(0.9), "C": math.log(0.05)})
    spelled = (
        "B",
        {"B": math.log(0.5), " b": math.log(0.2), "[B]": math.log(0.1), "A": math.log(0.1), "x": -9.0},
    )
    later = ("C", {"C": -0.1, "A": -3.0, "B": -4.0})
    outcome, server = read(start, bracket, spelled, ("]", {"]": -0.1}), later)
    assert outcome.logprobs[:2] == pytest.approx((math.log(0.1), math.log(0.8)))
    assert math.isnan(outcome.logprobs[2])
    assert outcome.floor == -9.0
    assert (outcome.text, outcome.usage, outcome.attempts) == ("", Usage(7, 3), 1)
    body = server.bodies[0]
    assert (body["logprobs"], body["top_logprobs"], body["max_tokens"]) == (True, 12, 5)


def test_no_more_than_twenty_alternatives_are_asked_for():
    _, server = read(("A", {"A": -1.0}), names=tuple("ABCDEFGHIJ"))
    assert server.bodies[0]["top_logprobs"] == 20


def test_the_chosen_token_counts_once_whether_or_not_it_is_among_the_alternatives():
    among, _ = read(("A", {"A": -0.5, "B": -1.5}))
    beside, _ = read(("A", {"B": -1.5}))
    assert among.logprobs[:2] == pytest.approx((-0.5, -1.5))
    assert beside.logprobs[:2] == pytest.approx((-1.0, -1.5))


@pytest.mark.parametrize(
    ("told", "bound"),
    [
        ({"A": 0.9}, 0.1 / 2),  # only the chosen token: B and C share what is left
        ({"A": 0.5, "x": 0.3, "y": 0.1}, 0.1 / 2),  # less is left than the last one of the list has
        ({"A": 0.5, "x": 0.01}, 0.01),  # a list of the likeliest: nobody behind it is likelier than its last
        ({"A": 1.0}, 1e-6 / 2),  # rounded
    ],
)
def test_labels_not_reported_share_the_probability_that_is_left(told, bound):
    outcome, _ = read(("A", {token: math.log(p) for token, p in told.items()}))
    assert outcome.logprobs[0] == pytest.approx(math.log(told["A"]))
    assert all(map(math.isnan, outcome.logprobs[1:]))
    assert math.exp(outcome.floor) == pytest.approx(bound)


def test_the_chosen_token_beside_the_list_bounds_nobody():
    outcome, _ = read(("A", {"x": math.log(0.5), "y": math.log(0.1)}))
    assert math.exp(outcome.floor) == pytest.approx((1 - 0.6 - math.exp(-1.0)) / 2)


@pytest.mark.parametrize("value", [math.nan, math.inf])
@pytest.mark.parametrize("label", ["A", "B"])
def test_what_is_no_number_is_no_answer(label, value):
    outcome, _ = read(("A", {"A": -0.5, "B": -1.5, label: value}))
    assert all(map(math.isnan, (*outcome.logprobs, outcome.floor)))
    harmless, _ = read(("A", {"A": -0.5, "B": -1.5, "x": value, "y": -math.inf}))
    assert harmless.logprobs[:2] == pytest.approx((-0.5, -1.5))


def test_case_counts_only_where_labels_need_it():
    outcome, _ = read(("yes", {"Yes": -0.5, "NO": -1.5}), names=("Yes", "No"))
    assert outcome.logprobs == pytest.approx((math.log(math.exp(-0.5) + math.exp(-1.0)), -1.5))
    outcome, _ = read(("a", {"A": -0.5, "a": -1.5}), names=("A", "a"))
    assert outcome.logprobs == pytest.approx((-0.5, -1.5))


def test_a_label_inside_a_word_is_none():
    nothing = (("No", {"No": -0.1}), ("thing", {"thing": -0.1}), (" yes", {" yes": -0.2, " No": -2.0}))
    outcome, _ = read(*nothing, names=("yes", "no"))
    assert outcome.logprobs == pytest.approx((-0.2, -2.0))
    ten = (("[", {"[": -0.1}), ("1", {"1": -0.1}), ("0", {"0": -0.1}))
    outcome, _ = read(*ten, names=("1", "2"))
    assert isinstance(outcome, CallFailed)
    assert outcome.reason.endswith("none of the labels was generated; use / text: [10")


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (Answer("A"), "this server returned no logprobs; use / text"),
        (Answer("A", logprobs=[]), "this server returned no logprobs; use / text"),
        (Answer("A", choice={"logprobs": None}), "this server returned no logprobs; use / text"),
        (
            Answer("A", logprobs=[("A", {})]),
            "this server returned no top_logprobs beside the chosen token; use / text",
        ),
        (Answer("Hm", logprobs=[("Hm", {"A": -1.0})]), "none of the labels was generated; use / text: Hm"),
    ],
)
def test_what_is_missing_to_read_labels_is_named(answer, reason):
    """Of an answer that comes after a good one."""
    good = Answer("A", logprobs=[("A", {"A": -0.1})])
    [_, outcome], server = ask_script(lambda body, n: answer if n else good, labels("A", "B"), labels("A", "B"))
    assert outcome == CallFailed(f"{server.url[7:-3]}: {reason}", attempts=1)


def test_a_server_that_tells_no_logprobs_is_asked_once():
    with ScriptedServer(lambda body, n: Answer("A")) as server:
        with pytest.raises(CapabilityError, match="returned no logprobs; use / text"):
            ask(server.url, *[labels("A", "B")] * 50)
        assert server.calls == 1


# --- what is not for a chat API -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("work", "reason"),
    [
        (Request(TokenPrompt((1, 2)), Generate(5)), "not token ids"),
        (Request(prompt(), ReadContinuation((1, 2))), "given tokens"),
        (
            Request(ChatPrompt((Message("user", "q"), Message("assistant", "["))), Generate(5)),
            "already opened",
        ),
        (Request(ChatPrompt(()), Generate(5)), "end the prompt with a user message"),
        (Write(Query("1", "q"), 3), "prompts only"),
    ],
)
def test_what_a_chat_api_cannot_do_is_not_sent(work, reason):
    [outcome], server = ask_script(lambda body, n: Answer("x"), work)
    assert isinstance(outcome, CallFailed)
    assert reason in outcome.reason
    assert outcome.attempts == server.calls == 0


def test_capabilities_and_defaults():
    backend = OpenAI(name="m", base_url="http://localhost:8000/v1", context=4096)
    able = backend.capabilities
    assert (able.generate, able.label_logprobs, able.context) == (True, 20, 4096)
    assert not able.token_prompts
    assert not able.continuation_logprobs
    assert backend.default_strategy == "sliding / text"
    assert backend.tokenizer.decode(backend.tokenizer.encode("some text")) == "some text"


# --- life of a backend --------------------------------------------------------------------------------------


def test_a_second_event_loop_is_a_clear_error():
    with ScriptedServer(lambda body, n: Answer("x")) as server:
        backend = OpenAI(name="m", base_url=server.url)
        first, second = asyncio.new_event_loop(), asyncio.new_event_loop()
        try:
            assert first.run_until_complete(backend.complete(generate())).text == "x"
            with pytest.raises(BackendError, match="belongs to the event loop it was first used on"):
                second.run_until_complete(backend.complete(generate()))
            with pytest.raises(BackendError, match="belongs to the event loop"):
                second.run_until_complete(backend.aclose())
            assert first.run_until_complete(backend.complete(generate())).text == "x"
            first.run_until_complete(backend.aclose())
        finally:
            first.close()
            second.close()
        assert server.calls == 2


def test_a_closed_backend_says_so():
    async def run():
        backend = OpenAI(name="m", base_url="http://localhost/v1")
        await backend.aclose()
        await backend.aclose()
        with pytest.raises(BackendError, match="is closed"):
            await backend.complete(generate())

    asyncio.run(run())


def test_the_printed_spec_can_be_read_back():
    url = "http://localhost:8000/v1"
    backend = OpenAI(name="org/m", base_url=url + "/", temperature=0.7, max_tokens=99, seed=1, context=512, timeout=3)
    assert backend.model == f"openai:org/m?base_url={url}&temperature=0.7&max_tokens=99&seed=1&context=512"
    assert ModelSpec.parse(backend.model).load().model == backend.model
    assert OpenAI(name="gpt-4o").model == OpenAI(name="gpt-4o", base_url="https://api.openai.com/v1").model
    assert OpenAI(name="gpt-4o").model == "openai:gpt-4o"
    unset = OpenAI(name="o3", temperature=None).model
    assert unset == ModelSpec.parse(unset).load().model == "openai:o3?temperature=none"


@pytest.mark.parametrize(
    "options", [{"name": ""}, {"timeout": 0}, {"retries": -1}, {"concurrency": 0}, {"max_tokens": 0}]
)
def test_options_out_of_range_are_named(options):
    with pytest.raises(InputError, match="openai:"):
        OpenAI(**{"name": "m", "base_url": "http://localhost/v1", **options})


@pytest.mark.parametrize("model", ["openai:m", "openai:m?base_url=http://localhost:1/v1", "cohere:m", "jina:m"])
def test_without_the_sdk_it_says_what_a_run_takes_and_how_to_install_it(monkeypatch, model):
    for package in ("openai", "httpx2"):
        monkeypatch.setitem(sys.modules, package, None)
    with Reranker("pointwise", model) as reranker:
        documents = [Candidate(Document("a", "some text"))]
        assert reranker.estimate([(Query("q", "x"), documents)]).prompt_tokens.high > 0
        with pytest.raises(
            MissingExtra, match=r"^this needs packages that are not installed: pip install 'rerankllm\[openai\]'$"
        ):
            reranker.rerank("x", ["some text"])
