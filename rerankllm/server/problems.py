"""What can go wrong with a request; dialects turn problems into error responses."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType


class Fault(StrEnum):
    """The kinds of problems; each dialect gives them a status and a type."""

    INVALID = "invalid"
    """The body is not what the route takes."""
    EMPTY = "empty"
    """There are no documents."""
    UNSUPPORTED = "unsupported"
    """Something is asked for that this server, or this alias, does not do."""
    TOO_MANY = "too many"
    """More documents than the server takes."""
    TOO_LARGE = "too large"
    """More bytes than the server takes."""
    MEDIA_TYPE = "media type"
    UNAUTHORIZED = "unauthorized"
    WRONG_HOST = "wrong host"
    """The request is for a name that is not this server's."""
    NO_ROUTE = "no route"
    NO_METHOD = "no method"
    NO_MODEL = "no model"
    SLOW = "slow"
    """The body did not come in time."""
    BUSY = "busy"
    """As many requests are under way as the server takes."""
    CLOSING = "closing"
    """The server is shutting down."""
    LATE = "late"
    """The answer was not there in time."""
    FAILED = "failed"
    """The model did not answer, or nothing in its answers could be used."""
    UNAFFORDABLE = "unaffordable"
    """It takes more than the request, or all of them, may spend."""
    BUG = "bug"
    """Nobody's but ours."""


STATUS: Mapping[Fault, int] = MappingProxyType({
    Fault.INVALID: 400,
    Fault.EMPTY: 400,
    Fault.UNSUPPORTED: 400,
    Fault.TOO_MANY: 400,
    Fault.TOO_LARGE: 413,
    Fault.MEDIA_TYPE: 415,
    Fault.UNAUTHORIZED: 401,
    Fault.WRONG_HOST: 421,
    Fault.NO_ROUTE: 404,
    Fault.NO_METHOD: 405,
    Fault.NO_MODEL: 404,
    Fault.SLOW: 408,
    Fault.BUSY: 429,
    Fault.CLOSING: 503,
    Fault.LATE: 504,
    Fault.FAILED: 502,
    Fault.UNAFFORDABLE: 402,
    Fault.BUG: 500,
})  # fmt: skip
"""The HTTP status of each kind, unless a dialect has its own."""

_SHOWN = 500


class Problem(Exception):
    """Ends a request with an error response.

    Args:
        fault: The kind of problem.
        message: One line for the client: what, where, what would work. A long message is cut.
        param: The field of the request that the problem is about.
        headers: Headers of the response, such as Retry-After.
    """

    def __init__(
        self, fault: Fault, message: str, *, param: str | None = None, headers: Mapping[str, str] | None = None
    ) -> None:
        line = " ".join(message.split())
        self.message = line if len(line) <= _SHOWN else f"{line[:_SHOWN]}…"
        super().__init__(self.message)
        self.fault = fault
        self.param = param if param is None or len(param) <= _SHOWN else f"{param[:_SHOWN]}…"
        self.headers = dict(headers or {})
