"""What a run may spend, and whether the next call may still be sent."""

import threading
import time
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import Any

from rerankllm.calls import (
    Backend,
    CallFailed,
    EncoderPrompt,
    Outcome,
    Prompt,
    Request,
    SharesRequests,
    TextPrompt,
    TokenPrompt,
    Work,
)
from rerankllm.data import Usage
from rerankllm.errors import CapabilityError, InputError


@dataclass(frozen=True, slots=True)
class Limits:
    """What a run may spend, including what it spent before it was resumed; None is no limit.

    Attributes:
        calls: Calls.
        tokens: Prompt and completion tokens together.
        cost: US dollars.
        seconds: Time from the first call; nothing is sent after it.
    """

    calls: int | None = None
    tokens: int | None = None
    cost: float | None = None
    seconds: float | None = None

    def __post_init__(self) -> None:
        for name in ("calls", "tokens", "cost", "seconds"):
            value = getattr(self, name)
            if value is not None and not value >= 0:
                raise InputError(f"a budget of {value} {name} is none: it should be 0 or more")


ANYTHING = Usage(1, 1, 0, 1)
"""Of everything that has a price one."""


class Admission(Enum):
    """When a call that is not refused may be sent."""

    SEND = "send"
    WAIT = "wait"
    """Wait until running calls report their usage."""
    HOLD = "hold"
    """Wait until running calls of the same query report their usage; other queries' calls may be sent."""


PICO = 10**12
"""Picodollars in a dollar. Costs are added up as whole picodollars, so that an amount can be taken back exactly."""


@dataclass(frozen=True, slots=True)
class Amount:
    """An amount of calls, tokens and picodollars."""

    calls: int = 0
    tokens: int = 0
    pico: int = 0

    @classmethod
    def of(cls, calls: int, tokens: int, cost: float | None) -> "Amount":
        """The amount with its cost given in dollars; an unknown cost (None) counts as 0."""
        return cls(calls, tokens, round((cost or 0.0) * PICO))

    def __add__(self, other: "Amount") -> "Amount":
        return Amount(self.calls + other.calls, self.tokens + other.tokens, self.pico + other.pico)

    def __sub__(self, other: "Amount") -> "Amount":
        return Amount(self.calls - other.calls, self.tokens - other.tokens, self.pico - other.pico)


