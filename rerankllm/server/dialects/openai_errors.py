"""Errors in the shape of OpenAI's API, which vLLM's routes have too, with the `detail` that clients of others read."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from pydantic import BaseModel

from rerankllm.server.dialects import common
from rerankllm.server.problems import STATUS, Fault, Problem

TYPES: Mapping[int, str] = MappingProxyType({
    400: "BadRequestError",
    401: "AuthenticationError",
    402: "PaymentRequiredError",
    404: "NotFoundError",
    421: "MisdirectedRequestError",
    405: "MethodNotAllowedError",
    408: "RequestTimeoutError",
    413: "RequestTooLargeError",
    415: "UnsupportedMediaTypeError",
    429: "RateLimitError",
    500: "InternalServerError",
    502: "BadGatewayError",
    503: "ServiceUnavailableError",
    504: "GatewayTimeoutError",
})  # fmt: skip


class OpenAIErrorInfo(BaseModel):
    """What went wrong."""

    message: str
    type: str
    param: str | None
    code: int


class OpenAIError(BaseModel):
    """What went wrong."""

    error: OpenAIErrorInfo
    detail: str


ERROR = {
    "error": {
        "message": "there are no documents: give at least one",
        "type": "BadRequestError",
        "param": None,
        "code": 400,
    },
    "detail": "there are no documents: give at least one",
}
RESPONSES = common.errors(OpenAIError, ERROR)


def word(problem: Problem) -> tuple[int, Mapping[str, Any]]:
    """An error response in OpenAI's shape, and in Jina's, Voyage's and NVIDIA's, which have `detail`."""
    status = STATUS[problem.fault]
    kind = "UnsupportedParameterError" if problem.fault is Fault.UNSUPPORTED else TYPES[status]
    error = {"message": problem.message, "type": kind, "param": problem.param, "code": status}
    return status, {"error": error, "detail": problem.message}
