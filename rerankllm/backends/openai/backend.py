"""Models behind an OpenAI-compatible chat completions API: OpenAI itself, vLLM, llama.cpp, OpenRouter."""

import asyncio
import importlib.util
import logging
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rerankllm.backends.base import (
    CallFailed,
    Capabilities,
    ChatPrompt,
    Generate,
    ReadContinuation,
    ReadLabels,
    Request,
    Response,
    Tokenizer,
)
from rerankllm.backends.estimate import tokenizer_for
from rerankllm.backends.openai.chatbody import UnusableError, label_logprobs, read_completion
from rerankllm.backends.openai.endpoint import OPENAI_URL, Endpoint, attempts_of
from rerankllm.backends.remote import RemoteBackend, RemoteFailure
from rerankllm.data import Usage
from rerankllm.errors import InputError, MissingExtra

if TYPE_CHECKING:
    from openai import AsyncOpenAI

log = logging.getLogger(__name__)

MAX_TOP_LOGPROBS = 20
VARIANTS = 4  # alternatives asked for per label: "A", " A", "[A", "a"
LABEL_TOKENS = 5  # generated when labels are read: an opening bracket or a line break may come first


class OpenAI(RemoteBackend):
    """One model of a chat completions API.

    Retries are the SDK's alone: up to `retries`, after a lost connection, time-out, 408, 409, 429 or 5xx,
    waiting 0.5 to 8 s in between, or as long as the host's Retry-After says. Past 120 s it does not wait:
    such a call fails at once. So no call takes longer than `(retries + 1) * timeout + retries * 120` seconds.

    Its printed spec shows the options that bear on the answers, not keys, prices, retries or concurrency.

    Args:
        name: The model, as the host calls it.
        base_url: Where the API is; None for `$OPENAI_BASE_URL`, else OpenAI's own.
        api_key_env: Environment variable that holds the key. Hosts other than OpenAI's own may need none.
        concurrency: Requests on their way at any time.
        timeout: Seconds for one attempt, from connecting to the last byte received.
        retries: Attempts after the first.
        temperature: 0 is greedy; None leaves it to the host, for models that refuse to be told.
        repetition_penalty: 1 is none. Set explicitly, since servers default to others; under both names in use, and
            not to OpenAI's own host, which has none. None leaves it to the host, for those that refuse to be told.
        max_tokens: Replaces what a request allows its answer, for models that think first.
        seed: Sent along where given.
        context: Tokens that prompt and answer may have together; None when unknown.
        price_prompt: US dollars per million prompt tokens; None when unknown.
        price_completion: The same for generated tokens.

    Raises:
        InputError: An option is out of range, or OpenAI's own host would be asked without a key.
        MissingExtra: The SDK is not installed.
    """

    def __init__(
        self,
        *,
        name: str,
        base_url: str | None = None,
        api_key_env: str = "OPENAI_API_KEY",
        concurrency: int = 16,
        timeout: float = 60.0,
        retries: int = 2,
        temperature: float | None = 0.0,
        repetition_penalty: float | None = 1.0,
        max_tokens: int | None = None,
        seed: int | None = None,
        context: int | None = None,
        price_prompt: float | None = None,
        price_completion: float | None = None,
    ) -> None:
        if any(importlib.util.find_spec(package) is None for package in ("openai", "httpx2")):
            raise MissingExtra("pip install 'rerankllm[openai]'")
        if not name or timeout <= 0 or retries < 0 or (max_tokens is not None and max_tokens < 1):
            raise InputError(
                f"openai:{name}: needs a name, timeout above 0, retries of 0 or more, max_tokens of 1 or more"
            )
        self._endpoint = Endpoint.at(base_url, api_key_env)
        options = {
            "base_url": None if self._endpoint.url == OPENAI_URL else self._endpoint.url,
            "temperature": _shown_unless(0.0, temperature),
            "repetition_penalty": _shown_unless(1.0, repetition_penalty),
            "max_tokens": max_tokens,
            "seed": seed,
            "context": context,
        }
        shown = "&".join(f"{key}={value}" for key, value in options.items() if value is not None)
        super().__init__(
            model=f"openai:{name}" + (f"?{shown}" if shown else ""),
            capabilities=Capabilities(generate=True, label_logprobs=MAX_TOP_LOGPROBS, context=context, remote=True),
            default_strategy="sliding / text",
            concurrency=concurrency,
        )
        self._name, self._timeout, self._retries = name, timeout, retries
        penalty = None if self._endpoint.is_openai else repetition_penalty
        self._sampling = {
            "temperature": temperature,
            "repetition_penalty": penalty,  # vLLM, SGLang, OpenRouter
            "repeat_penalty": penalty,  # llama.cpp, Ollama
            "seed": seed,
        }
        self._max_tokens = max_tokens
        self._prices = (price_prompt, price_completion)
        self._client: AsyncOpenAI | None = None
        self._said_estimated = False

    @property
    def tokenizer(self) -> Tokenizer:
        """The one tiktoken has for models it knows by name, else an estimate."""
        return tokenizer_for(self._name)

    def cost(self, usage: Usage) -> float | None:
        """US dollars at the prices given, None when either is unknown."""
        prompt, completion = self._prices
        if prompt is None or completion is None:
            return None
        return (prompt * usage.prompt_tokens + completion * usage.completion_tokens) / 1e6

    def most_tokens(self, want: Generate | ReadLabels | ReadContinuation) -> int:
        """What the host is told not to exceed."""
        return (self._max_tokens or want.max_tokens) if isinstance(want, Generate) else LABEL_TOKENS

    async def send(self, request: Request) -> Response | CallFailed:
        """Sends one chat completion and reads what is wanted off its body; see `RemoteBackend.send`."""
        unfit = _unfit(request)
        if unfit is not None:
            return CallFailed(f"{self.model}: {unfit}", attempts=0)
        import httpx2  # noqa: PLC0415
        import openai  # noqa: PLC0415

        if self._client is None:
            self._client = self._endpoint.client(
                timeout=self._timeout, retries=self._retries, concurrency=self._concurrency
            )
        try:
            raw = await self._client.post("/chat/completions", cast_to=httpx2.Response, body=self._body(request))
        except openai.APIStatusError as error:
            return self._endpoint.refused(error, self._name)
        except openai.APIConnectionError as error:
            return self._endpoint.cut_off(error, self._timeout)
        attempts = attempts_of(raw.request)
        try:
            return await self._read(request, raw.text, attempts)
        except UnusableError as error:
            said = f": {self._endpoint.shown(error.said)}" if error.said else ""
            return RemoteFailure(f"{self._endpoint.host}: {error.reason}{said}", attempts, error.host)

    async def aclose(self) -> None:
        """Closes the connections; call it on the event loop they belong to."""
        if self._client is not None and not self._closed:
            self._bind()
            await self._client.close()
        await super().aclose()

    def _body(self, request: Request) -> dict[str, Any]:
        """The JSON to post."""
        body: dict[str, Any] = {"model": self._name, "messages": _messages(request)}
        if isinstance(request.want, Generate) and request.want.stop:
            body["stop"] = list(request.want.stop)
        elif isinstance(request.want, ReadLabels):
            wanted = min(MAX_TOP_LOGPROBS, VARIANTS * len(request.want.labels))
            body |= {"logprobs": True, "top_logprobs": wanted}
        limit = self.most_tokens(request.want)
        body["max_completion_tokens" if self._endpoint.is_openai else "max_tokens"] = limit
        return body | {key: value for key, value in self._sampling.items() if value is not None}

    async def _read(self, request: Request, body: str, attempts: int) -> Response:
        """What is wanted of a completion.

        Raises:
            UnusableError: It is not there.
        """
        completion = read_completion(body)
        labels = request.want.labels if isinstance(request.want, ReadLabels) else None
        logprobs, floor = ((), math.nan) if labels is None else label_logprobs(completion.positions, labels)
        return Response(
            text=completion.text if labels is None else "",
            logprobs=logprobs,
            floor=floor,
            usage=completion.usage or await self._estimated(request, completion.text),
            attempts=attempts,
            finish_reason=completion.finish_reason,
        )

    async def _estimated(self, request: Request, text: str) -> Usage:
        """Tokens counted here, for a host that does not say."""
        if not self._said_estimated:
            self._said_estimated = True
            log.warning("%s reports no usage: tokens are counted here, without its chat template", self.model)
        tokenizer = await asyncio.to_thread(lambda: self.tokenizer)  # may have to fetch a vocabulary
        prompt = sum(len(tokenizer.encode(message["content"])) for message in _messages(request))
        return Usage(prompt, len(tokenizer.encode(text)))


def _shown_unless(default: float, value: float | None) -> float | str | None:
    """An option as the printed spec shows it: None, for not at all, when it is the default."""
    return "none" if value is None else (None if value == default else value)


def _unfit(request: Request) -> str | None:
    """Why this request cannot be put to a chat API, or None."""
    if isinstance(request.want, ReadContinuation):
        return "chat APIs do not tell log-probabilities of given tokens; use another elicitation, such as / text"
    if not isinstance(request.prompt, ChatPrompt):
        return "chat APIs take messages, not token ids"
    if not request.prompt.messages or request.prompt.messages[-1].role == "assistant":
        return "chat APIs cannot continue an answer already opened; end the prompt with a user message"
    return None


def _messages(request: Request) -> list[Mapping[str, str]]:
    """The turns as they are posted; half surrogates, which no UTF-8 can carry, become question marks."""
    turns = request.prompt.messages if isinstance(request.prompt, ChatPrompt) else ()
    return [{"role": turn.role, "content": turn.content.encode("utf-8", "replace").decode()} for turn in turns]
