"""Hosts of many kinds: what each is sent, what it refuses, what is learnt from that, and how it answers."""

import asyncio
import json
import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("openai")

from scripted_server import Answer, Garbage, ScriptedServer, Status

from rerankllm.backends.openai.adaptation import Adaptation, refused
from rerankllm.backends.openai.backend import OpenAI
from rerankllm.backends.openai.holding import MEANS, holds
from rerankllm.backends.openai.hosts import AZURE, OPENAI, OPENROUTER, UNKNOWN, by_address
from rerankllm.backends.openai.message import finish_reason, read_message
from rerankllm.calls import CallFailed, ChatPrompt, Generate, LabelForm, Message, ReadLabels, Request, Response
from rerankllm.data import Ranking
from rerankllm.elicitation.grades import WRITTEN, parse_grades
from rerankllm.errors import CapabilityError, InputError
from rerankllm.judgements import Status as ReadStatus
from rerankllm.reranker import Reranker

PROMPT = ChatPrompt((Message("user", "which is better?"),))
PLAIN = {"model", "messages", "max_tokens", "temperature"}
FORM = LabelForm(("1", "2", "3"), 3, "[", "] > [", "]")
HELD = Request(PROMPT, Generate(12, form=FORM))
FREE = Request(PROMPT, Generate(12))
READS = Request(PROMPT, ReadLabels(("A", "B")))


def ask(script, *works, models=({"id": "scripted"},), **options):
    with ScriptedServer(script, models=models) as server:

        async def run():
            backend = OpenAI(name="scripted", base_url=server.url, retries=0, **options)
            try:
                return [await backend.complete(work) for work in works]
            finally:
                await backend.aclose()

        return asyncio.run(run()), server


def owned_by(owner):
    return ({"id": "scripted", "owned_by": owner},)


# --- what is sent ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "manners"),
    [
        ("https://api.openai.com/v1", OPENAI),
        ("https://eu.api.openai.com/v1", OPENAI),
        ("https://mine.openai.azure.com/openai/v1", AZURE),
        ("https://openrouter.ai/api/v1", OPENROUTER),
        ("https://api.openai.com.example.org/v1", UNKNOWN),
        ("http://localhost:8000/v1", UNKNOWN),
    ],
)
def test_hosts_are_known_by_their_address(url, manners):
    assert by_address(url) is manners


@pytest.mark.parametrize(
    ("owner", "more"),
    [
        ("somebody", set()),
        ("llamacpp", {"repeat_penalty", "grammar"}),
        ("me", {"repeat_penalty", "grammar"}),
        ("library", {"response_format"}),
        ("organization_owner", {"repeat_penalty", "response_format"}),
        ("sglang", {"repetition_penalty", "regex"}),
        ("vllm", {"repetition_penalty", "structured_outputs"}),
    ],
)
def test_a_host_is_sent_what_every_host_takes_and_what_it_is_known_to(owner, more):
    _, server = ask(lambda body, n: Answer("[2] > [1] > [3]"), HELD, models=owned_by(owner))
    assert set(server.bodies[0]) == PLAIN | more


def test_another_penalty_than_none_is_told_to_any_host():
    _, server = ask(lambda body, n: Answer("x"), FREE, repetition_penalty=1.1)
    assert (server.bodies[0]["repetition_penalty"], server.bodies[0]["repeat_penalty"]) == (1.1, 1.1)


# --- what is refused, and learnt ------------------------------------------------------------------------------

MISTRAL = {
    "object": "error",
    "message": {
        "detail": [{"type": "extra_forbidden", "loc": ["body", "seed"], "msg": "Extra inputs are not permitted"}]
    },
    "type": "invalid_request_error",
}
OPENAI_SAYS = (
    "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."
)
FIXED = "Unsupported value: 'temperature' does not support 0 with this model. Only the default (1) value is supported."
GOOGLE = 'Invalid JSON payload received. Unknown name "seed": Cannot find field.'


