"""Reranking APIs as judges of `Score`: many documents in one call."""

import asyncio
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, ClassVar

from rerankllm.backends.openai.completion import UnusableError
from rerankllm.backends.openai.endpoint import NO_KEY, Endpoint, attempts_of, need_sdk
from rerankllm.backends.printed import printed
from rerankllm.backends.remote import RemoteBackend, plain
from rerankllm.backends.rerank_api.dialects import DIALECTS, Dialect, Scores, body_of, read_scores
from rerankllm.backends.token_estimate import EstimatedTokenizer
from rerankllm.calls import CallFailed, Capabilities, Outcome, Reply, Tokenizer, Want, Work
from rerankllm.data import Query, Usage
from rerankllm.elicitation import cards
from rerankllm.errors import CapabilityError, InputError
from rerankllm.judgements import Judgement, Score

if TYPE_CHECKING:
    from openai import AsyncOpenAI

KEY_ENV = "RERANK_API_KEY"
"""Environment variable that holds the key of a host that is named by its URL: none that is meant for another."""
LINGER = 0.005
"""Seconds in which scores that are asked for come together in one call."""


@dataclass(eq=False)
class _Group:
    """Documents of one query that go out together.

    Attributes:
        query: The query.
        seats: How many documents it is for; those that are expected come at once.
        texts: The documents' texts.
        replies: What the askers wait for, in the same order.
    """

    query: Query
    seats: int = 0
    texts: list[str] = field(default_factory=list)
    replies: list[asyncio.Future[Reply | CallFailed]] = field(default_factory=list)


