"""What the dialects share: how a response is sent, and the description of errors."""

from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import Response
from pydantic import BaseModel

from rerankllm.calibration.scale import Scale
from rerankllm.data import Usage
from rerankllm.server.problems import STATUS, Fault

SCORES = (
    "Scores are from 0 to 1 and strictly decreasing. The header X-Rerankllm-Scores says what they are: `calibrated` "
    "(how likely each document is relevant, by a calibration), `probability` (the strategy's own, expected values of "
    "labels worth 0 to 1), `own` (the strategy's own, such as cosines; below 0 counts as 0), `logistic` "
    "(1 / (1 + exp(-score)) of the strategy's own) or `rank` (1 - (rank - 1) / n, from an order without scores)."
)
WARNINGS = "X-Rerankllm-Warnings"
"""The header that says what of a request had no effect."""


CACHED = "X-Rerankllm-Cached-Tokens"
"""The header that says how many of the tokens in the usage were not read again."""


def respond(answer: BaseModel, scale: Scale, usage: Usage, warnings: Sequence[str]) -> Response:
    """A response as JSON, without null fields; what the client should know is in its headers."""
    headers = {"X-Rerankllm-Scores": scale.value, CACHED: str(usage.cached_tokens)}
    if warnings:
        headers[WARNINGS] = "; ".join(warnings).encode("ascii", "backslashreplace").decode()
    return Response(answer.model_dump_json(exclude_none=True), media_type="application/json", headers=headers)


def errors(
    model: type[BaseModel], example: Any, statuses: Mapping[Fault, int] = STATUS, *, without: Sequence[Fault] = ()
) -> dict[int | str, dict[str, Any]]:
    """The error responses of a route, for OpenAPI."""
    found: dict[int | str, dict[str, Any]] = {}
    for status in sorted({STATUS[fault] if fault not in statuses else statuses[fault] for fault in Fault}):
        faults = [fault for fault in Fault if statuses.get(fault, STATUS[fault]) == status and fault not in without]
        if faults:
            found[status] = {
                "model": model,
                "description": ", ".join(fault.value for fault in faults).capitalize() + ".",
                "content": {"application/json": {"example": example}},
            }
    return found