@pytest.mark.parametrize(
    ("status", "refusal", "names"),
    [
        (422, MISTRAL, ["seed"]),
        (400, {"error": {"message": "property 'seed' is unsupported", "type": "invalid_request_error"}}, ["seed"]),
        (400, {"message": "body.seed: property 'seed' is unsupported", "param": "validation_error"}, ["seed"]),
        (400, [{"error": {"code": 400, "message": GOOGLE, "status": "INVALID_ARGUMENT"}}], ["seed"]),
        (422, {"detail": [{"loc": ["body", "temperature"], "msg": "extra fields not permitted"}]}, ["temperature"]),
        (400, {"error": {"message": FIXED, "param": "temperature", "code": "unsupported_value"}}, ["temperature"]),
        (400, "Unrecognized request argument supplied: seed", ["seed"]),
        (400, {"error": {"message": OPENAI_SAYS, "param": "max_tokens"}}, ["max_tokens"]),
        (400, {"error": {"message": "invalid temperature: only 1 is allowed for this model"}}, ["temperature"]),
        (400, {"error": {"message": "The model does not support stop words in a temperature zone"}}, []),
        (400, {"error": {"message": "messages: extra inputs are not permitted", "param": "messages"}}, []),
        (400, {"error": {"message": "temperature: Input should be less than 2"}}, []),
        (400, "", []),
    ],
)
def test_what_a_refusal_names_is_left_out_or_called_otherwise(status, refusal, names, caplog):
    text = refusal if isinstance(refusal, str) else json.dumps(refusal)

    def script(body, n):
        taken = not names or names[0] in body
        return Status(status, refusal) if taken else Answer("x")

    outcomes, server = ask(script, FREE, FREE, seed=7)
    assert refused(text, {**server.bodies[0]}) == names
    if not names:
        assert all(isinstance(outcome, CallFailed) for outcome in outcomes)
        assert server.calls == 2
        return
    assert [outcome.text for outcome in outcomes] == ["x", "x"]
    assert [outcome.attempts for outcome in outcomes] == [2, 1]
    assert server.calls == 3
    assert set(server.bodies[0]) - set(server.bodies[1]) == set(names)
    assert len(caplog.messages) == 1
    assert outcomes[1].adapted == (
        "max_tokens is called max_completion_tokens" if names == ["max_tokens"] else f"{names[0]} is left out",
    )


def test_a_limit_that_is_refused_by_both_names_is_left_out():
    def script(body, n):
        for name in ("max_tokens", "max_completion_tokens"):
            if name in body:
                return Status(400, {"error": {"message": f"Unsupported parameter: '{name}'", "param": name}})
        return Answer("x")

    [outcome], server = ask(script, FREE)
    assert (outcome.text, server.calls, outcome.attempts) == ("x", 3, 3)


def test_a_prompt_that_is_too_long_teaches_nothing():
    said = "maximum context length is 4096 tokens; 4000 in the messages, 500 in max_tokens: not supported"
    [outcome], server = ask(lambda body, n: Status(400, {"error": {"message": said}}), FREE)
    assert "cut passages shorter" in outcome.reason
    assert server.calls == 1


def test_fewer_alternatives_are_asked_for_where_the_host_gives_fewer():
    def script(body, n):
        if body["top_logprobs"] > 5:
            return Status(400, {"error": {"message": "top_logprobs must be less than or equal to 5"}})
        return Answer("A", logprobs=[("A", {"A": -0.1, "B": -2.0})])

    [outcome], server = ask(script, READS)
    assert outcome.logprobs == pytest.approx((-0.1, -2.0))
    assert [body["top_logprobs"] for body in server.bodies] == [8, 5]


def test_a_host_without_log_probabilities_says_what_works():
    said = {"error": {"message": "'logprobs' is not supported with this model", "param": "logprobs"}}
    with pytest.raises(
        CapabilityError, match="'logprobs' is not supported .*; it tells no log-probabilities: use / text"
    ):
        ask(lambda body, n: Status(400, said), READS)


def test_what_was_learnt_is_kept_in_the_journal(tmp_path):
    from rerankllm.journal.store import Journal

    def script(body, n):
        return Status(422, MISTRAL) if "seed" in body else Answer("[2] > [1] > [3]")

    path = tmp_path / "journal"
    with ScriptedServer(script) as server:
        model = f"openai:scripted?base_url={server.url}&seed=7"
        for replayed in (0, 1):
            with Reranker("sliding / text", model, journal=path) as reranker:
                ranking = reranker.rerank("q", ["a", "b", "c"])
            assert (ranking.ledger.replayed, server.calls) == (replayed, 2)
    [(outcome,)] = Journal(path).rows("SELECT outcome FROM calls")
    assert json.loads(outcome)["adapted"] == ["seed is left out"]


def test_an_adaptation_that_has_learnt_nothing_changes_nothing():
    body = {"model": "m", "max_tokens": 3}
    assert Adaptation().apply(body) == body


# --- structured output ----------------------------------------------------------------------------------------


