"""From what came back over the wire to what was wanted of it."""

import asyncio
import logging
import math
from collections.abc import Sequence

from rerankllm.backends.openai.completion import Completion, UnusableError, read_completion
from rerankllm.backends.openai.endpoint import Endpoint
from rerankllm.backends.openai.holding import holds
from rerankllm.backends.openai.labels import NoLogprobsError, label_logprobs, readings
from rerankllm.backends.openai.request import Poster
from rerankllm.backends.openai.thinking import thoughts_in
from rerankllm.backends.remote import Host, RemoteFailure
from rerankllm.backends.token_estimate import tokenizer_for
from rerankllm.calls import CallFailed, Generate, ReadLabels, Request, Response
from rerankllm.data import Usage
from rerankllm.errors import CapabilityError

log = logging.getLogger(__name__)

MISSING = 2048
"""Tokens by which a host's count of a prompt must fall short, besides by half, to show that it cut the prompt."""


class Reader:
    """Reads the completions of one model, and remembers what they tell about its host.

    Args:
        model: Its printed spec, to name in warnings.
        endpoint: Where they come from.
        poster: How they were asked for.
        unthinking: Whether the model was told not to think.
    """

    def __init__(self, model: str, endpoint: Endpoint, poster: Poster, *, unthinking: bool = False) -> None:
        self._model = model
        self._endpoint = endpoint
        self._poster = poster
        self._unthinking = unthinking
        self._tells_logprobs = False
        self._said: set[str] = set()

    async def outcome(self, request: Request, body: str, attempts: int) -> Response | CallFailed:
        """What is wanted of a completion, or why it is not there.

        Raises:
            CapabilityError: The first completion asked for log-probabilities has none.
        """
        labels = request.want.labels if isinstance(request.want, ReadLabels) else None
        beside = request.want.labels if isinstance(request.want, Generate) else None
        try:
            completion = read_completion(body, self._poster.api)
            logprobs, floor = ((), math.nan) if labels is None else label_logprobs(completion.positions, labels)
            read = () if beside is None else readings(completion.positions, beside.labels, completion.text)
        except NoLogprobsError as error:
            if not self._tells_logprobs:
                raise CapabilityError(f"{self._endpoint.host}: {error.reason}") from None
            return self._endpoint.unusable(error, attempts)
        except UnusableError as error:
            return self._endpoint.unusable(error, attempts)
        if cut := await self._cut_by_host(request, completion.usage):
            return RemoteFailure(f"{self._endpoint.host}: {cut}", attempts, Host.SERVES)
        self._tells_logprobs = self._tells_logprobs or labels is not None or bool(read)
        self._verify(request, completion)
        return Response(
            text=completion.text if labels is None else "",
            logprobs=logprobs,
            floor=floor,
            usage=completion.usage or await self._estimated(request, completion.text),
            attempts=attempts,
            finish_reason=completion.finish_reason,
            readings=read,
            adapted=tuple(self._poster.adaptation.changes),
            reasoning="" if completion.reasoning is None and self._poster.thinks else completion.reasoning,
        )

    def _verify(self, request: Request, completion: Completion) -> None:
        """Checks that the host did what it was asked beyond the plain; what it does not is said once.

        One that does not hold answers to a form is not asked to from then on.
        """
        poster, form = self._poster, self._poster.form(request)
        cut_off = completion.finish_reason == "length" and isinstance(request.want, Generate)
        if form and poster.means and not cut_off and not holds(poster.means, form, completion.text):
            self._say(f"{self._model} does not hold answers to the labels, though it is asked to")
            poster.means = None
        if self._unthinking and (completion.reasoning or thoughts_in(completion.text)):
            self._say(f"{self._model} thinks, though it is told not to: its host ignores thinking=off, or the model "
                      "cannot do without")  # fmt: skip

    async def _cut_by_host(self, request: Request, usage: Usage | None) -> str | None:
        """What to say of a prompt that the host cut without a word; None where it did not.

        By its own count: what it counts is then far below what was sent, even for an estimate.
        """
        texts = self._poster.texts(request)
        sent = sum(map(len, texts))
        if usage is None or sent < MISSING or usage.prompt_tokens * 2 >= sent:
            return None
        expected = await self._count(texts)
        if usage.prompt_tokens * 2 >= expected or expected - usage.prompt_tokens < MISSING:
            return None
        return (
            f"it counted {usage.prompt_tokens} tokens of a prompt that has about {expected}, so it cut it: give "
            "the model a longer context (Ollama: OLLAMA_CONTEXT_LENGTH, llama.cpp: -c, LM Studio: context length), or "
            "say how long it is (?context=N), so that passages are cut here"
        )

    async def _count(self, texts: Sequence[str]) -> int:
        tokenizer = await asyncio.to_thread(tokenizer_for, self._poster.model)  # may have to fetch a vocabulary
        return sum(len(tokenizer.encode(shown)) for shown in texts)

    async def _estimated(self, request: Request, text: str) -> Usage:
        """Tokens counted here, for a host that does not say."""
        self._say(f"{self._model} reports no usage: tokens are counted here, without its chat template")
        return Usage(await self._count(self._poster.texts(request)), await self._count([text]))

    def _say(self, warning: str) -> None:
        """Logs a warning, once."""
        if warning not in self._said:
            self._said.add(warning)
            log.warning(warning)
