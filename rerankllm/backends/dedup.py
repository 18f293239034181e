"""A backend that sends each distinct request once."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from rerankllm.calls import (
    Backend,
    CallFailed,
    Capabilities,
    Outcome,
    Response,
    Tokenizer,
    Want,
    Work,
)
from rerankllm.data import Usage


@dataclass(eq=False)
class Deduplicated:
    """Wraps a backend for requests that many queries make in the same words, and sends each of these once.

    A repeated request gets the cached response, with zero usage and attempts. A failed call is not cached: the next
    request of the same kind is sent again.

    Attributes:
        inner: The wrapped backend; its owner closes it.
    """

    inner: Backend
    _heard: dict[Work, Response] = field(default_factory=dict)
    _asking: dict[Work, asyncio.Lock] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.model = self.inner.model
        self.capabilities: Capabilities = self.inner.capabilities
        self.default_strategy = self.inner.default_strategy

    @property
    def revision(self) -> str | None:
        """The wrapped backend's revision."""
        return self.inner.revision

    @property
    def tokenizer(self) -> Tokenizer:
        """The wrapped backend's tokenizer."""
        return self.inner.tokenizer

    async def complete(self, work: Work) -> Outcome:
        """The cached response, or the wrapped backend's."""
        async with self._asking.setdefault(work, asyncio.Lock()):
            if work in self._heard:
                return self._again(work)
            return self._hear(work, await self.inner.complete(work))

    async def complete_all(self, works: Sequence[Work]) -> list[Outcome]:
        """The outcomes in order; the wrapped backend is sent each new request once."""
        new = [work for work in dict.fromkeys(works) if work not in self._heard]
        sent = dict(zip(new, await self.inner.complete_all(new), strict=True)) if new else {}
        failed = {work: outcome for work, outcome in sent.items() if isinstance(self._hear(work, outcome), CallFailed)}
        outcomes = [failed[work] if work in failed else self._again(work) for work in works]
        for work, outcome in sent.items():
            outcomes[works.index(work)] = outcome
        return outcomes

    def cost(self, usage: Usage) -> float | None:
        """The wrapped backend's price for this usage."""
        return self.inner.cost(usage)

    def most_tokens(self, want: Want) -> int:
        """The wrapped backend's bound."""
        return self.inner.most_tokens(want)

    async def aclose(self) -> None:
        """Does nothing: the owner of the wrapped backend closes it."""

    def _hear(self, work: Work, outcome: Outcome) -> Outcome:
        if isinstance(outcome, Response):
            self._heard[work] = outcome
        return outcome

    def _again(self, work: Work) -> Response:
        return replace(self._heard[work], usage=Usage(), attempts=0)
