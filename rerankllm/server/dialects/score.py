"""vLLM's score API: POST /score and /v1/score."""

import time
import uuid
from typing import Annotated, Any

from pydantic import BaseModel, Field, model_validator

from rerankllm.server.dialects import openai_errors
from rerankllm.server.dialects.body import (
    Alias,
    Body,
    DocumentTokens,
    FloatsOnly,
    Idle,
    NoPriority,
    NoStream,
    Whole,
)
from rerankllm.server.dialects.dialect import Api
from rerankllm.server.dialects.jina import limit
from rerankllm.server.pairs import PairScores
from rerankllm.server.problems import Fault, Problem
from rerankllm.server.service import RequestOptions

NAMES = (("text_1", "text_2"), ("queries", "documents"), ("queries", "items"), ("data_1", "data_2"))
"""What queries and documents may be called."""
SAID = "text_1 and text_2, queries and documents, queries and items, or data_1 and data_2"


class ScoreRequest(Body):
    """Pairs: one query with one or many documents, or as many queries as documents, each with its own.

    Queries are `text_1`, `queries` or `data_1`; documents `text_2`, `documents`, `items` or `data_2`.
    """

    model: Alias | None = None
    text_1: str | list[str] | None = None
    text_2: str | list[str] | None = None
    queries: str | list[str] | None = None
    documents: str | list[str] | None = None
    items: str | list[str] | None = None
    data_1: str | list[str] | None = None
    data_2: str | list[str] | None = None
    instruction: str | None = Field(None, description="What counts as relevant, where the alias's prompts show it.")
    max_tokens_per_doc: DocumentTokens | None = None
    truncate_prompt_tokens: Whole | None = Field(
        None, ge=-1, description="What `max_tokens_per_doc` is, if that is left out; -1 is what the model has room for."
    )
    use_activation: Annotated[Any, Idle((True,)), Field(description="Scores are from 0 to 1.")] = None
    encoding_format: FloatsOnly = None
    priority: NoPriority = None
    stream: NoStream = None

    @model_validator(mode="before")
    @classmethod
    def _named_one_way(cls, values: Any) -> Any:
        if isinstance(values, dict):
            given = {name for pair in NAMES for name in pair if values.get(name) is not None}
            if given not in [set(pair) for pair in NAMES]:
                raise ValueError(f"give {SAID}")
        return values

    @property
    def options(self) -> RequestOptions:
        cut = self.max_tokens_per_doc or limit(self.truncate_prompt_tokens)
        return RequestOptions(self.model, self.instruction, cut)

    def pairs(self) -> list[tuple[str, str]]:
        """Query and document of every pair.

        Raises:
            Problem: There are several queries, and not as many documents.
        """
        first = next((given for given in (self.text_1, self.queries, self.data_1) if given is not None), [])
        second = next(
            (given for given in (self.text_2, self.documents, self.items, self.data_2) if given is not None), []
        )
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


class ScoreDatum(BaseModel):
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
    data: list[ScoreDatum]
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


def answer(scores: PairScores) -> ScoreResponse:
    """A response."""
    usage = scores.usage
    return ScoreResponse(
        id=f"score-{uuid.uuid4().hex}",
        created=int(time.time()),
        model=scores.model,
        data=[ScoreDatum(index=index, score=value) for index, value in enumerate(scores.values)],
        usage=ScoreUsage(
            prompt_tokens=usage.prompt_tokens,
            total_tokens=usage.prompt_tokens + usage.completion_tokens,
            completion_tokens=usage.completion_tokens,
        ),
    )


SCORE = Api(
    "vllm", "vLLM", ("/score", "/v1/score"), ScoreRequest, ScoreResponse, openai_errors.word, openai_errors.RESPONSES,
    {
        "model": "default",
        "text_1": "how long do fleas live",
        "text_2": ["Fleas jump far.", "A flea lives for two or three months."],
    },
    {
        "id": "score-5b0d4c6e9f6b4d0f8a3f4d1f0a9c7e21",
        "object": "list",
        "created": 1763712000,
        "model": "default",
        "data": [{"index": 0, "object": "score", "score": 0.21}, {"index": 1, "object": "score", "score": 0.93}],
        "usage": {"prompt_tokens": 158, "total_tokens": 158, "completion_tokens": 0},
    },
)  # fmt: skip
"""vLLM's score API."""
