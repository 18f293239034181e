"""vLLM's own ways, the completions API, and the look at a server before it is asked anything."""

import asyncio
import math

import pytest

pytest.importorskip("openai")

from scripted_server import Answer, Garbage, Hang, Meet, ScriptedServer, Status, Trickle

from rerankllm.backends.openai import server as looking
from rerankllm.backends.openai.backend import OpenAI
from rerankllm.calls import (
    CallFailed,
    ChatPrompt,
    Generate,
    Message,
    ReadLabels,
    Request,
    Response,
    TextPrompt,
)
from rerankllm.data import Ranking
from rerankllm.errors import AuthError, TemplateError
from rerankllm.reranker import Reranker

VLLM = [{"id": "scripted", "object": "model", "owned_by": "vllm", "max_model_len": 4096}]
OPENED = ChatPrompt((Message("user", "which?"), Message("assistant", "[")))


def ask(script, *works, models=VLLM, **options):
    with ScriptedServer(script, models=models) as server:

        async def run():
            backend = OpenAI(name="scripted", base_url=server.url, retries=0, **options)
            try:
                return await backend.complete_all(works)
            finally:
                await backend.aclose()

        return asyncio.run(run()), server


# --- the look -------------------------------------------------------------------------------------------------


def test_a_vllm_server_is_known_by_its_list():
    with ScriptedServer(lambda body, n: Answer("x"), models=VLLM) as server:
        backend = OpenAI(name="scripted", base_url=server.url)
        assert server.looks == 1
        assert server.calls == 0
    assert backend.capabilities.opened_chats
    assert backend.capabilities.context == 4096 - looking.TEMPLATE_TOKENS
    assert OpenAI(name="scripted", base_url=server.url, context=512).capabilities.context == 512


TOGETHER, ALONE = [1, 2, 3, 4], [1, 1, 2, 3]
LISTED = [{"id": "scripted"}]


@pytest.mark.parametrize(
    ("models", "list_key", "under_way"),
    [
        (VLLM, None, TOGETHER),
        (LISTED, None, ALONE),  # to anybody, so that the key may be wrong
        (LISTED, "right", TOGETHER),
        ([{"id": "other"}], "right", ALONE),
    ],
)
def test_the_first_request_goes_alone_but_where_the_list_was_shown_for_the_key(
    models, list_key, under_way, monkeypatch
):
    monkeypatch.setenv("OPENAI_API_KEY", "right")
    found = []

    def script(body, number):
        found.append(server.in_flight)
        return Answer("x") if found == [1] and under_way == ALONE else Meet(under_way[-1], Answer("x"))

    with ScriptedServer(script, models=models, list_key=list_key) as server:

        async def run():
            backend = OpenAI(name="scripted", base_url=server.url)
            await backend.complete_all([Request(ChatPrompt((Message("user", "which?"),)), Generate(5))] * 4)
            await backend.aclose()

        asyncio.run(run())
    assert found == under_way


@pytest.mark.parametrize(
    "models",
    [
        None,
        (),
        ({"id": "scripted"},),
        ({"id": "other", "owned_by": "llamacpp"},),
        Status(403, "no listing"),
        Status(500, "oh no"),
        Garbage("<html>"),
        Garbage("[1]"),
        Garbage('{"data": [1, null]}'),
    ],
)
def test_a_server_that_says_nothing_of_the_kind_is_asked_plainly(models):
    [outcome], _ = ask(lambda body, n: Answer("x"), Request(OPENED, Generate(5)), models=models)
    assert isinstance(outcome, CallFailed)
    assert "already opened" in outcome.reason
    with ScriptedServer(lambda body, n: Answer("x"), models=models) as server:
        backend = OpenAI(name="scripted", base_url=server.url)
    assert backend.capabilities.context is None
    assert not backend.capabilities.opened_chats


@pytest.mark.parametrize("models", [Hang(), Trickle(0.01)])
def test_a_look_takes_no_longer_than_its_limit(models, monkeypatch):
    monkeypatch.setattr(looking, "LOOK_SECONDS", 0.2)
    with ScriptedServer(lambda body, n: Answer("x"), models=models) as server:  # which never comes to an end
        assert OpenAI(name="scripted", base_url=server.url).capabilities.context is None


def test_a_wrong_key_shows_for_free(monkeypatch):
    refusal = Status(401, {"error": {"message": "Invalid key sk-proj-0123456789-very-secret"}})
    with ScriptedServer(lambda body, n: Answer("x"), models=refusal) as server:
        with pytest.raises(AuthError, match=r"401: Invalid key \[key\]; check the key in \$OPENAI_API_KEY"):
            OpenAI(name="scripted", base_url=server.url)
        assert server.calls == 0


