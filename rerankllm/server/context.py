"""Per-request context shared by middleware and handlers."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

from rerankllm.drivers.events import Event, Judged
from rerankllm.judgements import Failure, Unanswered
from rerankllm.server.problems import Problem

Wording: TypeAlias = Callable[[Problem], tuple[int, Mapping[str, Any]]]
"""Turns a problem into an error response of a dialect: the HTTP status, and the body as JSON."""


class Observes(Protocol):
    """Sees the events of a request, on another thread."""

    def observe(self, event: Event) -> None:
        """Sees an event."""
        ...


@dataclass(slots=True)
class RequestContext:
    """What is known of an HTTP request; handlers fill it in while they answer.

    Attributes:
        route: Its path, or `other` if the server has no such route.
        wording: Makes error responses in the route's dialect.
        ranks: Whether the route ranks, so that limits apply.
        plans: Whether the route plans, which takes time too.
        open: Whether no key is needed.
        id: The client's `X-Request-ID`, or one that is drawn; it is in the response, the log and the trace.
        client: What the client calls itself.
        named: The alias that the path names, whatever the body says.
        alias: The alias that answers, once it is known.
        warnings: What the client should know about its request.
        status: The status it was answered with, once it was.
        ended: Why the request is ended before its answer is complete; None also if its client hung up.
        trace: Its trace, if there is one.
        calls: Judgements answered for it.
        prompt_tokens: Tokens these read.
        completion_tokens: Tokens these wrote.
        failed_calls: How often calls failed upstream, by reason.
    """

    route: str
    wording: Wording
    ranks: bool = False
    plans: bool = False
    open: bool = False
    id: str = ""
    client: str = "a client without a name"
    named: str | None = None
    alias: str | None = None
    warnings: list[str] = field(default_factory=list)
    status: int = 0
    ended: Problem | None = None
    trace: Observes | None = None
    calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    failed_calls: Counter[str] = field(default_factory=Counter)

    def observe(self, event: Event) -> None:
        """Counts a judgement, and adds it to the trace."""
        if isinstance(event, Judged):
            self.calls += 1
            self.prompt_tokens += event.usage.prompt_tokens
            self.completion_tokens += event.usage.completion_tokens
            if isinstance(event.answer, Unanswered) and event.answer.failure is Failure.CALL:
                self.failed_calls[event.answer.reason] += 1
        if self.trace is not None:
            self.trace.observe(event)