class Budget:
    """Keeps a run within its limits: a call is sent only if the most that it can take is still left.

    The most that a running call can take is set aside until the call is settled. Running calls therefore cannot
    overshoot a limit, as long as the host counts the tokens of a prompt as they are counted here.

    Args:
        limits: The limits.
        name: What messages call this budget.
    """

    def __init__(self, limits: Limits | None = None, name: str = "the budget") -> None:
        self._limits, self._name = limits or Limits(), name
        self._limited = self._limits != Limits()
        self._spent, self._aside = Amount(), Amount()
        self._lock = threading.Lock()
        self._stopped = ""
        self._started: float | None = None

    @property
    def limits(self) -> Limits:
        """The limits."""
        return self._limits

    @property
    def counts(self) -> bool:
        """Whether calls, tokens or money are limited."""
        return any(limit is not None for limit in (self._limits.calls, self._limits.tokens, self._limits.cost))

    @property
    def stopped(self) -> str:
        """Why every call is refused from now on; empty while calls may be sent."""
        return self._stopped

    def check(self, backend: Backend) -> None:
        """Checks that the price of a model is known if money is limited.

        Raises:
            CapabilityError: It is not known.
        """
        if self._limits.cost is not None and backend.cost(ANYTHING) is None:
            raise CapabilityError(
                f"{self._name} in dollars needs to know what {backend.model} costs: give "
                "?price_prompt=…&price_completion=… in dollars per million tokens (of a reranking API ?price_tokens=…, "
                "or ?price_searches=… per thousand), or limit tokens"
            )

    def stop(self, reason: str) -> None:
        """Refuses every call from now on, for this reason."""
        self._stopped = self._stopped or reason

    def admit(self, backend: Backend, work: Work) -> Admission | str:
        """Decides whether a call may be sent.

        Returns:
            When it may be sent; after `SEND`, `settle` or `withdraw` has to follow. A string is the reason why it never
            may.
        """
        if not self._limited:  # then there is nothing to count
            return self._stopped or Admission.SEND
        return self.reserve(self._most(backend, work))

    def withdraw(self, backend: Backend, work: Work) -> None:
        """Takes back an admitted call that was not sent."""
        if self._limited:
            self.charge(self._most(backend, work), Amount())

    def settle(self, backend: Backend, work: Work, outcome: Outcome | None) -> None:
        """Counts what an admitted call took; the most that it could take if its outcome is unknown (None)."""
        if not self._limited:
            return
        most = self._most(backend, work)
        self.charge(most, most if outcome is None else amount_of(backend, outcome))

    def reserve(self, most: Amount) -> Admission | str:
        """Sets aside the most that a call can take, if it may be sent; see `admit`."""
        with self._lock:
            self._started = self._started or time.monotonic()
            if self._limits.seconds is not None and time.monotonic() - self._started >= self._limits.seconds:
                self.stop(f"the {self._limits.seconds:g} seconds of {self._name} are over")
            if self._stopped or (short := self._short(most)):
                return self._stopped or short
            if self._short(most + self._aside):
                return Admission.WAIT
            self._aside += most
            return Admission.SEND

    def charge(self, most: Amount, took: Amount) -> None:
        """Counts what a call took and frees what `reserve` set aside for it."""
        with self._lock:
            self._aside -= most
            self._spent += took

    def spend(self, amount: Amount) -> None:
        """Counts what was spent before, according to a journal."""
        with self._lock:
            self._spent += amount

    def _most(self, backend: Backend, work: Work) -> Amount:
        if self._limits.tokens is None and self._limits.cost is None:
            return Amount(calls=1)
        usage = most_of(backend, work)
        return Amount.of(1, usage.prompt_tokens + usage.completion_tokens, backend.cost(usage))

    def _short(self, more: Amount) -> str:
        """Which limit this much more would exceed, in words; empty if none."""
        limits, total = self._limits, self._spent + more
        if limits.calls is not None and total.calls > limits.calls:
            return f"{self._name} of {limits.calls:,} calls is used up ({self._spent.calls:,} calls spent)"
        if limits.tokens is not None and total.tokens > limits.tokens:
            return f"{self._name} of {limits.tokens:,} tokens is used up ({self._spent.tokens:,} tokens spent)"
        if limits.cost is not None and total.pico > round(limits.cost * PICO):
            return f"{self._name} of ${limits.cost:.4g} is used up (${self._spent.pico / PICO:.4g} spent)"
        return ""


def amount_of(backend: Backend, outcome: Outcome) -> Amount:
    """What a call took."""
    if isinstance(outcome, CallFailed):
        return Amount(calls=int(outcome.attempts > 0))
    tokens = outcome.usage.prompt_tokens + outcome.usage.completion_tokens
    return Amount.of(1, tokens, backend.cost(outcome.usage))


def most_of(backend: Backend, work: Work) -> Usage:
    """The most that a call can take; of a request that many share, its part."""
    if not isinstance(work, Request):
        return backend.takes(work) if isinstance(backend, SharesRequests) else Usage()
    return Usage(prompt_tokens(backend, work.prompt), backend.most_tokens(work.want))


def prompt_tokens(backend: Backend, prompt: Prompt) -> int:
    """The tokens of a prompt as far as they can be counted here."""
    if isinstance(prompt, TokenPrompt | EncoderPrompt):
        return len(prompt.ids)
    texts = [prompt.text] if isinstance(prompt, TextPrompt) else [message.content for message in prompt.messages]
    total: int = sum(_counted(backend.tokenizer, text) for text in texts)
    return total


_counted: Any = lru_cache(maxsize=1024)(lambda tokenizer, text: len(tokenizer.encode(text)))
"""The tokens of a text; a prompt is asked about several times while it is under way."""
