"""What tokens cost. Pure."""

from dataclasses import dataclass
from typing import Self

from rerankllm.backends.openai.known_models import Known
from rerankllm.data import Usage


@dataclass(frozen=True, slots=True)
class Prices:
    """US dollars per million tokens; None where a price is not known.

    Attributes:
        prompt: Of prompt tokens.
        completion: Of generated tokens.
        cached: Of prompt tokens that the host finds in its cache.
        share: What is paid of that.
    """

    prompt: float | None
    completion: float | None
    cached: float | None
    share: float = 1.0

    @classmethod
    def of(
        cls, listed: Known, *, prompt: float | None, completion: float | None, cached: float | None, share: float
    ) -> Self:
        """The prices that a user gives, else those listed; a price for prompts is that for cached ones too."""
        kept = listed.cached if prompt is None else None
        return cls(
            listed.prompt if prompt is None else prompt,
            listed.completion if completion is None else completion,
            kept if cached is None else cached,
            share,
        )

    def cost(self, usage: Usage) -> float | None:
        """US dollars for this usage; an upper bound where the price of cached tokens is not known."""
        if self.prompt is None or self.completion is None:
            return None
        cached = min(usage.cached_tokens, usage.prompt_tokens)
        less = cached * (self.prompt - (self.prompt if self.cached is None else self.cached))
        return self.share * (self.prompt * usage.prompt_tokens - less + self.completion * usage.completion_tokens) / 1e6
