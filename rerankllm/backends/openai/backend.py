"""Models behind an OpenAI-compatible API: OpenAI itself, vLLM, llama.cpp, OpenRouter."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from rerankllm.backends.chat_template import checked, kwargs_of
from rerankllm.backends.openai.adaptation import LABELS, refused
from rerankllm.backends.openai.batch import UPLOAD_SECONDS, Jobs
from rerankllm.backends.openai.completion import overflows
from rerankllm.backends.openai.endpoint import NO_KEY, OPENAI_URL, Endpoint, attempts_of
from rerankllm.backends.openai.hosts import OPENAI as OPENAI_HOST
from rerankllm.backends.openai.hosts import VLLM
from rerankllm.backends.openai.known_models import Known, known
from rerankllm.backends.openai.prices import Prices
from rerankllm.backends.openai.request import THOUGHT_TOKENS, Api, Poster
from rerankllm.backends.openai.response import Reader
from rerankllm.backends.openai.sampling import greedy
from rerankllm.backends.openai.sampling import thinks as is_thinking
from rerankllm.backends.openai.server import LOOK_SECONDS, Server, look
from rerankllm.backends.openai.thinking import fields as thinking_fields
from rerankllm.backends.openai.try_holding import try_means
from rerankllm.backends.openai.turns import Rank, Turns
from rerankllm.backends.printed import printed, shown_unless
from rerankllm.backends.remote import RemoteBackend, plain
from rerankllm.backends.token_estimate import tokenizer_for
from rerankllm.calls import (
    CallFailed,
    Capabilities,
    Generate,
    Outcome,
    Request,
    Response,
    Tokenizer,
    Want,
    Work,
)
from rerankllm.data import Usage
from rerankllm.elicitation import cards
from rerankllm.errors import AuthError, CapabilityError, InputError

if TYPE_CHECKING:
    import openai
    from openai import AsyncOpenAI

log = logging.getLogger(__name__)

OK = 200
NOT_ALLOWED = {401, 403}
REFUSED = {400, 422}
"""Statuses that say that a request is not as it should be."""
BATCH_SHARE = 0.5
"""What batch jobs cost of the price."""


class OpenAI(RemoteBackend):
    """A model behind an OpenAI-compatible API.

    Retries are the SDK's alone: up to `retries`, after a lost connection, time-out, 408, 409, 429, 5xx, or a 200 that
    holds no completion, waiting 0.5 to 8 s in between, or as long as the host's Retry-After says. Past 120 s it does
    not wait: such a call fails at once. So no call takes longer than `(retries + 1) * timeout + retries * 120` seconds.

    A host is sent what every host takes; what it takes beyond that where it is known, by its address or by its list of
    models, which is asked for when this is made (see `hosts`). What it refuses by name is left out, or called
    otherwise, from then on (see `adaptation`). Answers in text are held to the labels shown where the host is known to
    hold answers, which is checked (see `holding`); vLLM servers also go on with opened answers.

    Its printed spec shows the options that bear on the answers, not keys, prices, retries or concurrency.

    Args:
        name: The model, as the host calls it.
        base_url: Where the API is; None for `$OPENAI_BASE_URL`, else OpenAI's own.
        api: `chat`, or `completions` for plain text: hosts that have it go on with opened answers, and prompts must
            bring what a chat template would. None is `completions` for published rerankers whose prompt is known to
            the letter, and `chat` for all others.
        batch: Whether each round goes out as a batch job (see `batch`): half the price, an answer within a day. Asks
            for few and large rounds: queries advance together, as in the `rounds` driver.
        batch_poll: Seconds until the first look at such a job.
        api_key_env: Environment variable that holds the key. Hosts other than OpenAI's own may need none.
        concurrency: Requests on their way at any time.
        rate: Requests begun a second, evenly, retries not counted; None for as many as `concurrency` lets through.
        timeout: Seconds for one attempt, from connecting to the last byte received.
        retries: Attempts after the first. With the four of the default, of 10,000 calls of which every attempt fails
            with a probability of a fifth, about 3 are lost.
        temperature: 0 is greedy; None leaves it to the host. Not sent to OpenAI's models that think first.
        repetition_penalty: 1 is none. Said to servers that are known to have one, since they default to others, and
            any other value to any host, under both names in use. None leaves it to the host.
        reasoning: Whether the model thinks before it answers: then it tells no log-probabilities, and has room to
            think. None for what `models.yaml` knows.
        reasoning_effort: How much it should think, in the host's words, such as `low`; sent where given.
        thinking: `on`, `off`, `low`, `medium`, `high` or a number of tokens, told in the words of the host (see
            `thinking`); what comes although it should not is noticed and said.
        template_kwargs: A JSON object of arguments for the chat template, where the server has one of its own.
        max_tokens: Replaces what a request allows its answer, thoughts included.
        seed: Sent along where given.
        context: Tokens that prompt and answer may have together; None for what the host says, if it does.
        price_prompt: US dollars per million prompt tokens; None for what `models.yaml` knows of OpenAI's own host.
        price_completion: The same for generated tokens.
        price_cached: The same for prompt tokens that the host finds in its cache; None for what `models.yaml` knows,
            else `price_prompt`.

    Raises:
        AuthError: The host, asked for its models, refuses the key or does not have this one.
        InputError: An option is out of range.
    """

    def __init__(
        self,
        *,
        name: str,
        base_url: str | None = None,
        api: Api | None = None,
        batch: bool = False,
        batch_poll: float = 10.0,
        api_key_env: str = "OPENAI_API_KEY",
        concurrency: int = 16,
        rate: float | None = None,
        timeout: float = 60.0,
        retries: int = 4,
        temperature: float | None = 0.0,
        repetition_penalty: float | None = 1.0,
        reasoning: bool | None = None,
        reasoning_effort: str | None = None,
        thinking: str | None = None,
        template_kwargs: str | None = None,
        max_tokens: int | None = None,
        seed: int | None = None,
        context: int | None = None,
        price_prompt: float | None = None,
        price_completion: float | None = None,
        price_cached: float | None = None,
    ) -> None:
        if not name or min(timeout, batch_poll) <= 0 or retries < 0 or (max_tokens is not None and max_tokens < 1):
            raise InputError(f"openai:{name}: needs a name, timeout and batch_poll above 0, retries of 0 or more, "
                             "max_tokens of 1 or more")  # fmt: skip
        endpoint, about = Endpoint.at(base_url, api_key_env), known(name)
        thinking, arguments = checked(thinking), kwargs_of(template_kwargs)
        thinks = is_thinking(about, reasoning=reasoning, thinking=thinking)
        untold = thinks and (about.thinks or endpoint.is_openai)  # OpenAI's thinking models refuse sampling options
        if untold and temperature:
            raise InputError(f"openai:{name} thinks before it answers and takes no temperature; leave it out, or say "
                             "reasoning=false if it does not think")  # fmt: skip
        server = Server(OPENAI_HOST) if endpoint.is_openai else look(endpoint, name)
        manners = server.manners
        names = (name, *server.names)
        card = cards.find(names)
        api = api or ("completions" if card is not None and card.is_text else "chat")
        self._poster = Poster(
            model=name,
            manners=manners,
            api=api,
            new_limit=manners.new_limit or untold,
            thinks=thinks,
            thought=int(thinking) if thinking and thinking.isdecimal() else THOUGHT_TOKENS,
            max_tokens=max_tokens,
            context=context or server.context,
            sampling={
                **({} if untold else greedy(manners, temperature, repetition_penalty)),
                "reasoning_effort": reasoning_effort,
                "seed": seed,
                **thinking_fields(manners, thinking, arguments),
            },
            means=manners.hold if api == "chat" or manners.hold != "json_schema" else None,
        )
        super().__init__(
            model=printed(
                "openai",
                name,
                base_url=None if endpoint.url == OPENAI_URL else endpoint.url,
                api=None if api == "chat" else api,
                temperature=shown_unless(0.0, temperature),
                repetition_penalty=shown_unless(1.0, repetition_penalty),
                reasoning=None if reasoning is None else str(reasoning).lower(),
                reasoning_effort=reasoning_effort,
                thinking=thinking,
                template_kwargs=template_kwargs,
                max_tokens=max_tokens,
                seed=seed,
                context=context,
            ),
            capabilities=Capabilities(
                generate=True,
                label_logprobs=0 if thinks else self._poster.alternatives,
                text_prompts=api == "completions",
                opened_chats=api == "chat" and manners.opens,
                context=self._poster.room,
                names=names,
                remote=not batch,  # in batch mode queries should wait for one another
                forms=api == "chat" and (manners.apart or not thinks) and not batch,
                thinks_apart=thinks and manners.apart,
            ),
            default_strategy="sliding / text",
            concurrency=concurrency,
            rate=rate,
            welcome=manners is VLLM,  # which shows its models to those only whom it answers
        )
        self._endpoint, self._timeout, self._retries, self._lists = endpoint, timeout, retries, server.lists
        self._reader = Reader(self.model, endpoint, self._poster, unthinking=thinking == "off")
        self._prices = Prices.of(
            about if endpoint.is_openai else Known(),
            prompt=price_prompt,
            completion=price_completion,
            cached=price_cached,
            share=BATCH_SHARE if batch else 1.0,
        )
        self._batch_poll = batch_poll if batch else None
        self._client: AsyncOpenAI | None = None
        self._turns = Turns()
        self._tried, self._trying = self._poster.means is not None, asyncio.Lock()

    @property
    def tokenizer(self) -> Tokenizer:
        """The one tiktoken has for models it knows by name, else an estimate."""
        return tokenizer_for(self._poster.model)

    def check(self) -> None:
        """Whether the SDK is there, and a key where one is needed; see `RemoteBackend.check`."""
        self._endpoint.check()

    def cost(self, usage: Usage) -> float | None:
        """US dollars for this usage, None when a price is unknown.

        An upper bound where it is not known what the host takes for prompt tokens that it finds in its cache.
        """
        return self._prices.cost(usage)

    def most_tokens(self, want: Want) -> int:
        """What the host is told not to exceed."""
        return self._poster.most_tokens(want)

    async def complete(self, work: Work) -> Outcome:
        """Answers one request; see `RemoteBackend.complete`. In batch mode it is a job of its own."""
        return await super().complete(work) if self._batch_poll is None else (await self.complete_all([work]))[0]

    async def complete_all(self, works: Sequence[Work]) -> list[Outcome]:
        """Answers many; see `RemoteBackend.complete_all`. In batch mode they are one job, or as few as can be."""
        if self._batch_poll is None:
            return await super().complete_all(works)
        self._bind()
        self._stop_if_refused()
        outcomes = [self._unfit(work) for work in works]
        fit = [work for work, unfit in zip(works, outcomes, strict=True) if unfit is None and isinstance(work, Request)]
        path, model = self._poster.path, self._poster.model
        jobs = Jobs(self._sdk(), self._endpoint, model=model, path=path, poll=self._batch_poll)
        try:
            answers = iter(await jobs.answer([self._poster.body(request) for request in fit]))
        except (AuthError, CapabilityError) as error:
            self._refusal = error
            raise
        return [unfit or await self._answered(work, next(answers)) for work, unfit in zip(works, outcomes, strict=True)]

    async def send(self, request: Request) -> Response | CallFailed:
        """Sends one completion and reads what is wanted off its body; see `RemoteBackend.send`."""
        unfit = self._unfit(request)
        if unfit is not None:
            return unfit
        import httpx2  # noqa: PLC0415
        import openai  # noqa: PLC0415

        if self._may_hold(request):
            async with self._trying:  # many may come at once
                self._stop_if_refused()
                if not self._tried:
                    await self._try_holding()
        attempts = 0
        while True:
            async with self._turns.one() as turn:
                body, failed = self._poster.body(request), None
                try:
                    raw = await self._sdk().post(self._poster.path, cast_to=httpx2.Response, body=body)
                except (openai.APIStatusError, openai.APIConnectionError) as error:
                    failed = error
                await turn.take(Rank.ANSWERED)
                if failed is None:
                    return await self._reader.outcome(request, raw.text, attempts + attempts_of(raw.request))
                if isinstance(failed, openai.APIConnectionError):
                    return self._endpoint.cut_off(failed, self._timeout)
                attempts += attempts_of(failed.response.request)
                if not self._learns(failed, body, request):
                    refusal = self._endpoint.refused(failed, self._poster.model)
                    return replace(refusal, attempts=attempts)

    async def is_welcome(self) -> bool:
        """Whether the key is taken and the model there, as the list of models tells; see `RemoteBackend.is_welcome`.

        A list proves a key only on hosts that refuse it to other keys. OpenAI does, so it is asked for the model alone.
        """
        own = self._endpoint.is_openai
        if self._endpoint.key == NO_KEY or not (own or self._lists):
            return False
        if own:
            return await self._status(f"/models/{self._poster.model}", self._endpoint.key) == OK
        return await self._status("/models", NO_KEY) in NOT_ALLOWED

    async def _status(self, path: str, key: str) -> int:
        """What the host answers to a GET with this key; 0 where there is no answer within `LOOK_SECONDS`."""
        import httpx2  # noqa: PLC0415
        import openai  # noqa: PLC0415

        sdk = self._sdk().with_options(api_key=key, max_retries=0, timeout=LOOK_SECONDS)
        try:
            return (await sdk.get(path, cast_to=httpx2.Response)).status_code
        except openai.APIStatusError as error:
            return error.status_code
        except openai.APIConnectionError:
            return 0

    async def aclose(self) -> None:
        """Closes the connections; call it on the event loop they belong to."""
        if self._client is not None and not self._closed:
            self._bind()
            await self._client.close()
        await super().aclose()

    def _learns(self, failed: "openai.APIStatusError", body: dict[str, Any], request: Request) -> bool:
        """Whether a refused request would be sent otherwise now.

        Raises:
            CapabilityError: The host refuses to tell log-probabilities.
        """
        refusal = failed.response.text
        if failed.status_code not in REFUSED or overflows(refusal):
            return False
        adaptation = self._poster.adaptation
        known = len(adaptation.changes)
        adaptation.learn(refusal, body)
        for change in adaptation.changes[known:]:
            log.warning("%s: %s, since it answers %s: %s", self._endpoint.host, change, failed.status_code,
                        self._endpoint.shown(refusal))  # fmt: skip
        otherwise = self._poster.body(request) != body
        if not otherwise and LABELS & set(refused(refusal, body)):
            told = f"{self._endpoint.host} answered {failed.status_code}: {self._endpoint.shown(refusal)}"
            raise CapabilityError(f"{told}; it tells no log-probabilities: use / text")
        return otherwise

    def _may_hold(self, request: Request) -> bool:
        """Whether an answer should be held to a form, and whether the host can is not known."""
        form = request.want.form if isinstance(request.want, Generate) else None
        return form is not None and form.required and not self._tried

    async def _try_holding(self) -> None:
        """Finds out, once, by which means the host holds answers to a form.

        Raises:
            CapabilityError: By none.
        """
        import httpx2  # noqa: PLC0415

        async def post(body: dict[str, Any]) -> str:
            return (await self._sdk().post(self._poster.path, cast_to=httpx2.Response, body=body)).text

        try:
            await try_means(self._poster, post, self._endpoint.host)
        finally:
            self._tried = True

    def _sdk(self) -> "AsyncOpenAI":
        if self._client is None:
            timeout = self._timeout if self._batch_poll is None else max(self._timeout, UPLOAD_SECONDS)
            self._client = self._endpoint.client(timeout=timeout, retries=self._retries, concurrency=self._concurrency)
        return self._client

    def _unfit(self, work: Work) -> CallFailed | None:
        """Why this cannot be sent, if it cannot."""
        if not isinstance(work, Request):
            return CallFailed(f"{self.model} answers prompts only, not a bare {type(work).__name__}", attempts=0)
        unfit = self._poster.unfit(work)
        return None if unfit is None else CallFailed(f"{self.model}: {unfit}", attempts=0)

    async def _answered(self, work: Work, answer: str | CallFailed) -> Response | CallFailed:
        """What an answer of a batch job means."""
        assert isinstance(work, Request)  # noqa: S101
        return answer if isinstance(answer, CallFailed) else plain(await self._reader.outcome(work, answer, attempts=1))