def test_forms_in_each_hosts_words():
    def sent(owner):
        return ask(lambda body, n: Answer("[2] > [1] > [3]"), HELD, models=owned_by(owner))[1].bodies[0]

    regex = sent("vllm")["structured_outputs"]["regex"]
    assert regex == sent("sglang")["regex"]
    assert re.fullmatch(regex, "[2] > [1] > [3]")
    assert not re.fullmatch(regex, "[2] > [1]")
    assert sent("me")["grammar"] == 'root ::= "[" label "] > [" label "] > [" label "]"\nlabel ::= "1" | "2" | "3"\n'
    schema = sent("library")["response_format"]["json_schema"]["schema"]
    assert schema["properties"]["answer"] == {
        "type": "array", "items": {"type": "integer", "enum": [1, 2, 3]}, "minItems": 3, "maxItems": 3
    }  # fmt: skip


def test_a_host_that_does_not_hold_answers_is_not_asked_to_again(caplog):
    outcomes, server = ask(lambda body, n: Answer("Sure: [2] > [1]"), HELD, HELD, models=owned_by("library"))
    assert all(isinstance(outcome, Response) for outcome in outcomes)
    assert ["response_format" in body for body in server.bodies] == [True, False]
    assert "does not hold answers to the labels, though it is asked to" in caplog.text


def test_a_host_that_refuses_to_hold_answers_gives_free_ones():
    def script(body, n):
        return Status(400, "Unknown field: grammar") if "grammar" in body else Answer("[2] > [1] > [3]")

    outcomes, server = ask(script, HELD, HELD, models=owned_by("llamacpp"))
    assert [outcome.text for outcome in outcomes] == ["[2] > [1] > [3]"] * 2
    assert server.calls == 3


GRADES = LabelForm(WRITTEN, 3, "[1]: ", "\n[#]: ", numbered=True)


def test_grades_in_each_hosts_words():
    def sent(owner):
        graded = Request(PROMPT, Generate(24, form=GRADES))
        return ask(lambda body, n: Answer("[1]: 7\n[2]: 10\n[3]: 7"), graded, models=owned_by(owner))[1].bodies[0]

    regex = sent("vllm")["structured_outputs"]["regex"]
    assert regex == sent("sglang")["regex"]
    assert "\n" not in regex
    assert re.fullmatch(regex, "[1]: 7\n[2]: 10\n[3]: 7")
    assert not re.fullmatch(regex, "[1]: 7\n[2]: 11\n[3]: 7")
    assert not re.fullmatch(regex, "[1]: 7\n[3]: 7\n[2]: 10")
    assert sent("me")["grammar"].splitlines()[0] == r'root ::= "[1]: " label "\n[2]: " label "\n[3]: " label'
    schema = sent("library")["response_format"]["json_schema"]["schema"]
    grade = {"type": "integer", "enum": list(range(11))}
    assert schema["properties"] == {"1": grade, "2": grade, "3": grade}
    assert schema["required"] == ["1", "2", "3"]


@given(st.lists(st.sampled_from(WRITTEN), min_size=1, max_size=30), st.sampled_from(MEANS))
def test_a_well_formed_answer_of_grades_is_as_it_may_be_held_and_is_read_as_such(grades, means):
    """So a host that holds answers leaves a model that answers as it is asked to alone."""
    form = LabelForm(WRITTEN, len(grades), "[1]: ", "\n[#]: ", numbered=True)
    numbers = [str(i) for i in range(1, len(grades) + 1)]
    plain = "\n".join(f"[{number}]: {grade}" for number, grade in zip(numbers, grades, strict=True))
    as_json = json.dumps(dict(zip(numbers, map(int, grades), strict=True)), indent=2)
    for text in (plain, as_json) if means == "json_schema" else (plain,):
        assert holds(means, form, text)
        read = parse_grades(text, numbers, 10)
        assert read.grades == tuple(map(float, grades))
        assert read.report.status is ReadStatus.PARSED
    for text in (plain + "1", f"{plain}\nGood luck", as_json.replace("1", "11"), "{}", "[]", "7", '{"answer": 7}'):
        assert not holds(means, form, text)


