"""Providers without an OpenAI-compatible face (Anthropic, Bedrock, Vertex AI, …), through the LiteLLM library."""

import asyncio
import importlib.util
import os
import random
from typing import Any

from rerankllm.backends.chat_template import LEVELS, checked
from rerankllm.backends.openai.endpoint import NO_KEY, TOO_LONG, Endpoint
from rerankllm.backends.openai.hosts import Manners
from rerankllm.backends.openai.request import THOUGHT_TOKENS, Poster
from rerankllm.backends.openai.response import Reader
from rerankllm.backends.printed import printed, shown_unless
from rerankllm.backends.remote import Host, RemoteBackend, RemoteFailure
from rerankllm.backends.token_estimate import tokenizer_for
from rerankllm.calls import CallFailed, Capabilities, Request, Response, Tokenizer, Want
from rerankllm.data import Usage
from rerankllm.errors import AuthError, InputError, MissingExtra

PATIENCE = 60.0
"""Seconds that are waited at most before another attempt."""


class LiteLLM(RemoteBackend):
    """A model of any provider that LiteLLM knows, called as there, such as `anthropic/claude-sonnet-4-5`.

    Requests are those of `openai:`, and LiteLLM translates them; what a provider does not take it leaves out. Keys come
    from the variables that LiteLLM looks in, prices and context lengths from its table.

    Args:
        name: The model, as LiteLLM calls it.
        base_url: Where the provider is, if not where LiteLLM looks.
        api_key_env: Environment variable that holds the key; None for the provider's usual one.
        concurrency: Requests on their way at any time.
        rate: Requests begun a second, retries not counted; None for as many as `concurrency` lets through.
        timeout: Seconds for one attempt.
        retries: Attempts after the first.
        temperature: 0 is greedy; None leaves it to the provider. Not sent where the model thinks.
        thinking: `on`, `off`, `low`, `medium`, `high` or a number of tokens; None leaves it to the provider.
        max_tokens: Replaces what a request allows its answer, thoughts included.
        seed: Sent along where given.
        context: Tokens that prompt and answer may have together; None for what LiteLLM knows.
        price_prompt: US dollars per million prompt tokens; None for what LiteLLM knows.
        price_completion: The same for generated tokens.
        price_cached: The same for prompt tokens that the provider finds in its cache; None for what LiteLLM knows, or
            `price_prompt` where that is given.

    Raises:
        InputError: An option is out of range, or LiteLLM does not know the provider.
        MissingExtra: LiteLLM is not installed.
    """

    def __init__(
        self,
        *,
        name: str,
        base_url: str | None = None,
        api_key_env: str | None = None,
        concurrency: int = 16,
        rate: float | None = None,
        timeout: float = 60.0,
        retries: int = 4,
        temperature: float | None = 0.0,
        thinking: str | None = None,
        max_tokens: int | None = None,
        seed: int | None = None,
        context: int | None = None,
        price_prompt: float | None = None,
        price_completion: float | None = None,
        price_cached: float | None = None,
    ) -> None:
        if not name or timeout <= 0 or retries < 0 or (max_tokens is not None and max_tokens < 1):
            raise InputError(f"litellm:{name}: needs a name, timeout above 0, retries of 0 or more, max_tokens of 1 or "
                             "more")  # fmt: skip
        provider, takes, knows = _known(name)
        thinks = checked(thinking) not in {None, "off"}
        self._poster = Poster(
            model=name,
            manners=Manners(provider),
            thinks=thinks,
            thought=int(thinking) if thinking and thinking.isdecimal() else THOUGHT_TOKENS,
            max_tokens=max_tokens,
            context=context or knows.get("max_input_tokens"),
            sampling={"temperature": None if thinks else temperature, "seed": seed, **_thinking(thinking)},
            means="json_schema" if knows.get("supports_response_schema") else None,
        )
        shown: dict[str, str | float | None] = {
            "base_url": base_url,
            "temperature": shown_unless(0.0, temperature),
            "thinking": thinking,
            "max_tokens": max_tokens,
            "seed": seed,
            "context": context,
        }
        super().__init__(
            model=printed("litellm", name, **shown),
            capabilities=Capabilities(
                generate=True,
                label_logprobs=self._poster.alternatives if "top_logprobs" in takes and not thinks else 0,
                context=self._poster.room,
                remote=True,
                forms=not thinks and self._poster.means is not None,
            ),
            default_strategy="sliding / text",
            concurrency=concurrency,
            rate=rate,
        )
        self._key = None if api_key_env is None else os.environ.get(api_key_env, "")
        self._base_url, self._timeout, self._retries = base_url, timeout, retries
        self._host = Endpoint(base_url or "", provider, False, api_key_env or "", self._key or NO_KEY)
        self._reader = Reader(self.model, self._host, self._poster, unthinking=thinking == "off")
        self._prices = [
            _million(knows.get("input_cost_per_token")) if price_prompt is None else price_prompt,
            _million(knows.get("output_cost_per_token")) if price_completion is None else price_completion,
        ]
        known = _million(knows.get("cache_read_input_token_cost")) if price_prompt is None else None
        cached = known if price_cached is None else price_cached
        self._price_cached = self._prices[0] if cached is None else cached

    @property
    def tokenizer(self) -> Tokenizer:
        """The one tiktoken has for models it knows by name, else an estimate."""
        return tokenizer_for(self._poster.model.rpartition("/")[2])

    def cost(self, usage: Usage) -> float | None:
        """US dollars for this usage, None when a price is unknown."""
        prompt, completion = self._prices
        if prompt is None or completion is None or self._price_cached is None:
            return None
        anew = max(0, usage.prompt_tokens - usage.cached_tokens)
        cached = usage.prompt_tokens - anew
        return (prompt * anew + self._price_cached * cached + completion * usage.completion_tokens) / 1e6

    def most_tokens(self, want: Want) -> int:
        """What the provider is told not to exceed."""
        return self._poster.most_tokens(want)

    async def send(self, request: Request) -> Response | CallFailed:
        """Sends one completion; see `RemoteBackend.send`. Retries are made here, and none by LiteLLM."""
        unfit = self._poster.unfit(request)
        if unfit is not None:
            return CallFailed(f"{self.model}: {unfit}", attempts=0)
        for attempt in range(1, self._retries + 2):
            try:
                answer = await _litellm().acompletion(
                    **self._poster.body(request),
                    api_base=self._base_url,
                    api_key=self._key,
                    timeout=self._timeout,
                    drop_params=True,
                    max_retries=0,
                    num_retries=0,
                )
            except Exception as error:  # noqa: BLE001 - LiteLLM raises what its providers' libraries raise
                failed = self._failed(error, attempt)
                if not isinstance(failed, RemoteFailure) or attempt > self._retries:
                    return failed
                await asyncio.sleep(_pause(error, attempt))
            else:
                return await self._reader.outcome(request, answer.model_dump_json(), attempt)
        raise AssertionError("the last attempt returns")

    def _failed(self, error: Exception, attempts: int) -> CallFailed:
        """What an error means.

        Raises:
            AuthError: Retrying cannot help.
        """
        errors = _litellm().exceptions
        status = getattr(error, "status_code", None)
        reason = f"{self._host.host}: {self._host.shown(str(error))}"
        if isinstance(error, errors.ContextWindowExceededError):
            return CallFailed(f"{reason}; {TOO_LONG}", attempts)
        if isinstance(error, errors.AuthenticationError | errors.PermissionDeniedError | errors.NotFoundError):
            raise AuthError(f"{reason}; check the key and the model name {self._poster.model}") from None
        again = isinstance(error, errors.Timeout | errors.APIConnectionError)
        if again or status in {408, 409, 429} or (isinstance(status, int) and status >= 500):  # noqa: PLR2004
            return RemoteFailure(reason, attempts, Host.FAILS)
        return CallFailed(reason, attempts)


