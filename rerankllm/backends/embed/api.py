"""Embeddings of an OpenAI-compatible API."""

import asyncio
import itertools
import json
import math
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from rerankllm.backends.embed.memory import Embedded, Role, Text, unit
from rerankllm.backends.openai.endpoint import Endpoint, need_sdk
from rerankllm.backends.remote import Host, NoConnectionError, RemoteFailure
from rerankllm.backends.token_estimate import EstimatedTokenizer
from rerankllm.calls import CallFailed
from rerankllm.data import Usage
from rerankllm.errors import AuthError, InputError
from rerankllm.formats.lines import storable

if TYPE_CHECKING:
    from openai import APIConnectionError, AsyncOpenAI


class Api:
    """Posts texts to `/embeddings`, many in one call. Used from one thread, on an event loop of its own.

    Until a call has succeeded they go out one at a time: a refusal for good is then the last call ever, and a host that
    is not there or cannot serve gets none of the calls that wait. Retries are the SDK's alone.

    Attributes:
        endpoint: The address, and the key.
        at_once: Texts worth taking together: all there are.

    Args:
        name: The model, as the host calls it.
        base_url: Where the API is.
        api_key_env: Environment variable that holds the key, if the host needs one.
        batch: Texts a call.
        concurrency: Calls on their way at any time.
        timeout: Seconds for one attempt.
        retries: Attempts after the first.

    Raises:
        MissingExtra: The SDK is not installed.
        InputError: The address is none, or an option is out of range.
    """

    def __init__(
        self,
        name: str,
        *,
        base_url: str,
        api_key_env: str,
        batch: int,
        concurrency: int,
        timeout: float,
        retries: int,
    ) -> None:
        need_sdk()
        if not name or concurrency < 1 or timeout <= 0 or retries < 0:
            raise InputError(
                f"embed:{name}: needs a name, concurrency of 1 or more, timeout above 0, retries of 0 or more"
            )
        self.endpoint = Endpoint.at(base_url, api_key_env)
        self.at_once = None
        self.names = (name,)
        self.endpoint.check_key()
        self._name = name
        self._batch = batch
        self._concurrency = concurrency
        self._timeout = timeout
        self._retries = retries
        self._runner: asyncio.Runner | None = None
        self._client: AsyncOpenAI | None = None
        self._served = False
        self._refused: str | None = None
        self._tokenizer = EstimatedTokenizer()

    def revision(self) -> None:
        """None: hosts do not say which weights they serve."""

    def embed(
        self, texts: Sequence[Text], abandoned: Callable[[], bool]
    ) -> Iterator[list[tuple[Text, Embedded | CallFailed]]]:
        """Embeds these texts, as many calls at a time as may be, until `abandoned`.

        Raises:
            AuthError: The host refuses the key, the permission or the model name, now or before.
        """
        calls = [list(texts[start : start + self._batch]) for start in range(0, len(texts), self._batch)]
        while calls and not abandoned():
            width = self._concurrency if self._served else 1
            together, calls = calls[:width], calls[width:]
            outcomes = self._run(together)
            if not self._served and isinstance(outcomes[0], RemoteFailure) and outcomes[0].host is Host.FAILS:
                together, calls = [*together, *calls], []
                outcomes = [outcomes[0]] * len(together)
            for call, outcome in zip(together, outcomes, strict=True):
                found = outcome if isinstance(outcome, list) else [CallFailed(outcome.reason)] * len(call)
                yield list(zip(call, found, strict=True))

    def room(self, role: Role) -> None:
        """None: hosts do not say how much they read."""
        del role

    def ends(self, text: str) -> list[int]:
        """Where each token of a text ends, in characters, by an estimate."""
        pieces = (self._tokenizer.decode((token,)) for token in self._tokenizer.encode(text))
        return list(itertools.accumulate(map(len, pieces)))

    def harmless(self, text: str) -> str:
        """A text in which what opens control tokens, of most models, does not."""
        return text.replace("<|", "< |")

    def close(self) -> None:
        """Closes the connections, on the loop they belong to and so from a thread where none runs."""
        if self._runner is not None:
            closing = threading.Thread(target=self._close, args=(self._runner,), name="embed-close")
            closing.start()
            closing.join()
            self._runner = None

    def _close(self, runner: asyncio.Runner) -> None:
        if self._client is not None:
            runner.run(self._client.close())
        runner.close()

    def _run(self, calls: Sequence[list[Text]]) -> list[list[Embedded] | CallFailed]:
        if self._refused is not None:
            raise AuthError(self._refused)
        if self._runner is None:
            self._runner = asyncio.Runner()
        try:
            outcomes = self._runner.run(self._together(calls))
        except AuthError as error:
            self._refused = str(error)
            raise
        self._served = self._served or any(isinstance(outcome, list) for outcome in outcomes)
        return outcomes

    async def _together(self, calls: Sequence[list[Text]]) -> list[list[Embedded] | CallFailed]:
        return await asyncio.gather(*(self._call(call) for call in calls))

    async def _call(self, texts: Sequence[Text]) -> list[Embedded] | CallFailed:
        """One call, with the SDK's retries."""
        import httpx2  # noqa: PLC0415
        import openai  # noqa: PLC0415

        if self._client is None:
            self._client = self.endpoint.client(
                timeout=self._timeout, retries=self._retries, concurrency=self._concurrency
            )
        sent = [storable(text.text) for text in texts]
        body = {"model": self._name, "input": sent, "encoding_format": "float"}
        try:
            raw = await self._client.post("/embeddings", cast_to=httpx2.Response, body=body)
        except openai.APIStatusError as error:
            return self.endpoint.refused(error, self._name)
        except openai.APIConnectionError as error:
            return self._cut_off(error)
        try:
            rows, usage = read_embeddings(raw.text, len(texts))
        except ValueError as error:
            return RemoteFailure(f"{self.endpoint.host}: answered 200 with {error}", host=Host.FAILS)
        counts = _split(usage.prompt_tokens, [len(text) for text in sent])
        return [Embedded(vector, count) for vector, count in zip(unit(rows), counts, strict=True)]

    def _cut_off(self, error: "APIConnectionError") -> CallFailed:
        try:
            return self.endpoint.cut_off(error, self._timeout)
        except NoConnectionError as unreachable:
            return RemoteFailure(str(unreachable), unreachable.attempts, Host.FAILS)


