"""What backends that answer over a network share: a slot limit, and a gate in front of it.

Until one request has succeeded, requests go out one at a time, so that a wrong key costs one call and a wrong
address a few attempts, however many requests wait. After that, up to `concurrency` go out at a time; from the start
where the host tells, at no cost, that it takes the key and has the model.

The gate closes again on a host that dies: once `2 * concurrency` requests in a row fail of the host, with no success
in between. From then on they go out one at a time, as at the start, until one succeeds. So a host that never comes
back costs at most `3 * concurrency + 2 * PATIENCE` requests, whatever the number of queries: those that close the
gate, those then under way, and two rounds of probes. After the second round whoever asks within the cool-down is
turned away unsent, so that the rest of a run fails at once; who comes later finds out whether the host is back.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, TypeGuard

from rerankllm.calls import CallFailed, Capabilities, Outcome, Request, Tokenizer, Work
from rerankllm.data import Usage
from rerankllm.errors import AuthError, BackendError, CapabilityError, InputError, UnreachableError

PATIENCE = 3
"""Probes in a row the host may fail before those waiting fail with them."""
COOL_DOWN = 10.0
"""Seconds without probes after the second round of them in vain; as long as that round took if it took longer."""


class Host(StrEnum):
    """What a failed call says about the host."""

    SERVES = "serves"
    """It ran the model; this answer is of no use."""
    FAILS = "fails"
    """It could not serve this request, nor probably any: time-out, overload, internal error, nonsense."""
    UNKNOWN = "unknown"
    """Nothing: it refused this one request."""


@dataclass(frozen=True, slots=True)
class RemoteFailure(CallFailed):
    """A failed call that says something about the host. What it is a subclass of says only "unknown"."""

    host: Host = Host.UNKNOWN


class NoConnectionError(UnreachableError):
    """The host cannot be connected to.

    Args:
        reason: One line.
        attempts: Connections tried.
    """

    def __init__(self, reason: str, attempts: int = 1) -> None:
        super().__init__(reason)
        self.attempts = attempts


@dataclass(frozen=True, slots=True)
class _Bound:
    """What belongs to the event loop of the first use."""

    loop: asyncio.AbstractEventLoop
    gate: asyncio.Lock
    slots: asyncio.Semaphore
    opened: asyncio.Event


class RemoteBackend(ABC):
    """A backend whose `send` crosses a network. Bound to the event loop on which it is first used.

    Args:
        model: Printed spec.
        capabilities: What it can do.
        default_strategy: Stage spec used when the user names none.
        concurrency: Requests on their way at any time.
        rate: Requests begun a second, evenly; None for as many as come.
        welcome: Whether the host has said that it takes the key and has the model.

    Raises:
        InputError: `concurrency` is below 1, or `rate` not above 0.
    """

    def __init__(
        self,
        *,
        model: str,
        capabilities: Capabilities,
        default_strategy: str,
        concurrency: int = 16,
        rate: float | None = None,
        welcome: bool = False,
    ) -> None:
        if concurrency < 1:
            raise InputError(f"{model}: concurrency must be 1 or more, not {concurrency}")
        if rate is not None and not rate > 0:
            raise InputError(f"{model}: rate must be above 0 requests a second, not {rate}")
        self.model = model
        self.capabilities = replace(capabilities, slots=concurrency)
        self.default_strategy = default_strategy
        self._concurrency = concurrency
        self._rate = rate
        self._welcome = welcome
        self._has_asked = welcome  # whether it is welcome
        self._next = 0.0  # when the next request may begin
        self._bound: _Bound | None = None
        self._closed = False
        self._refusal: AuthError | CapabilityError | None = None  # why nothing more is sent, for good
        self._failures = 0  # requests in a row that the host failed; while the gate is closed, probes
        self._probing_since = 0.0
        self._epoch = 0  # grows when those waiting at the gate are turned away
        self._given_up = 0  # how often that was since a success
        self._turned_away = ""
        self._silent_until = 0.0

    def __repr__(self) -> str:
        """The printed spec; what else it holds is nobody's business."""
        return f"<{type(self).__name__} {self.model}>"

    def share(self, part: int, parts: int) -> None:
        """Keeps one part of what may be under way at any time, and of the rate; others have the rest.

        Args:
            part: Which, from 0.
            parts: How many there are.

        Raises:
            InputError: There is not one request at a time for each.
        """
        if self._concurrency < parts:
            raise InputError(
                f"{self.model}: {self._concurrency} requests at a time cannot be shared by {parts} workers; "
                f"take at most {self._concurrency} workers, or a higher concurrency"
            )
        self._concurrency = self._concurrency // parts + (part < self._concurrency % parts)
        self._rate = None if self._rate is None else self._rate / parts
        self.capabilities = replace(self.capabilities, slots=self._concurrency)

    def check(self) -> None:  # noqa: B027 - most have nothing to check
        """Checks what can be known before anything is sent.

        Raises:
            InputError: A key is needed and there is none.
            MissingExtra: A package that sends is not installed.
        """

    @property
    def revision(self) -> str | None:
        """None: hosts do not say which weights they serve."""
        return None

    @property
    @abstractmethod
    def tokenizer(self) -> Tokenizer:
        """How it counts."""

    @abstractmethod
    async def send(self, request: Any) -> Any:
        """Sends one request, with all the retries this backend makes.

        Returns:
            A response, or why there is none; a `RemoteFailure` where that says something about the host.

        Raises:
            AuthError: The host refuses the key, the permission or the model name.
            CapabilityError: It cannot do what is wanted, of no request.
            UnreachableError: The host cannot be connected to; `NoConnectionError` tells the attempts.
        """

    @abstractmethod
    def cost(self, usage: Usage) -> float | None:
        """US dollars for this usage, None when the price is unknown."""

    async def is_welcome(self) -> bool:
        """Whether the host tells, at no cost, that it takes the key and has the model. Asked once, before all else."""
        return False

    async def complete(self, work: Work) -> Outcome:
        """Answers one request, waiting for the gate while it is closed and for a slot when it is open.

        Failing to connect is a `CallFailed`. While the gate is closed, it is that of all who wait at that moment,
        with no attempts of their own; who comes later probes again, after the cool-down if this was so before. The
        same goes for `PATIENCE` time-outs, error statuses or garbled answers in a row.

        Raises:
            AuthError: The host refused this request, or one before it: then nothing more is sent.
            CapabilityError: The same, since it cannot do what is wanted.
            BackendError: Used from another event loop than before, or after `aclose`.
        """
        self._bind()
        if not isinstance(work, Request):
            return CallFailed(f"{self.model} answers prompts only, not a bare {type(work).__name__}", attempts=0)
        outcome: Outcome = await self.through(work)
        return outcome

    async def through(self, request: Any) -> Any:
        """Sends what this backend sends, past the gate and when there is a slot; see `complete`.

        Raises:
            BackendError: As `complete` does.
        """
        bound = self._bind()
        epoch = self._epoch
        while True:
            was_open = bound.opened.is_set()
            async with bound.slots if was_open else bound.gate:
                self._stop_if_refused()
                if not self._has_asked:
                    self._has_asked = True
                    if await self.is_welcome():
                        bound.opened.set()
                is_open = bound.opened.is_set()
                if not is_open and (epoch != self._epoch or bound.loop.time() < self._silent_until):
                    return CallFailed(self._turned_away, attempts=0)
                if is_open is was_open:
                    return plain(await (self._send(request, bound) if is_open else self._probe(request, bound)))

    async def complete_all(self, works: Sequence[Work]) -> list[Outcome]:
        """Answers many at once, in order; when one of them raises, so does this, once all have ended."""
        outcomes = await asyncio.gather(*(self.complete(work) for work in works), return_exceptions=True)
        answered: list[Outcome] = []
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome
            answered.append(outcome)
        return answered

    async def aclose(self) -> None:
        """Frees what it holds; it is not used afterwards."""
        self._closed = True

    def _bind(self) -> _Bound:
        """The primitives of this event loop, made on first use."""
        loop = asyncio.get_running_loop()
        if self._bound is None:
            slots = asyncio.Semaphore(self._concurrency)
            self._bound = _Bound(loop, asyncio.Lock(), slots, asyncio.Event())
            if self._welcome:
                self._bound.opened.set()
        if self._bound.loop is not loop:
            raise BackendError(
                f"{self.model} belongs to the event loop it was first used on; keep that loop running, "
                "or make another backend for this one"
            )
        if self._closed:
            raise BackendError(f"{self.model} is closed; make another backend")
        return self._bound

    async def _probe(self, request: Any, bound: _Bound) -> Any:
        """Sends a request alone, and learns from what becomes of it."""
        if not self._failures:
            self._probing_since = bound.loop.time()
        outcome = await self._attempt(request)
        if _serves(outcome):
            self._open(bound)
        elif _is_the_hosts(outcome):
            self._failures += 1
            if self._failures >= PATIENCE or isinstance(outcome, _Unreachable):
                self._turn_away(outcome.reason, bound)
        return outcome

    async def _send(self, request: Any, bound: _Bound) -> Any:
        """Sends a request among others; closes the gate when too many in a row are failed by the host."""
        outcome = await self._attempt(request)
        if _serves(outcome):
            self._open(bound)
        elif _is_the_hosts(outcome) and bound.opened.is_set():
            self._failures += 1
            if self._failures >= 2 * self._concurrency:
                bound.opened.clear()
                self._failures = 0
        return outcome

    async def _attempt(self, request: Any) -> Any:
        if self._rate is not None:
            now = asyncio.get_running_loop().time()
            wait = max(0.0, self._next - now)
            self._next = now + wait + 1 / self._rate
            await asyncio.sleep(wait)
        try:
            return await self.send(request)
        except UnreachableError as error:
            attempts = error.attempts if isinstance(error, NoConnectionError) else 1
            return _Unreachable(str(error), attempts, Host.FAILS)
        except (AuthError, CapabilityError) as error:
            self._refusal = error
            raise

    def _open(self, bound: _Bound) -> None:
        self._failures = self._given_up = 0
        self._silent_until = 0.0
        bound.opened.set()

    def _turn_away(self, reason: str, bound: _Bound) -> None:
        now = bound.loop.time()
        self._epoch += 1
        self._given_up += 1
        self._failures = 0
        self._turned_away = reason
        if self._given_up > 1:
            self._silent_until = now + max(COOL_DOWN, now - self._probing_since)

    def _stop_if_refused(self) -> None:
        if self._refusal is not None:
            raise type(self._refusal)(str(self._refusal))


class _Unreachable(RemoteFailure):
    """No connection: nobody else need try."""


def _serves(outcome: object) -> bool:
    if not isinstance(outcome, CallFailed):
        return True
    return isinstance(outcome, RemoteFailure) and outcome.host is Host.SERVES


def _is_the_hosts(outcome: object) -> TypeGuard[RemoteFailure]:
    return isinstance(outcome, RemoteFailure) and outcome.host is Host.FAILS


def plain(outcome: Any) -> Any:
    """The outcome as callers know it: what it says about the host stays in here."""
    return CallFailed(outcome.reason, outcome.attempts) if isinstance(outcome, RemoteFailure) else outcome