def test_a_model_that_a_vllm_server_lacks_shows_for_free():
    with ScriptedServer(lambda body, n: Answer("x"), models=VLLM) as server:
        with pytest.raises(AuthError, match="serves no model other; it serves scripted"):
            OpenAI(name="other", base_url=server.url)
        assert server.calls == 0


@pytest.mark.parametrize(("status", "under_way"), [(200, TOGETHER), (404, ALONE), (403, ALONE)])
def test_openai_is_asked_for_the_model_before_many_requests_go_out(status, under_way, monkeypatch):
    """No request of this test leaves the machine: the SDK's transport is replaced."""
    import httpx2

    monkeypatch.setenv("OPENAI_API_KEY", "right")
    asked, now, most = [], 0, []

    async def answer(transport, request):
        nonlocal now
        asked.append(request.url.path)
        if request.method == "GET":
            return httpx2.Response(status, json={"id": "gpt-4o"})
        now += 1
        most.append(now)
        await request.extensions["trace"]("http11.send_request_body.complete", {})  # as the real transport tells it
        await asyncio.sleep(0.05)
        now -= 1
        choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "x"}}
        return httpx2.Response(200, json={"choices": [choice], "usage": {"prompt_tokens": 1, "completion_tokens": 1}})

    monkeypatch.setattr(httpx2.AsyncHTTPTransport, "handle_async_request", answer)

    async def run():
        backend = OpenAI(name="gpt-4o")
        await backend.complete_all([Request(ChatPrompt((Message("user", "which?"),)), Generate(5))] * 4)
        await backend.aclose()

    asyncio.run(run())
    assert asked == ["/v1/models/gpt-4o", *["/v1/chat/completions"] * 4]
    assert (most[0], max(most[:2])) == (1, under_way[1])


def test_openais_own_host_is_not_looked_at(monkeypatch):
    monkeypatch.setattr("rerankllm.backends.openai.backend.look", lambda *_: pytest.fail("looked"))
    assert OpenAI(name="gpt-4o").capabilities.label_logprobs == 20


# --- vLLM's own options ---------------------------------------------------------------------------------------


def test_an_opened_answer_is_gone_on_with():
    [outcome], server = ask(lambda body, n: Answer("2] > [1]"), Request(OPENED, Generate(5)))
    assert outcome.text == "2] > [1]"
    body = server.bodies[0]
    assert (body["add_generation_prompt"], body["continue_final_message"]) == (False, True)
    assert body["messages"][-1] == {"role": "assistant", "content": "["}
    closed = Request(ChatPrompt((Message("user", "which?"),)), Generate(5))
    _, server = ask(lambda body, n: Answer("x"), closed)
    assert not {"add_generation_prompt", "continue_final_message", "structured_outputs"} & set(server.bodies[0])


def test_answers_are_held_to_labels_and_that_is_checked(caplog):
    prompt = ChatPrompt((Message("user", "relevant?"),))
    reads = Request(prompt, ReadLabels(("Yes", "No")))
    writes = Request(prompt, Generate(24, choices=("Yes", "No")))
    good = Answer("Yes", logprobs=[("Yes", {"Yes": -0.1, "No": -2.0})])
    outcomes, server = ask(lambda body, n: good, reads, writes)
    assert outcomes[0].logprobs == pytest.approx((-0.1, -2.0))
    assert outcomes[1].text == "Yes"
    assert [body["structured_outputs"] for body in server.bodies] == [{"choice": ["Yes", "No"]}] * 2
    assert caplog.text == ""
    polite = Answer("The answer is Yes", logprobs=[("The", {"The": -0.1}), (" Yes", {" Yes": -0.1, " No": -2.0})])
    outcomes, _ = ask(lambda body, n: polite, reads, writes, writes)
    assert all(isinstance(o, Response) for o in outcomes)
    assert caplog.text.count("does not hold answers to the labels") == 1


def test_other_servers_are_not_sent_what_only_vllm_knows():
    writes = Request(ChatPrompt((Message("user", "relevant?"),)), Generate(24, choices=("Yes", "No")))
    for models, options in ((None, {}), (VLLM, {"reasoning": True})):
        _, server = ask(lambda body, n: Answer("Yes"), writes, models=models, **options)
        assert "structured_outputs" not in server.bodies[0]


def test_a_ranking_over_a_vllm_server_goes_on_with_the_template_opening():
    def script(body, _):
        assert body["messages"][-1] == {"role": "assistant", "content": "["}
        letters = [("C", {"A": -3.0, "B": -2.0, "C": -0.2})]
        return Answer("C", logprobs=letters)

    with (
        ScriptedServer(script, models=VLLM) as server,
        Reranker("sliding / labels", f"openai:scripted?base_url={server.url}") as reranker,
    ):
        ranking = reranker.rerank("q", ["a", "b", "c"])
        body = server.bodies[0]
    assert [r.document.text for r in ranking] == ["c", "b", "a"]
    assert body["structured_outputs"] == {"choice": ["A", "B", "C"]}


