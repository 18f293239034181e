"""Per-request context shared by middleware and handlers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from rerankllm.server.problems import Problem

Wording: TypeAlias = Callable[[Problem], tuple[int, Mapping[str, Any]]]
"""Turns a problem into an error response of a dialect: the HTTP status, and the body as JSON."""


@dataclass(slots=True)
class RequestContext:
    """What is known of an HTTP request; handlers fill it in while they answer.

    Attributes:
        route: Its path, or `other` if the server has no such route.
        wording: Makes error responses in the route's dialect.
        ranks: Whether the route ranks, so that limits apply.
        open: Whether no key is needed.
        client: What the client calls itself.
        named: The alias that the path names, whatever the body says.
        alias: The alias that answers, once it is known.
        warnings: What the client should know about its request.
        ended: Why the request is ended before its answer is complete; None also if its client hung up.
    """

    route: str
    wording: Wording
    ranks: bool = False
    open: bool = False
    client: str = "a client without a name"
    named: str | None = None
    alias: str | None = None
    warnings: list[str] = field(default_factory=list)
    ended: Problem | None = None
