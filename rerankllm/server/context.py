"""One HTTP request, as far as the parts of the server have to tell each other about it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from rerankllm.server.problems import Problem

Wording: TypeAlias = Callable[[Problem], tuple[int, Mapping[str, Any]]]
"""How a dialect says a problem: the HTTP status, and the body as JSON."""


@dataclass(slots=True)
class RequestContext:
    """What becomes known of a request while it is answered.

    Attributes:
        route: Its path, or `other` where the server has no such route.
        wording: How its dialect says a problem.
        ranks: Whether the route ranks, so that limits hold.
        open: Whether no key is needed.
        alias: Who is to answer it, once that is known.
        ended: Why it is ended before its answer is whole; None also where its client is gone.
    """

    route: str
    wording: Wording
    ranks: bool = False
    open: bool = False
    alias: str | None = None
    ended: Problem | None = None
