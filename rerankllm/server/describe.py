"""The OpenAPI description of the routes: examples, errors and keys."""

from collections.abc import Sequence
from functools import reduce
from operator import or_
from typing import Annotated, Any

from fastapi import Body, FastAPI
from pydantic import Discriminator, Tag

from rerankllm.calibration.scale import Scale
from rerankllm.server.dialects import common
from rerankllm.server.dialects.dialect import Api, Dialect, speaker


def responses_of(apis: Sequence[Api]) -> dict[str, Any]:
    """The responses and errors of a route, from the APIs that it speaks."""
    header = {"schema": {"type": "string"}}
    responses: dict[int | str, dict[str, Any]] = {
        200: {
            "model": _any_of([api.response for api in apis]),
            "description": common.SCORES,
            "content": {"application/json": {"examples": {api.name: {"value": api.answered} for api in apis}}},
            "headers": {
                "X-Rerankllm-Scores": {"schema": {"type": "string", "enum": [scale.value for scale in Scale]}},
                common.CACHED: {
                    "schema": {"type": "integer"},
                    "description": "Prompt tokens that were not read again, as they are cached or remembered.",
                },
                common.WARNINGS: {**header, "description": "What of the request had no effect."},
            },
        }
    }
    for status in sorted({status for api in apis for status in api.errors}, key=str):
        said = [api.errors[status] for api in apis if status in api.errors]
        responses[status] = {**said[0], "model": _any_of([each["model"] for each in said])}
    return {"responses": responses, "description": apis[-1].request.__doc__}


def request_of(apis: Sequence[Dialect]) -> Any:
    """The body of a path: that of whichever dialect a request is in."""
    if len(apis) == 1:
        return apis[0].request
    tagged = [Annotated[api.request, Tag(api.name)] for api in apis]
    return Annotated[_any_of(tagged), Discriminator(lambda body: speaker(apis, body).name)]


def examples(apis: Sequence[Api]) -> Any:
    """A request body with an example of each."""
    return Body(openapi_examples={api.name: {"value": api.example} for api in apis})


def _any_of(types: Sequence[Any]) -> Any:
    return reduce(or_, dict.fromkeys(types))


def describe(app: FastAPI, *, keyed: bool) -> None:
    """Removes the framework's own validation error from the description, as no route gives it, and adds keys."""
    make = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            schema = make()
            for operations in schema["paths"].values():
                for operation in operations.values():
                    found = operation["responses"].get("422", {})
                    if "HTTPValidationError" in str(found):
                        del operation["responses"]["422"]
            for name in ("HTTPValidationError", "ValidationError"):
                schema["components"]["schemas"].pop(name, None)
            if keyed:
                schema["components"]["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
                schema["security"] = [{"key": []}]
            app.openapi_schema = schema
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]
