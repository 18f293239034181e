"""What the dialects share: strict bodies, headers, and the description of errors."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from fastapi import Response
from pydantic import BaseModel, ConfigDict, Field, model_validator

from rerankllm.calibration.scale import Scale
from rerankllm.server.problems import STATUS, Fault

SCORES = (
    "Scores are from 0 to 1 and strictly decreasing. The header X-Rerankllm-Scores says what they are: `calibrated` "
    "(how likely each document is relevant, by a calibration), `probability` (the strategy's own, expected values of "
    "labels worth 0 to 1), `own` (the strategy's own, such as cosines; below 0 counts as 0), `logistic` "
    "(1 / (1 + exp(-score)) of the strategy's own) or `rank` (1 - (rank - 1) / n, from an order without scores)."
)
Text = Annotated[str, Field(description="A text.")]
Texts = Annotated[list[str], Field(json_schema_extra={"minItems": 1}, description="Texts, in the first stage's order.")]
TopN = Annotated[int, Field(ge=1, description="How many results are wanted. The strategy aims for them.")]
DocumentTokens = Annotated[
    int, Field(ge=1, description="Cut of every document, in the model's tokens; the alias's own when left out.")
]


class Body(BaseModel):
    """A request body. Unknown fields are refused, so that nothing asked for is ignored; null counts as left out."""

    model_config = ConfigDict(strict=True, extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _without_null(cls, values: Any) -> Any:
        return {name: v for name, v in values.items() if v is not None} if isinstance(values, dict) else values


def respond(answer: BaseModel, scale: Scale) -> Response:
    """A response as JSON, without null fields."""
    return Response(
        answer.model_dump_json(exclude_none=True),
        media_type="application/json",
        headers={"X-Rerankllm-Scores": scale.value},
    )


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
