"""The OpenAPI description of the routes: examples, errors and keys."""

from functools import reduce
from operator import or_
from types import ModuleType
from typing import Any

from fastapi import Body, FastAPI
from pydantic import BaseModel

from rerankllm.calibration.scale import Scale
from rerankllm.server.dialects import common


def responses_of(*dialects: tuple[ModuleType, type[BaseModel]]) -> dict[str, Any]:
    """The responses and errors of a route, from its dialects.

    Args:
        dialects: Modules of `rerankllm.server.dialects`, each with the model of its responses.
    """
    named = {module.__name__.rpartition(".")[2]: module for module, _ in dialects}
    responses: dict[int | str, dict[str, Any]] = {
        200: {
            "model": reduce(or_, (answer for _, answer in dialects)),
            "description": common.SCORES,
            "content": {
                "application/json": {"examples": {name: {"value": m.ANSWER} for name, m in named.items()}}
            },
            "headers": {
                "X-Rerankllm-Scores": {"schema": {"type": "string", "enum": [scale.value for scale in Scale]}}
            },
        }
    }  # fmt: skip
    for status in sorted({status for module in named.values() for status in module.RESPONSES}):
        said = [module.RESPONSES[status] for module in named.values() if status in module.RESPONSES]
        responses[status] = {**said[0], "model": reduce(or_, dict.fromkeys(each["model"] for each in said))}
    return {"responses": responses, "description": dialects[0][0].__doc__}


def example(*dialects: ModuleType) -> Any:
    """A request body with an example from each dialect."""
    return Body(openapi_examples={m.__name__.rpartition(".")[2]: {"value": m.EXAMPLE} for m in dialects})


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
