"""Hosts of models as their documentation and public reports describe them: what they take, refuse and tell.

Each is a script for `ScriptedServer`. Hosts that are known by their address are asked there, through the server as a
proxy; nothing leaves this machine. Behind each is the same judge: it likes the passage that says the highest number.

Sources: `https://console.groq.com/docs/openai`, `https://docs.anthropic.com/en/api/openai-sdk`,
`https://docs.sglang.io/advanced_features/structured_outputs.html`, and issues of ollama (16117, 16867, notes of
0.12.11), lms (60), Gemini's users ("Unknown name … Cannot find field"), Mistral's and Groq's.
"""

import json
import logging
import math
import os
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias
from unittest.mock import patch

from scripted_server import Action, Answer, ScriptedServer, Status

from rerankllm.data import Ranking
from rerankllm.errors import CapabilityError, TemplateError
from rerankllm.reranker import Reranker

Body: TypeAlias = dict[str, Any]
Refuse: TypeAlias = Callable[[Body], Action | None]
PLAIN = {"model", "messages", "max_tokens", "temperature", "top_p", "stop", "n", "stream"}
BOTH = PLAIN | {"max_completion_tokens"}
NUMBER = re.compile(r"worth (\d+)")
SHOWN = re.compile(r"\[(\w+)\] [^\[]*?worth (\d+)")


@dataclass(frozen=True)
class Shape:
    """A host.

    Attributes:
        name: What it is called.
        model: What its model is called.
        url: Its address, where it is known by that.
        owner: What its list of models says serves them; None where it has no such list.
        refuse: Its refusal of a request, or None.
        tells: Whether it tells log-probabilities.
        holds: The field by which it holds answers to a form.
        thinks: Whether its model thinks unless it is told not to.
        thought: What its messages call thoughts.
        silent: By which field, and which value, it is told not to think.
        usage: What it counts beside prompt and completion tokens.
        knows: More of what its list of models says.
    """

    name: str
    model: str = "judge"
    url: str = ""
    owner: str | None = None
    refuse: Refuse = lambda body: None
    tells: bool = False
    holds: str = ""
    thinks: bool = False
    thought: str = "reasoning_content"
    silent: tuple[str, Any] = ("", None)
    usage: Mapping[str, Any] | None = None
    knows: Mapping[str, Any] | None = None

    @property
    def models(self) -> list[dict[str, Any]] | None:
        """Its list of models."""
        return None if self.owner is None else [{"id": self.model, "owned_by": self.owner, **(self.knows or {})}]

    def __call__(self, body: Body, number: int) -> Action:
        """What becomes of a request."""
        del number
        return self.refuse(body) or self._answer(body)

    def _answer(self, body: Body) -> Answer:
        text = self._text(body)
        held = self.holds if self.holds in body else ""
        if text == "banana" and held:  # as the probe asks: no model answers so by itself
            text = "[K7] > [Q4]"
        if held == "response_format":
            labels = re.findall(r"\[(\w+)\]", text) or [text]
            values = [int(label) if label.isdecimal() else label for label in labels]
            several = body[held]["json_schema"]["schema"]["properties"]["answer"]["type"] == "array"
            text = json.dumps({"answer": values if several else values[0]})
        field, off = self.silent
        thinks = self.thinks and not (field and _at(body, field) == off)
        message = {self.thought: "The first says less."} if thinks else {}
        usage = {"prompt_tokens": 90, "completion_tokens": 9, "total_tokens": 99, **(self.usage or {})}
        logprobs = _told(body, text) if self.tells and body.get("logprobs") else None
        return Answer(text, logprobs=logprobs, message=message, usage=usage)

    @staticmethod
    def _text(body: Body) -> str:
        prompt = "\n".join(turn["content"] for turn in body["messages"])
        shown = sorted(SHOWN.findall(prompt), key=lambda pair: -int(pair[1]))
        if len(shown) > 1:
            return " > ".join(f"[{label}]" for label, _ in shown).removeprefix(_opening(body))
        numbers = NUMBER.findall(prompt)
        return "banana" if not numbers else "Yes" if int(numbers[-1]) > 5 else "No"


def _opening(body: Body) -> str:
    """What the answer begins with already."""
    last = body["messages"][-1]
    return str(last["content"]) if last["role"] == "assistant" else ""


