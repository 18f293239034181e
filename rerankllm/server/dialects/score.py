"""vLLM's score API: POST /score and /v1/score."""

import time
import uuid
from typing import Any

from fastapi import Response
from pydantic import BaseModel, Field, model_validator

from rerankllm.server.context import RequestContext
from rerankllm.server.dialects import common, openai_errors
from rerankllm.server.problems import Fault, Problem
from rerankllm.server.service import RequestOptions, Service

word = openai_errors.word
RESPONSES = openai_errors.RESPONSES
NAMES = (("text_1", "text_2"), ("queries", "documents"))


class ScoreRequest(common.Body):
    """Pairs: one query with one or many documents, or as many queries as documents, each with its own.

    Queries are `text_1` or `queries`, documents `text_2` or `documents`.
    """

    model: str | None = Field(None, description="An alias of this server; its first when left out.")
    text_1: str | list[str] | None = None
    text_2: str | list[str] | None = None
    queries: str | list[str] | None = None
    documents: str | list[str] | None = None
    instruction: str | None = Field(None, description="What counts as relevant, where the alias's prompts show it.")
    max_tokens_per_doc: common.DocumentTokens | None = None

    @model_validator(mode="before")
    @classmethod
    def _named_one_way(cls, values: Any) -> Any:
        if isinstance(values, dict):
            given = {name for pair in NAMES for name in pair if values.get(name) is not None}
            if given not in ({*NAMES[0]}, {*NAMES[1]}):
                raise ValueError("give text_1 and text_2, or queries and documents")
        return values

    def pairs(self) -> list[tuple[str, str]]:
        """Query and document of every pair.

        Raises:
            Problem: There are several queries, and not as many documents.
        """
        first = self.text_1 if self.text_1 is not None else self.queries or []
        second = self.text_2 if self.text_2 is not None else self.documents or []
        documents = [second] if isinstance(second, str) else second
        queries = [first] if isinstance(first, str) else first
        if len(queries) == 1:
            queries = queries * len(documents)
        if len(queries) != len(documents):
            raise Problem(
                Fault.INVALID, f"{len(queries)} queries do not pair with {len(documents)} documents: give one query, "
                "or as many as documents",
            )  # fmt: skip
        return list(zip(queries, documents, strict=True))


class Datum(BaseModel):
    """One score."""

    index: int
    object: str = "score"
    score: float


class ScoreUsage(BaseModel):
    """What the models read and wrote."""

    prompt_tokens: int
    total_tokens: int
    completion_tokens: int


class ScoreResponse(BaseModel):
    """A score for every pair, in the order of the request."""

    id: str
    object: str = "list"
    created: int
    model: str
    data: list[Datum]
    usage: ScoreUsage


EXAMPLE = {
    "model": "default",
    "text_1": "how long do fleas live",
    "text_2": ["Fleas jump far.", "A flea lives for two or three months."],
}
ANSWER = {
    "id": "score-5b0d4c6e9f6b4d0f8a3f4d1f0a9c7e21",
    "object": "list",
    "created": 1763712000,
    "model": "default",
    "data": [{"index": 0, "object": "score", "score": 0.21}, {"index": 1, "object": "score", "score": 0.93}],
    "usage": {"prompt_tokens": 158, "total_tokens": 158, "completion_tokens": 0},
}


async def score(service: Service, context: RequestContext, request: ScoreRequest) -> Response:
    """Answers a request."""
    options = RequestOptions(request.model, request.instruction, request.max_tokens_per_doc)
    scores = await service.score(context, options, request.pairs())
    usage = scores.usage
    answer = ScoreResponse(
        id=f"score-{uuid.uuid4().hex}",
        created=int(time.time()),
        model=scores.alias,
        data=[Datum(index=index, score=value) for index, value in enumerate(scores.values)],
        usage=ScoreUsage(
            prompt_tokens=usage.prompt_tokens,
            total_tokens=usage.prompt_tokens + usage.completion_tokens,
            completion_tokens=usage.completion_tokens,
        ),
    )
    return common.respond(answer, scores.scale)