@pytest.mark.parametrize(
    ("owner", "field"),
    [("library", "response_format"), ("vllm", "structured_outputs"), ("sglang", "regex"), ("llamacpp", "grammar")],
)
@pytest.mark.parametrize("spec", ["group / text", "group / text(constrained=false)"])
def test_a_host_that_is_asked_to_hold_grades_does(owner, field, spec):
    def script(body, n):
        if field not in body:
            return Answer("They are about fleas, mostly, and [2] most of all.")
        return Answer('{"1": 3, "2": 10, "3": 0}' if owner == "library" else "[1]: 3\n[2]: 10\n[3]: 0")

    with (
        ScriptedServer(script, models=owned_by(owner)) as server,
        Reranker(spec, f"openai:scripted?base_url={server.url}") as reranker,
    ):
        outcome = reranker.submit("q", ["a", "b", "c"]).result()
    if "false" in spec:
        assert not isinstance(outcome, Ranking)
        return
    assert [result.document.text for result in outcome] == ["b", "a", "c"]
    assert (outcome.ledger.calls, outcome.ledger.parsed) == (1, 1)


@pytest.mark.parametrize(
    ("model", "held"),
    [("gpt-4.1-mini", False), ("gpt-6.1-sol", True), ("gpt-6.1-sol", False)],
    ids=["thinks in its text", "thinks apart", "free on demand"],
)
def test_what_follows_a_thought_is_held_where_the_host_keeps_thoughts_apart(model, held, monkeypatch):
    spec = "group / reasoning" if held or model != "gpt-6.1-sol" else "group / reasoning(constrained=false)"

    def script(body, n):
        thought = {"completion_tokens_details": {"reasoning_tokens": 40}}
        usage = {"prompt_tokens": 90, "completion_tokens": 49} | (thought if "sol" in model else {})
        text = '{"1": 3, "2": 10, "3": 0}' if "response_format" in body else "[1]: 3\n[2]: 10\n[3]: 0"
        return Answer(text if "sol" in model else f"<think>Hm.</think>{text}", usage=usage)

    with ScriptedServer(script, models=None) as server:
        monkeypatch.setenv("http_proxy", server.url.removesuffix("/v1"))
        monkeypatch.setenv("OPENAI_API_KEY", "sk-of-a-test")
        with Reranker(spec, f"openai:{model}?base_url=http://api.openai.com/v1") as reranker:
            ranking = reranker.rerank("q", ["a", "b", "c"])
        assert [result.document.text for result in ranking] == ["b", "a", "c"]
        assert [("response_format" in body) for body in server.bodies] == [held]


@pytest.mark.parametrize("spec", ["sliding / text", "setwise / text", "sliding / text(constrained=false)"])
def test_what_is_held_to_json_is_read(spec):
    def script(body, n):
        shape = body.get("response_format")
        if shape is None:
            return Answer("[2] > [1] > [3]")
        wanted = shape["json_schema"]["schema"]["properties"]["answer"]
        labels = wanted["items"]["enum"] if wanted["type"] == "array" else wanted["enum"]
        answer = [labels[1], labels[0], *labels[2:]][: wanted["maxItems"]] if wanted["type"] == "array" else labels[1]
        return Answer(json.dumps({"answer": answer}))

    with (
        ScriptedServer(script, models=owned_by("library")) as server,
        Reranker(spec, f"openai:scripted?base_url={server.url}") as reranker,
    ):
        ranking = reranker.rerank("q", ["a", "b", "c"])
    assert isinstance(ranking, Ranking)
    assert ranking[0].document.text == "b"
    assert ranking.ledger.parsed == ranking.ledger.calls
    assert ("response_format" in server.bodies[0]) == ("false" not in spec)


@pytest.mark.parametrize(
    ("taken", "calls"), [("response_format", 2), ("structured_outputs", 3), ("grammar", 4), ("regex", 5)]
)
def test_an_unknown_host_is_tried_once_where_answers_must_be_held(taken, calls, caplog):
    def script(body, n):
        if taken not in body:
            return Answer("banana")
        return Answer(
            '{"answer": ["K7", "Q4"]}'
            if taken == "response_format"
            else "[K7] > [Q4]"
            if n < calls - 1
            else "[2] > [1]"
        )

    with (
        ScriptedServer(script) as server,
        Reranker("sliding / text(constrained=true)", f"openai:scripted?base_url={server.url}") as reranker,
    ):
        if taken == "response_format":
            server.script = lambda body, n: Answer('{"answer": ["K7", "Q4"]}' if n == 0 else '{"answer": [2, 1]}')
        ranking = reranker.rerank("q", ["a", "b"])
    assert [result.document.text for result in ranking] == ["b", "a"]
    assert server.calls == calls
    assert "holds answers to labels by" in caplog.text


