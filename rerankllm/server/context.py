"""Per-request context shared by middleware and handlers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
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
        plans: Whether the route plans, which takes time too.
        open: Whether no key is needed.
        alias: The alias that answers, once it is known.
        ended: Why the request is ended before its answer is complete; None also if its client hung up.
    """

    route: str
    wording: Wording
    ranks: bool = False
    plans: bool = False
    open: bool = False
    alias: str | None = None
    ended: Problem | None = None