class RerankApi(RemoteBackend):
    """A model behind a reranking API; `?dialect=` says whose.

    Scores that are asked for at the same time go out in one call a query, as many as the API takes; so `pointwise` over
    100 candidates is one call. Of what that call took the first document's answer has it all. Keys, retries and a host
    that dies are as for `openai:`.

    Args:
        name: The model, as the API calls it; for a server that has one only, its URL will do.
        dialect: What the server speaks: `cohere`, `jina`, `voyage`, `mixedbread`, `zeroentropy`, `nvidia`, `tei` or
            `vllm`. For `rerank:` only: the other kinds are named by theirs.
        base_url: Where the API is, without its route; None for its own host.
        api_key_env: Environment variable that holds the key; None for the one that is usual for this API.
        instruction: What counts as relevant, for APIs that take an instruction.
        max_tokens_per_doc: Tokens of a document that are read, for APIs that can be told.
        batch: Documents a call; None for as many as the API takes.
        concurrency: Calls on their way at any time.
        rate: Calls begun a second; None for as many as `concurrency` lets through.
        timeout: Seconds for one attempt.
        retries: Attempts after the first.
        price_searches: US dollars per thousand search units; None for what `prices.yaml` knows of the API's own host.
        price_tokens: US dollars per million tokens; the same.

    Raises:
        InputError: An option is out of range, or this API does not have it, or has no host of its own.
    """

    kind: ClassVar[str] = "rerank"
    """What such a model is called in specs."""
    settled: ClassVar[frozenset[str]] = frozenset()
    """Options that a kind has no choice of."""

    def __init__(
        self,
        *,
        name: str,
        dialect: str = "jina",
        base_url: str | None = None,
        api_key_env: str | None = None,
        instruction: str | None = None,
        max_tokens_per_doc: int | None = None,
        batch: int | None = None,
        concurrency: int = 4,
        rate: float | None = None,
        timeout: float = 60.0,
        retries: int = 4,
        price_searches: float | None = None,
        price_tokens: float | None = None,
    ) -> None:
        kind, dialect = self.kind, self.kind if "dialect" in self.settled else dialect
        if dialect not in DIALECTS:
            raise InputError(f"{kind}: knows no dialect {dialect}; there are: {', '.join(DIALECTS)}")
        chosen = DIALECTS[dialect]
        if name.startswith(("http://", "https://")):
            name, base_url = "", base_url or name
        _check(kind, chosen, instruction=instruction, cut=max_tokens_per_doc)
        _check_read_as_trained(chosen, name)
        if (batch is not None and batch < 1) or timeout <= 0 or retries < 0 or not (name or base_url):
            raise InputError(f"{kind}:{name}: needs a name or a URL, batch of 1 or more, timeout above 0, retries of 0 "
                             "or more")  # fmt: skip
        url = base_url or (chosen.url and chosen.url.format(model=name))
        if not url:
            raise InputError(
                f"{kind}:{name}: give ?base_url=…, since everybody has a {chosen.name} server of their own"
            )
        shown: dict[str, str | float | None] = {
            "dialect": None if kind == chosen.name else chosen.name,
            "base_url": base_url if name else None,
            "instruction": instruction,
            "max_tokens_per_doc": max_tokens_per_doc,
        }
        super().__init__(
            model=printed(kind, name or str(base_url), **shown),
            capabilities=Capabilities(answers=frozenset({Score}), remote=True, bounded=chosen.score != "logit"),
            default_strategy="pointwise",
            concurrency=concurrency,
            rate=rate,
        )
        self._most = min(batch or chosen.most, chosen.most)
        self.capabilities = replace(self.capabilities, slots=concurrency * self._most)
        usual = chosen.key_env if kind == chosen.name or base_url is None else (KEY_ENV,)
        keys = usual if api_key_env is None else (api_key_env,)
        key_env = next((each for each in keys if os.environ.get(each)), keys[0])
        self._endpoint, self._hosted = Endpoint.at(url, key_env), base_url is None
        self._dialect, self._name = chosen, name
        self._instruction, self._cut = instruction, max_tokens_per_doc
        self._timeout, self._retries = timeout, retries
        listed = _prices(chosen.name).get(name, {}) if self._hosted else {}
        self._price_searches = listed.get("searches") if price_searches is None else price_searches
        self._price_tokens = listed.get("tokens") if price_tokens is None else price_tokens
        self._groups: dict[str, list[_Group]] = {}
        self._sending: set[asyncio.Task[None]] = set()
        self._client: AsyncOpenAI | None = None

    def share(self, part: int, parts: int) -> None:
        """Keeps one part of the calls that may be under way; see `RemoteBackend.share`."""
        super().share(part, parts)
        self.capabilities = replace(self.capabilities, slots=self._concurrency * self._most)

    @property
    def tokenizer(self) -> Tokenizer:
        """None: it is shown no prompts."""
        raise CapabilityError(f"{self.model} answers judgements without a prompt: it takes no elicitation")

    def check(self) -> None:
        """Whether the SDK is there, and a key for the API's own host; see `RemoteBackend.check`."""
        need_sdk()
        if self._hosted and self._endpoint.key == NO_KEY:
            raise InputError(
                f"{self._endpoint.host} needs a key: set the environment variable {self._endpoint.key_env}"
            )

    def cost(self, usage: Usage) -> float | None:
        """US dollars for search units or tokens, whichever the API counts; None when the price is unknown."""
        per_search, per_token = self._price_searches, self._price_tokens
        if per_search is None and per_token is None:
            return None
        return (per_search or 0.0) * usage.searches / 1e3 + (per_token or 0.0) * usage.prompt_tokens / 1e6

    def takes(self, work: Judgement) -> Usage:
        """What a document adds to a call: about its tokens and the query's, and a search unit where it begins one."""
        texts = [work.query.text, *(doc.content for doc in work.docs)]
        tokens = sum(len(_ESTIMATE.encode(text)) for text in texts)
        open_groups = self._groups.get(work.query.text)
        taken = open_groups[-1].seats % self._most if open_groups else 0
        begins = self._dialect.a_search and taken % self._dialect.a_search == 0
        return Usage(tokens, searches=1.0 if begins else 0.0)

    def expect(self, work: Judgement) -> None:
        """Keeps a place in the call that the document will go out in."""
        self._seat(work.query)

    def searches(self, count: int) -> int:
        """Search units of so many documents of one query, asked for together."""
        if self._dialect.a_search is None:
            return 0
        calls, rest = divmod(count, self._most)
        return calls * -(-self._most // self._dialect.a_search) + -(-rest // self._dialect.a_search)

    def most_tokens(self, want: Want) -> int:
        """None: it generates nothing."""
        del want
        return 0

    async def complete(self, work: Work) -> Outcome:
        """The score of one document, from a call that it shares with others of the same query."""
        loop = self._bind().loop
        if not isinstance(work, Score):
            return CallFailed(f"{self.model} scores documents, and is asked a {type(work).__name__}", attempts=0)
        open_groups = self._groups.get(work.query.text, ())
        group = next((each for each in open_groups if len(each.texts) < each.seats), None) or self._seat(work.query)
        reply: asyncio.Future[Reply | CallFailed] = loop.create_future()
        group.texts.append(work.doc.content)
        group.replies.append(reply)
        return await reply

    async def send(self, request: _Group) -> Scores | CallFailed:
        """One call; see `RemoteBackend.send`."""
        import httpx2  # noqa: PLC0415
        import openai  # noqa: PLC0415

        body = body_of(self._dialect, self._name, request.query.text, request.texts, instruction=self._instruction,
                       cut=self._cut)  # fmt: skip
        try:
            raw = await self._sdk().post(self._dialect.route(self._endpoint.host), cast_to=httpx2.Response, body=body)
        except openai.APIStatusError as error:
            return self._endpoint.refused(error, self._name)
        except openai.APIConnectionError as error:
            return self._endpoint.cut_off(error, self._timeout)
        attempts = attempts_of(raw.request)
        try:
            return read_scores(self._dialect, raw.text, len(request.texts))._replace(attempts=attempts)
        except UnusableError as error:
            return self._endpoint.unusable(error, attempts)

    async def aclose(self) -> None:
        """Closes the connections; call it on the event loop they belong to."""
        if self._client is not None and not self._closed:
            self._bind()
            await self._client.close()
        await super().aclose()

    def _seat(self, query: Query) -> _Group:
        """The group of a query that one more document goes out with; a new one where there is none, or it is full."""
        open_groups = self._groups.setdefault(query.text, [])
        if not open_groups or open_groups[-1].seats == self._most:
            open_groups.append(_Group(query))
            task = asyncio.get_running_loop().create_task(self._answer(open_groups[-1]))
            self._sending.add(task)
            task.add_done_callback(self._sending.discard)
        open_groups[-1].seats += 1
        return open_groups[-1]

    async def _answer(self, group: _Group) -> None:
        """Sends a group once no more join it, and hands its scores out."""
        seats = 0
        while seats < group.seats:
            seats = group.seats
            await asyncio.sleep(LINGER)
        open_groups = self._groups[group.query.text]
        open_groups.remove(group)
        if not open_groups:
            del self._groups[group.query.text]
        if not group.texts:
            return
        try:
            outcome: Scores | CallFailed = plain(await self.through(group))
        except Exception as error:  # noqa: BLE001 - whoever waits for a score gets it
            for reply in group.replies:
                if not reply.done():
                    reply.set_exception(error)
            return
        for place, reply in enumerate(group.replies):
            if not reply.done():
                reply.set_result(_part(outcome, place))

    def _sdk(self) -> "AsyncOpenAI":
        if self._client is None:
            self._client = self._endpoint.client(
                timeout=self._timeout, retries=self._retries, concurrency=self._concurrency
            )
        return self._client


_ESTIMATE = EstimatedTokenizer()


def _part(outcome: Scores | CallFailed, place: int) -> Reply | CallFailed:
    """What one document's asker gets; the first has what the call took."""
    attempts = outcome.attempts if place == 0 else 0
    if isinstance(outcome, CallFailed):
        return replace(outcome, attempts=attempts)
    value = outcome.values[place]
    if math.isnan(value):
        return CallFailed("the API left this document out of its answer", attempts)
    return Reply(value, usage=outcome.usage if place == 0 else Usage(), attempts=attempts)


def _check_read_as_trained(dialect: Dialect, name: str) -> None:
    """Raises `CapabilityError` for a model whose texts the server would read otherwise than it was trained to."""
    card = cards.find([name]) if name and dialect.name == "vllm" else None
    if card is not None and card.late is not None:
        raise CapabilityError(
            f"rerank:{name} is {card.name}, whose texts vLLM's server compares without markers, with punctuation, and "
            f"queries as short as they are: vllm:{name} and embed:{name} ask it as it was trained"
        )


def _check(kind: str, dialect: Dialect, *, instruction: str | None, cut: int | None) -> None:
    """Refuses what this API has no field for."""
    can = {"instruction": dialect.instruction, "max_tokens_per_doc": dialect.cut}
    for name, value in (("instruction", instruction), ("max_tokens_per_doc", cut)):
        if value is not None and can[name] is None:
            raise InputError(f"{kind}: the {dialect.name} API takes no {name}: leave it out")


@cache
def _prices(dialect: str) -> Mapping[str, Mapping[str, float]]:
    import yaml  # noqa: PLC0415

    text = (resources.files(__package__) / "prices.yaml").read_text(encoding="utf-8")
    known: Mapping[str, Mapping[str, float]] = yaml.safe_load(text).get(dialect, {})
    return known
