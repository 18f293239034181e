"""What backends that answer judgements without a prompt have in common."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

from rerankllm.calls import (
    CallFailed,
    Capabilities,
    Outcome,
    Reply,
    Request,
    Tokenizer,
    Want,
    Work,
)
from rerankllm.data import Usage
from rerankllm.errors import CapabilityError
from rerankllm.judgements import Judgement


class DirectBackend(ABC):
    """Answers judgements by looking something up.

    Attributes:
        model: Printed spec.
        capabilities: Which judgements it answers.
        default_strategy: Stage used when the user names none.
    """

    model: str
    capabilities: Capabilities
    default_strategy: str = "sliding"

    @abstractmethod
    def answer(self, judgement: Judgement) -> Reply | CallFailed:
        """The answer to one judgement."""

    @property
    def revision(self) -> str | None:
        """SHA-256 of what it looks answers up in; None where there is no such thing."""
        return None

    @property
    def tokenizer(self) -> Tokenizer:
        """None: it is never shown a prompt."""
        raise CapabilityError(f"{self.model} answers judgements without a prompt: it takes no elicitation")

    async def complete(self, work: Work) -> Outcome:
        """Answers one judgement."""
        return self._answered(work)

    async def complete_all(self, works: Sequence[Work]) -> list[Outcome]:
        """Answers all of them."""
        return [self._answered(work) for work in works]

    def cost(self, usage: Usage) -> float | None:
        """Nothing."""
        del usage
        return 0.0

    def most_tokens(self, want: Want) -> int:
        """None."""
        del want
        return 0

    async def aclose(self) -> None:  # noqa: B027
        """Nothing to free."""

    def _answered(self, work: Work) -> Outcome:
        if isinstance(work, Request):
            raise CapabilityError(f"{self.model} answers judgements, not prompts")
        return self.answer(work)