def _litellm() -> Any:
    """The library, which is told to use the tables that it came with, to fetch none, and to stay quiet."""
    if importlib.util.find_spec("litellm") is None:
        raise MissingExtra("pip install 'rerankllm[litellm]'")
    for table in ("MODEL_COST_MAP", "ANTHROPIC_BETA_HEADERS"):
        os.environ.setdefault(f"LITELLM_LOCAL_{table}", "True")
    import litellm  # noqa: PLC0415

    litellm.suppress_debug_info = True
    litellm.telemetry = False
    return litellm


def _known(name: str) -> tuple[str, frozenset[str], dict[str, Any]]:
    """The provider of a model, which options it takes, and what the table says of it.

    Raises:
        InputError: There is no such provider.
    """
    litellm = _litellm()
    try:
        _, provider, _, _ = litellm.get_llm_provider(name)
    except Exception as error:  # noqa: BLE001 - it is a BadRequestError of many kinds
        said = str(error).split("\n")[0]
        raise InputError(f"litellm:{name}: LiteLLM knows no such provider ({said}); give PROVIDER/NAME") from None
    takes = frozenset(litellm.get_supported_openai_params(name) or ())
    try:
        knows = dict(litellm.get_model_info(name))
    except Exception:  # noqa: BLE001 - whatever it is, nothing is known then
        knows = {}
    return provider, takes, knows


def _thinking(thinking: str | None) -> dict[str, Any]:
    """What LiteLLM is told; it translates levels into budgets for providers that take those."""
    if thinking is None or thinking == "off":
        return {}
    if thinking.isdecimal():
        return {"thinking": {"type": "enabled", "budget_tokens": int(thinking)}}
    return {"reasoning_effort": thinking if thinking in LEVELS else "medium"}


def _million(price: float | None) -> float | None:
    return None if price is None else price * 1e6


def _pause(error: Exception, attempt: int) -> float:
    """Seconds until the next attempt: what the provider says, else twice as long each time, and a little by chance."""
    headers = getattr(getattr(error, "response", None), "headers", None) or {}
    told = headers.get("retry-after", "")
    if told.replace(".", "", 1).isdigit():
        return min(float(told), PATIENCE)
    return min(0.5 * float(2 ** (attempt - 1)), 8.0) * (1 + random.random() / 4)  # noqa: S311
