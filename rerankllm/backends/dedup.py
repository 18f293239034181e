"""A backend that is asked each thing once, however many want to know."""

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
    """Stands before a backend for what many queries ask in the same words, and sends it once.

    Who hears what another paid for is told so: it took no attempt and no token. A call that failed is no answer; the
    next one who wants to know sends it again.

    Attributes:
        inner: The backend, which belongs to somebody else and is not closed.
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
        """Its."""
        return self.inner.revision

    @property
    def tokenizer(self) -> Tokenizer:
        """Its."""
        return self.inner.tokenizer

    async def complete(self, work: Work) -> Outcome:
        """The answer, from whoever has it."""
        async with self._asking.setdefault(work, asyncio.Lock()):
            if work in self._heard:
                return self._again(work)
            return self._hear(work, await self.inner.complete(work))

    async def complete_all(self, works: Sequence[Work]) -> list[Outcome]:
        """The answers, every new one asked for once."""
        new = [work for work in dict.fromkeys(works) if work not in self._heard]
        sent = dict(zip(new, await self.inner.complete_all(new), strict=True)) if new else {}
        failed = {work: outcome for work, outcome in sent.items() if isinstance(self._hear(work, outcome), CallFailed)}
        outcomes = [failed[work] if work in failed else self._again(work) for work in works]
        for work, outcome in sent.items():
            outcomes[works.index(work)] = outcome
        return outcomes

    def cost(self, usage: Usage) -> float | None:
        """Its."""
        return self.inner.cost(usage)

    def most_tokens(self, want: Want) -> int:
        """Its."""
        return self.inner.most_tokens(want)

    async def aclose(self) -> None:
        """Nothing: the backend is closed by whose it is."""

    def _hear(self, work: Work, outcome: Outcome) -> Outcome:
        if isinstance(outcome, Response):
            self._heard[work] = outcome
        return outcome

    def _again(self, work: Work) -> Response:
        return replace(self._heard[work], usage=Usage(), attempts=0)
