"""How much a run may spend, and whether the next call still may be sent."""

import threading
import time
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import Any

from rerankllm.calls import (
    Backend,
    CallFailed,
    ChatPrompt,
    Outcome,
    Request,
    TextPrompt,
    TokenPrompt,
    Work,
)
from rerankllm.data import Usage
from rerankllm.errors import CapabilityError, InputError


@dataclass(frozen=True, slots=True)
class Limits:
    """What a run may spend, what it spent before it was resumed included; None is no limit.

    Attributes:
        calls: Calls.
        tokens: Prompt and completion tokens together.
        cost: US dollars.
        seconds: Time from the first call, after which nothing more is sent.
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


class Admission(Enum):
    """Whether a call may be sent, unless it is refused."""

    SEND = "send"
    WAIT = "wait"
    """Not before calls that are under way have told what they took."""
    HOLD = "hold"
    """Not before those of the same query have; others may be sent."""


PICO = 10**12
"""Parts of a dollar that costs are added up in, as whole numbers: what is set aside can be taken back exactly."""


@dataclass(frozen=True, slots=True)
class Amount:
    """Calls, tokens, and picodollars."""

    calls: int = 0
    tokens: int = 0
    pico: int = 0

    @classmethod
    def of(cls, calls: int, tokens: int, cost: float | None) -> "Amount":
        """With the cost in dollars; None, for unknown, counts as nothing."""
        return cls(calls, tokens, round((cost or 0.0) * PICO))

    def __add__(self, other: "Amount") -> "Amount":
        return Amount(self.calls + other.calls, self.tokens + other.tokens, self.pico + other.pico)

    def __sub__(self, other: "Amount") -> "Amount":
        return Amount(self.calls - other.calls, self.tokens - other.tokens, self.pico - other.pico)


class Budget:
    """Keeps a run within its limits: a call is sent only if the most that it can take still fits.

    What calls under way can take at most is set aside until they are settled. So limits are kept, not overshot by
    what happens to be under way; the one thing taken on trust is that hosts count prompts as they are counted here.

    Args:
        limits: The limits.
        name: What it is called where it ends something.
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
        """Why nothing more is sent, whatever it is; empty while something may be."""
        return self._stopped

    def check(self, backend: Backend) -> None:
        """Checks that a limit on money means something for this model.

        Raises:
            CapabilityError: What it costs is unknown.
        """
        if self._limits.cost is not None and backend.cost(Usage(1, 1)) is None:
            raise CapabilityError(
                f"{self._name} in dollars needs to know what {backend.model} costs: give "
                "?price_prompt=…&price_completion=… in dollars per million tokens, or limit tokens"
            )

    def stop(self, reason: str) -> None:
        """Refuses everything from now on."""
        self._stopped = self._stopped or reason

    def admit(self, backend: Backend, work: Work) -> Admission | str:
        """Whether this call may be sent, and then `settle` has to follow; or why it never may."""
        if not self._limited:  # then nothing need be counted
            return self._stopped or Admission.SEND
        return self.reserve(self._most(backend, work))

    def withdraw(self, backend: Backend, work: Work) -> None:
        """Takes back an admitted call that is not sent."""
        if self._limited:
            self.charge(self._most(backend, work), Amount())

    def settle(self, backend: Backend, work: Work, outcome: Outcome | None) -> None:
        """Counts what an admitted call took: the most it could where it was given up, so that nobody can tell."""
        if not self._limited:
            return
        most = self._most(backend, work)
        self.charge(most, most if outcome is None else amount_of(backend, outcome))

    def reserve(self, most: Amount) -> Admission | str:
        """Sets the most aside that a call can take, if it may be sent; else why it may not, now or ever."""
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
        """Counts what a call took, for which the most was set aside."""
        with self._lock:
            self._aside -= most
            self._spent += took

    def spend(self, amount: Amount) -> None:
        """Counts what was spent before, as a journal tells."""
        with self._lock:
            self._spent += amount

    def _most(self, backend: Backend, work: Work) -> Amount:
        if self._limits.tokens is None and self._limits.cost is None:
            return Amount(calls=1)
        usage = most_of(backend, work)
        return Amount.of(1, usage.prompt_tokens + usage.completion_tokens, backend.cost(usage))

    def _short(self, more: Amount) -> str:
        """What this much more would overshoot, in words; empty if nothing."""
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
    """The most tokens a call can take."""
    if not isinstance(work, Request):
        return Usage()
    return Usage(prompt_tokens(backend, work.prompt), backend.most_tokens(work.want))


def prompt_tokens(backend: Backend, prompt: ChatPrompt | TextPrompt | TokenPrompt) -> int:
    """The tokens of a prompt as far as they can be counted here."""
    if isinstance(prompt, TokenPrompt):
        return len(prompt.ids)
    texts = [prompt.text] if isinstance(prompt, TextPrompt) else [message.content for message in prompt.messages]
    total: int = sum(_counted(backend.tokenizer, text) for text in texts)
    return total


_counted: Any = lru_cache(maxsize=1024)(lambda tokenizer, text: len(tokenizer.encode(text)))
"""The tokens of a text; a prompt is asked about several times while it is under way."""