def _told(body: Body, text: str) -> Sequence[tuple[str, Mapping[str, float]]]:
    """The log-probabilities of yes and no, or of each label, by the numbers in the prompt."""
    prompt = "\n".join(turn["content"] for turn in body["messages"])
    shown = {label: int(number) for label, number in SHOWN.findall(prompt)}
    if shown:
        all_of = math.log(sum(map(math.exp, shown.values())))
        return [(max(shown, key=lambda label: shown[label]), {each: n - all_of for each, n in shown.items()})]
    share = int(NUMBER.findall(prompt)[-1]) / 10
    return [(text, {"Yes": math.log(share), "No": math.log(1 - share)})]


def _at(body: Body, path: str) -> Any:
    """A field, or one inside it."""
    value: Any = body
    for part in path.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value


def strict(known: Collection[str], say: Callable[[list[str]], Action]) -> Refuse:
    """Refuses fields that are not known."""
    return lambda body: say(extra) if (extra := [name for name in body if name not in known]) else None


def of_openai(message: str, param: str | None) -> Status:
    """An error in OpenAI's shape."""
    error = {"message": message, "type": "invalid_request_error", "param": param, "code": None}
    return Status(400, {"error": error})


def of_mistral(extra: list[str]) -> Status:
    """An error in Mistral's shape."""
    detail = [
        {"type": "extra_forbidden", "loc": ["body", name], "msg": "Extra inputs are not permitted"} for name in extra
    ]
    return Status(422, {"object": "error", "message": {"detail": detail}, "type": "invalid_request_error"})


def of_groq(extra: list[str]) -> Status:
    """An error in Groq's shape, which names one field at a time."""
    if extra[0] in {"logprobs", "top_logprobs"}:
        return of_openai(f"`{extra[0]}` is not supported with this model", None)
    return of_openai(f"property '{extra[0]}' is unsupported", None)


def of_google(extra: list[str]) -> Status:
    """An error in Google's shape: a list."""
    said = [f'Invalid JSON payload received. Unknown name "{name}": Cannot find field.' for name in extra]
    kind = "type.googleapis.com/google.rpc.BadRequest"
    details = [{"@type": kind, "fieldViolations": [{"description": each} for each in said]}]
    error = {"code": 400, "message": "\n".join(said), "status": "INVALID_ARGUMENT", "details": details}
    return Status(400, [{"error": error}])


def thinking_model(body: Body) -> Action | None:
    """What OpenAI's thinking models refuse; told not to think, they take a temperature and tell log-probabilities."""
    if "max_tokens" in body:
        return of_openai("Unsupported parameter: 'max_tokens' is not supported with this model. Use "
                         "'max_completion_tokens' instead.", "max_tokens")  # fmt: skip
    if body.get("reasoning_effort") == "none":
        return None
    if body.get("temperature", 1) != 1:
        return of_openai("Unsupported value: 'temperature' does not support 0 with this model. Only the default (1) "
                         "value is supported.", "temperature")  # fmt: skip
    if "logprobs" in body:
        return of_openai("Unsupported parameter: 'logprobs' is not supported with this model.", "logprobs")
    return None


def unrecognized(body: Body) -> Action | None:
    """What OpenAI's API refuses of any model."""
    known = BOTH | {"logprobs", "top_logprobs", "response_format", "seed", "reasoning_effort"}
    extra = [name for name in body if name not in known]
    return of_openai(f"Unrecognized request argument supplied: {extra[0]}", None) if extra else None


def few_alternatives(body: Body) -> Action | None:
    """vLLM's bound."""
    if body.get("top_logprobs", 0) > 20:
        return of_openai("Requested sample logprobs of 32, which is greater than max allowed: 20", "logprobs")
    return None


