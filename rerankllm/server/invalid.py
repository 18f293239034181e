"""One clear line for a body that a route does not take."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from rerankllm.server.dialects.body import DOCUMENT, UNSUPPORTED
from rerankllm.server.problems import Fault, Problem


def problem_of(errors: Sequence[Any], unnamed: Collection[str]) -> Problem:
    """The problem that the first of these errors is.

    Args:
        errors: What pydantic says of the body, or FastAPI.
        unnamed: Parts of a location that are no field of the request, but of what reads it.
    """
    first: Mapping[str, Any] = errors[0]
    kind, context = first["type"], first.get("ctx", {})
    where = [str(part) for part in first["loc"] if part not in unnamed]
    name = context.get("field") or ".".join(where) or None
    fault = Fault.UNSUPPORTED if kind in {UNSUPPORTED, "extra_forbidden"} else Fault.INVALID
    return Problem(fault, _line(kind, name or "the body", first, where), param=name if kind != "json_invalid" else None)


def _line(kind: str, name: str, error: Mapping[str, Any], where: Sequence[str]) -> str:
    match kind:
        case "json_invalid":
            return "the body is not JSON"
        case "extra_forbidden":
            return f"'{name}' is not supported here: leave it out"
        case "value_error":
            return str(error["ctx"]["error"])
        case "missing" if where:
            return f"{'.'.join(where[:-1]) or 'the body'} has no '{where[-1]}'"
        case "string_type":
            return f"{name} should be a text"
    quoted = f"'{name}'" if kind == UNSUPPORTED else name
    return f"{quoted}{' ' if kind in {UNSUPPORTED, DOCUMENT} else ': '}{error['msg']}"