def test_an_unknown_host_that_holds_nothing_is_refused_where_answers_must_be_held():
    def script(body, n):
        return Status(400, "Unknown field: grammar") if "grammar" in body else Answer("banana")

    with (
        ScriptedServer(script) as server,
        Reranker("sliding / text(constrained=true)", f"openai:scripted?base_url={server.url}") as reranker,
        pytest.raises(CapabilityError, match="does not hold answers to a form .* use text"),
    ):
        reranker.rerank("q", ["a", "b"])


# --- how hosts answer -----------------------------------------------------------------------------------------

THINKS = [{"type": "text", "text": "hm"}]


@pytest.mark.parametrize(
    ("message", "text", "thought"),
    [
        ({"content": "A"}, "A", None),
        ({"content": None}, "", None),
        ({}, "", None),
        ({"content": [{"type": "thinking", "thinking": THINKS}, {"type": "text", "text": "A"}]}, "A", "hm"),
        ({"content": [{"type": "text", "text": "A"}, {"type": "text", "text": "B"}]}, "AB", None),
        ({"content": [{"type": "output_text", "text": "A"}]}, "A", None),
        ({"content": ["A"]}, "A", None),
        ({"content": [{"text": "A"}]}, "A", None),
        ({"content": []}, "", None),
        ({"content": "A", "reasoning_content": "hm"}, "A", "hm"),
        ({"content": "A", "reasoning": "hm"}, "A", "hm"),
        ({"content": "A", "thinking": "hm"}, "A", "hm"),
        ({"content": "A", "reasoning_details": [{"type": "reasoning.text", "text": "hm"}]}, "A", "hm"),
        ({"content": None, "reasoning_content": "hm"}, "", "hm"),
        ({"content": None, "tool_calls": [{"function": {"name": "rank", "arguments": '{"ranking": [2, 1]}'}}]},
         '{"ranking": [2, 1]}', None),
        ({"content": "", "tool_calls": [{"function": {"name": "rank", "arguments": {"ranking": [2]}}}]},
         '{"ranking": [2]}', None),
    ],
)  # fmt: skip
def test_answers_of_all_shapes(message, text, thought):
    told = read_message(message)
    assert (told.text, told.thought, told.refusal) == (text, thought, None)


def test_a_refusal_may_be_a_part():
    assert read_message({"content": [{"type": "refusal", "refusal": "no"}]}).refusal == "no"


@pytest.mark.parametrize("content", [3, {"text": "A"}, [{"type": "image_url", "image_url": "x"}], [3]])
def test_what_is_no_answer_in_any_shape_is_none(content):
    assert read_message({"content": content}) is None


@pytest.mark.parametrize(
    ("told", "known"),
    [("stop", "stop"), ("eos", "stop"), ("end_turn", "stop"), ("STOP", "stop"), (None, "stop"), ("", "stop"),
     ("length", "length"), ("max_tokens", "length"), ("MAX_TOKENS", "length"), ("model_length", "length"),
     ("SAFETY", "content_filter"), ("tool_calls", "tool_calls"), (3, None)],
)  # fmt: skip
def test_reasons_to_end_have_many_names(told, known):
    assert finish_reason(told) == known


def test_parts_are_read_over_the_wire():
    parts = [{"type": "thinking", "thinking": THINKS}, {"type": "text", "text": "[2] > [1]"}]
    body = {"choices": [{"message": {"role": "assistant", "content": parts}, "finish_reason": "model_length"}]}
    [outcome], _ = ask(lambda _, n: Garbage(json.dumps(body)), FREE)
    assert (outcome.text, outcome.reasoning, outcome.finish_reason) == ("[2] > [1]", "hm", "length")


# --- silent cuts ----------------------------------------------------------------------------------------------

LONG = Request(ChatPrompt((Message("user", "fleas live on dogs " * 1500),)), Generate(12))


@pytest.mark.parametrize("counted", [10, 2048])
def test_a_prompt_that_the_host_cut_without_a_word_fails_with_the_cure(counted):
    usage = {"prompt_tokens": counted, "completion_tokens": 3}
    outcomes, _ = ask(lambda body, n: Answer("[2] > [1]", usage=usage), LONG, FREE)
    assert f"it counted {counted} tokens of a prompt that has about 6" in outcomes[0].reason
    assert "OLLAMA_CONTEXT_LENGTH" in outcomes[0].reason
    assert "?context=N" in outcomes[0].reason
    assert outcomes[1].text == "[2] > [1]"