CACHED = {"prompt_tokens_details": {"cached_tokens": 64}}
EFFORT = ("reasoning_effort", "none")
TEMPLATE = ("chat_template_kwargs.enable_thinking", False)
SHAPES = (
    Shape("OpenAI", "gpt-4.1-mini", "http://api.openai.com/v1", refuse=unrecognized, tells=True,
          holds="response_format", usage=CACHED),
    Shape("OpenAI, a thinking model", "gpt-6.1-sol", "http://api.openai.com/v1", thinks=True, silent=EFFORT,
          refuse=lambda body: unrecognized(body) or thinking_model(body), holds="response_format", thought="hidden"),
    Shape("Azure, a thinking model", "my-deployment", "http://mine.openai.azure.com/openai/v1", thinks=True,
          silent=EFFORT, refuse=lambda body: unrecognized(body) or thinking_model(body), holds="response_format",
          thought="hidden"),
    Shape("Mistral", "mistral-small-latest", "http://api.mistral.ai/v1",
          refuse=strict(PLAIN | {"response_format", "random_seed"}, of_mistral), holds="response_format"),
    Shape("Groq", "openai/gpt-oss-20b", "http://api.groq.com/openai/v1", thought="reasoning", thinks=True,
          refuse=strict(BOTH | {"response_format", "seed", "reasoning_effort"}, of_groq), holds="response_format"),
    Shape("Gemini", "gemini-2.5-flash", "http://generativelanguage.googleapis.com/v1beta/openai",
          refuse=strict(BOTH | {"response_format", "reasoning_effort"}, of_google), holds="response_format",
          thinks=True, silent=EFFORT, thought="hidden"),
    Shape("Anthropic", "claude-haiku-4-5", "http://api.anthropic.com/v1", usage={"prompt_tokens_details": {}}),
    Shape("OpenRouter", "qwen/qwen3-32b", "http://openrouter.ai/api/v1", thinks=True, thought="reasoning",
          silent=("reasoning.enabled", False), holds="response_format", usage=CACHED | {"cost": 0.00001}),
    Shape("DeepSeek", "deepseek-chat", "http://api.deepseek.com/v1", thinks=True, silent=("thinking.type", "disabled"),
          tells=True, usage={"prompt_cache_hit_tokens": 64, "prompt_cache_miss_tokens": 26}),
    Shape("Ollama before 0.12.11", owner="library", holds="response_format", thinks=True, silent=("think", False),
          thought="reasoning"),
    Shape("Ollama", owner="library", tells=True, holds="response_format", thinks=True, silent=("think", False),
          thought="reasoning"),
    Shape("LM Studio", owner="organization_owner", holds="response_format", thinks=True, silent=EFFORT),
    Shape("SGLang", owner="sglang", tells=True, holds="regex", thinks=True, silent=TEMPLATE),
    Shape("vLLM", owner="vllm", tells=True, holds="structured_outputs", refuse=few_alternatives, thinks=True,
          silent=TEMPLATE, thought="reasoning", knows={"max_model_len": 4096}, usage=CACHED),
    Shape("llama.cpp", owner="llamacpp", tells=True, holds="grammar", thinks=True, silent=TEMPLATE),
)  # fmt: skip

TEXTS = [f"worth {value}" for value in (3, 9, 4, 1, 7)]
BEST_FIRST = ("1", "4", "2", "0", "3")
WAYS = {
    "text": ("sliding / text(constrained=false)", "&seed=7"),
    "labels": ("pointwise / labels", ""),
    "held": ("sliding / text(constrained=true)", ""),
    "opened": ("sliding / labels", ""),
    "thinking": ("sliding / text(constrained=false)", "&thinking=off"),
}
"""A strategy and options of the model, for each way of asking."""


class Tried:
    """What became of a strategy at a host.

    Args:
        shape: The host.
        way: One of `WAYS`.

    Attributes:
        ranking: The ranking; None where there is none.
        said: Why there is none.
        bodies: What was sent.
        refused: What the host refused, in its words.
        learnt: What was learnt from that.
        warnings: Everything that was said.
    """

    def __init__(self, shape: Shape, way: str) -> None:
        strategy, options = WAYS[way]
        self.ranking: Ranking | None = None
        self.said = ""
        self.refused: list[str] = []
        heard = _Heard()
        log = logging.getLogger("rerankllm")
        log.addHandler(heard)

        def script(body: Body, number: int) -> Action:
            action = shape(body, number)
            if isinstance(action, Status):
                self.refused.append(json.dumps(action.body))
            return action

        try:
            with ScriptedServer(script, models=shape.models) as server:
                proxy = {"http_proxy": server.url.removesuffix("/v1")} if shape.url else {}
                with patch.dict(os.environ, {"OPENAI_API_KEY": "sk-of-a-test", **proxy}):
                    self._ask(strategy, f"openai:{shape.model}?base_url={shape.url or server.url}{options}")
        finally:
            log.removeHandler(heard)
        self.bodies, self.warnings = server.bodies, heard.messages
        found = (re.search(r": (.+), since it answers", message) for message in heard.messages)
        self.learnt = [each[1] for each in found if each]

    def _ask(self, strategy: str, model: str) -> None:
        try:
            with Reranker(strategy, model) as reranker:
                outcome = reranker.submit("which is worth most", TEXTS).result()
        except (CapabilityError, TemplateError) as error:
            self.said = str(error)
            return
        if isinstance(outcome, Ranking):
            self.ranking = outcome
        else:
            self.said = outcome.reason


class _Heard(logging.Handler):
    """Keeps what is said."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(record.getMessage())
