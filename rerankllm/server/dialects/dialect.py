"""What a wire dialect is: data about one API, from which one handler serves it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel

from rerankllm.server.context import Wording
from rerankllm.server.dialects.body import Body
from rerankllm.server.service import Asked, Reranking


@dataclass(frozen=True, slots=True)
class Api:
    """What a route takes and gives back.

    Attributes:
        name: What it is called in paths and descriptions.
        title: Who speaks it.
        paths: Its routes.
        request: Its requests.
        response: Its responses.
        word: Makes its error responses.
        errors: Its error responses by status, for OpenAPI.
        example: A request.
        answered: The response to that.
    """

    name: str
    title: str
    paths: tuple[str, ...]
    request: type[Body]
    response: type[BaseModel]
    word: Wording
    errors: Mapping[int | str, Mapping[str, Any]]
    example: Mapping[str, Any]
    answered: Any


@dataclass(frozen=True, slots=True)
class Dialect(Api):
    """One rerank API.

    On a path that several dialects share, a request is read by the first whose marks it has, else by the last. Each of
    these has its own path too, with its name in front: `/voyage/v1/rerank`.

    Attributes:
        asked: What a request asks.
        answer: Makes a response; raises `Problem` where the ranking lacks what is asked for.
        marks: A request is this dialect's if it has any of these fields.
        unless: But not if it has any of these.
        headers: A request on a shared path is this dialect's too if it has any of these headers.
    """

    asked: Callable[[Any], Asked]
    answer: Callable[[Any, Reranking], BaseModel]
    marks: frozenset[str] = frozenset()
    unless: frozenset[str] = frozenset()
    headers: Mapping[str, str] = field(default_factory=dict)

    def speaks(self, body: Mapping[str, Any]) -> bool:
        """Whether a request has this dialect's marks."""
        given = {name for name, value in body.items() if value is not None}
        return bool(given & self.marks) and not given & self.unless


def speaker(dialects: Sequence[Dialect], body: Any) -> Dialect:
    """Whose request this is, of the dialects that share a path."""
    if isinstance(body, Mapping):
        return next((dialect for dialect in dialects[:-1] if dialect.speaks(body)), dialects[-1])
    return next((dialect for dialect in dialects if isinstance(body, dialect.request)), dialects[-1])