@pytest.mark.parametrize("usage", [None, {"prompt_tokens": 4100, "completion_tokens": 3}])
def test_a_count_that_other_tokenizers_explain_is_none(usage):
    [outcome], _ = ask(lambda body, n: Answer("[2] > [1]", usage=usage), LONG)
    assert outcome.text == "[2] > [1]"


# --- thinking -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("owner", "thinking", "sent"),
    [
        ("vllm", "off", {"chat_template_kwargs": {"enable_thinking": False, "thinking": False}}),
        ("sglang", "on", {"chat_template_kwargs": {"enable_thinking": True, "thinking": True}}),
        ("llamacpp", "low",
         {"chat_template_kwargs": {"enable_thinking": True, "thinking": True, "reasoning_effort": "low"}}),
        ("vllm", "500", {"chat_template_kwargs": {"enable_thinking": True, "thinking": True, "thinking_budget": 500}}),
        ("library", "off", {"think": False, "reasoning_effort": "none"}),
        ("library", "high", {"think": "high", "reasoning_effort": "high"}),
        ("somebody", "low", {"reasoning_effort": "low"}),
        ("somebody", "off", {"reasoning_effort": "none"}),
    ],
)  # fmt: skip
def test_thinking_is_told_in_the_hosts_words(owner, thinking, sent):
    _, server = ask(lambda body, n: Answer("x"), FREE, models=owned_by(owner), thinking=thinking)
    body = server.bodies[0]
    assert {key: body.get(key) for key in sent} == sent
    room = {"off": 0, "500": 500}.get(thinking, 8192)
    assert body["max_tokens"] == 12 + room


@pytest.mark.parametrize(
    ("url", "thinking", "sent"),
    [
        ("https://openrouter.ai/api/v1", "500", {"reasoning": {"max_tokens": 500}}),
        ("https://openrouter.ai/api/v1", "off", {"reasoning": {"enabled": False}}),
        ("https://api.anthropic.com/v1", "low", {"thinking": {"type": "enabled", "budget_tokens": 1024}}),
        ("https://api.anthropic.com/v1", "off", {"thinking": {"type": "disabled"}}),
        ("https://api.deepseek.com", "on", {"thinking": {"type": "enabled"}}),
        ("https://dashscope.aliyuncs.com/v1", "500", {"enable_thinking": True, "thinking_budget": 500}),
        ("https://api.openai.com/v1", "medium", {"reasoning_effort": "medium"}),
    ],
)
def test_thinking_at_hosts_known_by_their_address(url, thinking, sent):
    from rerankllm.backends.openai.thinking import fields

    assert fields(by_address(url), thinking, {}) == sent


def test_what_thinking_cannot_be_is_named():
    with pytest.raises(InputError, match="thinking should be on, off, low, medium, high or a number of tokens, not x"):
        OpenAI(name="m", base_url="http://localhost:1/v1", thinking="x")
    with pytest.raises(InputError, match="takes no number of tokens to think; use low, medium or high"):
        OpenAI(name="m", base_url="http://localhost:1/v1", thinking="500")
    with pytest.raises(InputError, match="template_kwargs should be a JSON object"):
        OpenAI(name="m", base_url="http://localhost:1/v1", template_kwargs="[1]")


def test_template_arguments_are_sent_along_and_part_of_the_spec():
    arguments = '{"enable_thinking":false}'
    _, server = ask(lambda body, n: Answer("x"), FREE, template_kwargs=arguments)
    assert server.bodies[0]["chat_template_kwargs"] == {"enable_thinking": False}
    backend = OpenAI(name="m", base_url="http://localhost:1/v1", template_kwargs=arguments, thinking="low")
    assert backend.model.endswith(f"&thinking=low&template_kwargs={arguments}")


@pytest.mark.parametrize(
    "answer", [Answer("A", message={"reasoning_content": "hm"}), Answer("<think>hm</think>A")], ids=["apart", "inside"]
)
def test_thoughts_that_come_although_they_should_not_are_said_once(answer, caplog):
    ask(lambda body, n: answer, FREE, FREE, thinking="off")
    assert caplog.text.count("thinks, though it is told not to") == 1
    caplog.clear()
    ask(lambda body, n: Answer("<think>\n\n</think>A"), FREE, thinking="off")
    assert "thinks" not in caplog.text


def test_labels_are_read_where_thinking_is_off():
    good = Answer("A", logprobs=[("A", {"A": -0.1, "B": -2.0})])
    [outcome], _ = ask(lambda body, n: good, READS, thinking="off")
    assert not any(map(math.isnan, outcome.logprobs))
