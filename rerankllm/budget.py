"""How much a run may spend, and whether the next call still may be sent."""

import threading
import time
from dataclasses import dataclass
from enum import Enum

from rerankllm.backends.base import Backend, CallFailed, ChatPrompt, Outcome, Request, TextPrompt, TokenPrompt, Work
from rerankllm.data import Usage
from rerankllm.errors import CapabilityError, InputError


@dataclass(frozen=True, slots=True)
class Limits:
    """What a run may spend, answers that a journal gave included; None is no limit.

    Attributes:
        calls: Calls.
        tokens: Prompt and completion tokens together.
        cost: US dollars.
        seconds: Time from the first query, after which nothing more is sent.
    """

    calls: int | None = None
    tokens: int | None = None
    cost: float | None = None
    seconds: float | None = None

    def __post_init__(self) -> None:
        for name in ("calls", "tokens", "cost", "seconds"):
            value = getattr(self, name)
            if value is not None and value < 0:
                raise InputError(f"a budget of {value} {name} is below 0")


class Admission(Enum):
    """Whether a call may be sent."""

    SEND = "send"
    WAIT = "wait"
    """Not before calls that are under way have told what they took."""
    REFUSED = "refused"
    """Never: see `Budget.reason`."""


@dataclass(slots=True)
class _Amount:
    """Calls, tokens and dollars."""

    calls: int = 0
    tokens: int = 0
    cost: float = 0.0

    def add(self, other: "_Amount", sign: int = 1) -> None:
        self.calls += sign * other.calls
        self.tokens += sign * other.tokens
        self.cost += sign * other.cost


class Budget:
    """Keeps a run within its limits: a call is sent only if the most that it can take still fits.

    What calls under way can take at most is set aside until they are settled. So limits are kept, not overshot by
    what happens to be under way; the one thing taken on trust is that hosts count prompts as they are counted here.

    Args:
        limits: The limits.
    """

    def __init__(self, limits: Limits | None = None) -> None:
        self._limits = limits or Limits()
        self._spent, self._aside = _Amount(), _Amount()
        self._lock = threading.Lock()
        self._stopped = ""
        self._started = time.monotonic()

    @property
    def reason(self) -> str:
        """Why calls are refused."""
        return self._stopped

    def check(self, backend: Backend) -> None:
        """Checks that a limit on money means something for this model.

        Raises:
            CapabilityError: What it costs is unknown.
        """
        if self._limits.cost is not None and backend.cost(Usage(1, 1)) is None:
            raise CapabilityError(
                f"--max-cost needs to know what {backend.model} costs: give ?price_prompt=…&price_completion=… in "
                "dollars per million tokens, or use --max-tokens"
            )

    def stop(self, reason: str) -> None:
        """Refuses everything from now on."""
        self._stopped = self._stopped or reason

    def admit(self, backend: Backend, work: Work) -> Admission:
        """Whether this call may be sent; if so, `settle` has to follow."""
        most = self._most(backend, work)
        with self._lock:
            if not self._stopped and self._limits.seconds is not None:
                late = time.monotonic() - self._started >= self._limits.seconds
                self._stopped = f"the {self._limits.seconds:g} seconds of the budget are over" if late else ""
            if self._stopped:
                return Admission.REFUSED
            short = self._short(most, _Amount())
            if short:
                self._stopped = short
                return Admission.REFUSED
            if self._short(most, self._aside):
                return Admission.WAIT
            self._aside.add(most)
            return Admission.SEND

    def settle(self, backend: Backend, work: Work, outcome: Outcome | None) -> None:
        """Counts what an admitted call took; None where it never came back."""
        most = self._most(backend, work)
        with self._lock:
            self._aside.add(most, -1)
        if outcome is not None:
            self.count(backend, outcome)

    def count(self, backend: Backend, outcome: Outcome) -> None:
        """Counts what a call took that needed no admission, since a journal knew its answer."""
        if isinstance(outcome, CallFailed):
            return
        usage = outcome.usage
        took = _Amount(1, usage.prompt_tokens + usage.completion_tokens, backend.cost(usage) or 0.0)
        with self._lock:
            self._spent.add(took)

    def _most(self, backend: Backend, work: Work) -> _Amount:
        if self._limits.tokens is None and self._limits.cost is None:
            return _Amount(1)
        usage = most_of(backend, work)
        return _Amount(1, usage.prompt_tokens + usage.completion_tokens, backend.cost(usage) or 0.0)

    def _short(self, most: _Amount, aside: _Amount) -> str:
        """What the next call would overshoot, in words; empty if nothing."""
        for name, shown in (("calls", "{:,} calls"), ("tokens", "{:,} tokens"), ("cost", "${:.4g}")):
            limit = getattr(self._limits, name)
            if limit is not None and sum(getattr(a, name) for a in (self._spent, aside, most)) > limit:
                spent = shown.format(getattr(self._spent, name))
                return f"the budget of {shown.format(limit)} is used up ({spent} spent)"
        return ""


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
    return sum(len(backend.tokenizer.encode(text)) for text in texts)
