"""What a run may spend, and whether the next call may still be sent."""

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
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
    TextPrompt,
    TokenPrompt,
    VectorPrompt,
    Work,
    shares_requests,
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
        searches: Search units, in which some reranking APIs count.
    """

    calls: int | None = None
    tokens: int | None = None
    cost: float | None = None
    seconds: float | None = None
    searches: int | None = None

    def __post_init__(self) -> None:
        for name in ("calls", "tokens", "cost", "seconds", "searches"):
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
    """An amount of calls, tokens, picodollars and search units."""

    calls: int = 0
    tokens: int = 0
    pico: int = 0
    searches: float = 0.0

    @classmethod
    def of(cls, calls: int, tokens: int, cost: float | None, searches: float = 0.0) -> "Amount":
        """The amount with its cost given in dollars; an unknown cost (None) counts as 0."""
        return cls(calls, tokens, round((cost or 0.0) * PICO), searches)

    def __add__(self, other: "Amount") -> "Amount":
        return Amount(
            self.calls + other.calls,
            self.tokens + other.tokens,
            self.pico + other.pico,
            self.searches + other.searches,
        )

    def __sub__(self, other: "Amount") -> "Amount":
        return self + Amount(-other.calls, -other.tokens, -other.pico, -other.searches)


NO_LIMITS, NOTHING, ONE_CALL = Limits(), Amount(), Amount(calls=1)


class Budget:
    """Keeps a run within its limits: a call is sent only if the most that it can take is still left.

    The most that a running call can take is set aside until the call is settled. Running calls therefore cannot
    overshoot a limit, as long as the host counts the tokens of a prompt as they are counted here.

    Args:
        limits: The limits.
        name: What messages call this budget.

    Attributes:
        limits: The limits.
        limited: Whether anything is limited.
        stopped: Why every call is refused from now on; empty while calls may be sent.
    """

    def __init__(self, limits: Limits | None = None, name: str = "the budget") -> None:
        self.limits, self._name = limits or NO_LIMITS, name
        self.limited = self.limits != NO_LIMITS
        self.stopped = ""
        self._spent = self._aside = NOTHING
        self._lock = threading.Lock()
        self._started: float | None = None

    @property
    def counts(self) -> bool:
        """Whether anything but time is limited."""
        return replace(self.limits, seconds=None) != NO_LIMITS

    def check(self, backend: Backend) -> None:
        """Checks that the price of a model is known if money is limited.

        Raises:
            CapabilityError: It is not known.
        """
        if self.limits.cost is not None and backend.cost(ANYTHING) is None:
            raise CapabilityError(
                f"{self._name} in dollars needs to know what {backend.model} costs: give "
                "?price_prompt=…&price_completion=… in dollars per million tokens (of a reranking API ?price_tokens=…, "
                "or ?price_searches=… per thousand), or limit tokens"
            )

    def stop(self, reason: str) -> None:
        """Refuses every call from now on, for this reason."""
        self.stopped = self.stopped or reason

    def most(self, backend: Backend, work: Work) -> Amount:
        """The most that a call can take now, as far as this budget counts it."""
        limits = self.limits
        if limits.tokens is None and limits.cost is None and limits.searches is None:
            return ONE_CALL
        usage = most_of(backend, work)
        return Amount.of(1, usage.prompt_tokens + usage.completion_tokens, backend.cost(usage), usage.searches)

    def admit(self, most: Amount) -> Admission | str:
        """Decides whether a call that takes so much at most may be sent.

        Returns:
            When it may be sent; after `SEND`, `settle` has to follow. A string is the reason why it never may.
        """
        if not self.limited:  # then there is nothing to count
            return self.stopped or Admission.SEND
        return self.reserve(most)

    def settle(self, most: Amount, took: Amount) -> None:
        """Counts what an admitted call took; nothing if it was not sent.

        Args:
            most: What `admit` was given.
            took: What the call took.
        """
        if self.limited:
            self.charge(most, took)

    def reserve(self, most: Amount) -> Admission | str:
        """Sets aside the most that a call can take, if it may be sent; see `admit`."""
        with self._lock:
            self._started = self._started or time.monotonic()
            if self.limits.seconds is not None and time.monotonic() - self._started >= self.limits.seconds:
                self.stop(f"the {self.limits.seconds:g} seconds of {self._name} are over")
            if self.stopped or (short := self._short(most)):
                return self.stopped or short
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

    def _short(self, more: Amount) -> str:
        """Which limit this much more would exceed, in words; empty if none."""
        limits, total = self.limits, self._spent + more
        if limits.calls is not None and total.calls > limits.calls:
            return f"{self._name} of {limits.calls:,} calls is used up ({self._spent.calls:,} calls spent)"
        if limits.tokens is not None and total.tokens > limits.tokens:
            return f"{self._name} of {limits.tokens:,} tokens is used up ({self._spent.tokens:,} tokens spent)"
        if limits.cost is not None and total.pico > round(limits.cost * PICO):
            return f"{self._name} of ${limits.cost:.4g} is used up (${self._spent.pico / PICO:.4g} spent)"
        if limits.searches is not None and total.searches > limits.searches:
            return f"{self._name} of {limits.searches:,} search units is used up ({self._spent.searches:g} spent)"
        return ""


def check_searches(backends: Sequence[Backend]) -> None:
    """Checks that a limit of search units limits something.

    Raises:
        CapabilityError: No model counts in them.
    """
    if not any(shares_requests(backend) and backend.searches(1) for backend in backends):
        models = ", ".join(backend.model for backend in backends)
        raise CapabilityError(
            f"search units are limited (max_searches), and {models} counts none: limit tokens or dollars instead"
        )


def amount_of(backend: Backend, outcome: Outcome) -> Amount:
    """What a call took."""
    if isinstance(outcome, CallFailed):
        return Amount(calls=int(outcome.attempts > 0))
    tokens = outcome.usage.prompt_tokens + outcome.usage.completion_tokens
    return Amount.of(1, tokens, backend.cost(outcome.usage), outcome.usage.searches)


def most_of(backend: Backend, work: Work) -> Usage:
    """The most that a call can take; of a request that many share, what it adds."""
    if not isinstance(work, Request):
        return backend.takes(work) if shares_requests(backend) else Usage()
    return Usage(prompt_tokens(backend, work.prompt), backend.most_tokens(work.want))


def prompt_tokens(backend: Backend, prompt: Prompt) -> int:
    """The tokens of a prompt as far as they can be counted here."""
    if isinstance(prompt, TokenPrompt | EncoderPrompt | VectorPrompt):
        return len(prompt.ids)
    texts = [prompt.text] if isinstance(prompt, TextPrompt) else [message.content for message in prompt.messages]
    total: int = sum(_counted(backend.tokenizer, text) for text in texts)
    return total


_counted: Any = lru_cache(maxsize=1024)(lambda tokenizer, text: len(tokenizer.encode(text)))
"""The tokens of a text; a prompt is asked about several times while it is under way."""