# --- the completions API --------------------------------------------------------------------------------------


def test_plain_text_goes_to_the_completions_api():
    request = Request(TextPrompt("Ranking: ["), Generate(9, stop=("\n",)))
    [outcome], server = ask(lambda body, n: Answer("2] > [1]"), request, api="completions", models=None)
    assert (outcome.text, outcome.finish_reason) == ("2] > [1]", "stop")
    assert server.bodies[0] == {
        "model": "scripted", "prompt": "Ranking: [", "stop": ["\n"], "max_tokens": 9,
        "temperature": 0.0,
    }  # fmt: skip


def test_labels_are_read_off_the_old_shape_of_logprobs():
    told = [("\n", {"\n": -0.1, " B": -9.0}), (" A", {" A": -0.5, " B": -1.5, "x": -4.0})]
    request = Request(TextPrompt("better:"), ReadLabels(("A", "B", "C")))
    [outcome], server = ask(lambda body, n: Answer("\n A", logprobs=told), request, api="completions", models=None)
    assert outcome.logprobs[:2] == pytest.approx((-0.5, -1.5))
    assert math.isnan(outcome.logprobs[2])
    assert outcome.floor == -4.0
    assert server.bodies[0]["logprobs"] == 12
    assert "top_logprobs" not in server.bodies[0]


@pytest.mark.parametrize("body", ['{"choices": [{"message": {"content": "x"}}]}', '{"choices": [{"text": 3}]}', "{}"])
def test_what_is_no_completion_is_none(body):
    request = Request(TextPrompt("better:"), Generate(5))
    [outcome], _ = ask(lambda _, n: Garbage(body), request, api="completions", models=None)
    assert isinstance(outcome, CallFailed)
    assert "answered 200 with" in outcome.reason


def test_chats_do_not_go_to_the_completions_api_nor_text_to_chats():
    text, chat = Request(TextPrompt("x"), Generate(5)), Request(OPENED, Generate(5))
    [outcome], server = ask(lambda body, n: Answer("x"), chat, api="completions")
    assert "plain text" in outcome.reason
    assert server.calls == 0
    [outcome], server = ask(lambda body, n: Answer("x"), text)
    assert "not token ids or plain text" in outcome.reason
    assert server.calls == 0


TEMPLATE = """
description: relevance, with an opened answer
source: written for this test
elicitation: {elicitation}
passage_tokens: 50
labels:
  - {{text: "Yes", value: 1}}
  - {{text: "No", value: 0}}
completion: "Query: {{{{ query }}}}\\nPassage: {{{{ doc.text }}}}\\nRelevant (Yes or No):"
"""


@pytest.mark.parametrize("elicitation", ["labels", "text"])
def test_a_template_of_ones_own_ranks_over_the_completions_api(tmp_path, elicitation):
    path = tmp_path / "mine.yaml"
    path.write_text(TEMPLATE.format(elicitation=elicitation))

    def script(body, _):
        yes = -0.1 if "fleas" in body["prompt"].split("Passage:")[1] else -3.0
        text = " Yes" if yes > -1 else " No"
        return Answer(text, logprobs=[(text, {" Yes": yes, " No": -3.1 - yes})])

    with (
        ScriptedServer(script, models=None) as server,
        Reranker(
            f"pointwise / {elicitation}(prompt='{path}')", f"openai:m?base_url={server.url}&api=completions"
        ) as reranker,
    ):
        ranking = reranker.rerank("how long do fleas live", ["dogs bark", "adult fleas live long"])
        estimate = reranker.estimate_any(2)
    assert isinstance(ranking, Ranking)
    assert [r.document.text for r in ranking] == ["adult fleas live long", "dogs bark"]
    assert server.bodies[0]["prompt"].endswith("Passage: dogs bark\nRelevant (Yes or No):")
    assert estimate.prompt_tokens.low > 0


def test_chat_templates_are_refused_there_before_the_first_call():
    with ScriptedServer(lambda body, n: Answer("x"), models=None) as server:
        with pytest.raises(TemplateError, match="is a chat; this backend takes plain text"):
            Reranker("pointwise / text", f"openai:m?base_url={server.url}&api=completions")
        assert server.calls == 0


def test_the_api_is_part_of_the_printed_spec():
    backend = OpenAI(name="m", base_url="http://localhost:1/v1", api="completions", reasoning=False)
    assert backend.model == "openai:m?base_url=http://localhost:1/v1&api=completions&reasoning=false"