def read_embeddings(body: str, count: int) -> tuple[list[list[float]], Usage]:
    """The vectors in the body of an answer, in the order of the texts, and the tokens it took (0 if it says none).

    Raises:
        ValueError: It holds anything but `count` vectors of one length; the message completes "answered with".
    """
    try:
        payload: Any = json.loads(body)
        rows = {entry["index"]: [float(value) for value in entry["embedding"]] for entry in payload["data"]}
        tokens = (payload.get("usage") or {}).get("prompt_tokens", 0)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise ValueError("something that is no list of embeddings") from None
    if sorted(rows) != list(range(count)):
        raise ValueError(f"{len(rows)} embeddings for {count} texts")
    if len({len(row) for row in rows.values()}) > 1 or not all(rows.values()):
        raise ValueError("embeddings of different lengths")
    if not all(math.isfinite(value) for row in rows.values() for value in row):
        raise ValueError("embeddings that are not numbers")
    return [rows[index] for index in range(count)], Usage(tokens if isinstance(tokens, int) else 0)


def _split(total: int, weights: Sequence[int]) -> list[int]:
    """Whole numbers that add up to `total`, about as the weights do."""
    ends = [total * part // max(sum(weights), 1) for part in itertools.accumulate(weights)]
    ends[-1] = total
    return [end - start for start, end in itertools.pairwise((0, *ends))]
