"""The rerank API of NVIDIA's NIM: POST /v1/ranking."""

import math
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from rerankllm.server.dialects import openai_errors
from rerankllm.server.dialects.body import Alias, Body, TextObject
from rerankllm.server.dialects.dialect import Dialect
from rerankllm.server.service import Asked, RequestOptions, Reranking

LEAST, MOST = 2.0**-150, 1 - 2.0**-25
"""Relevance scores are held between these, which are less and more than any other of single precision."""


class NvidiaRequest(Body):
    """A query and passages, which are objects with a text."""

    model: Alias | None = None
    query: TextObject
    passages: Annotated[list[TextObject], Field(json_schema_extra={"minItems": 1})]
    truncate: Literal["NONE", "END"] = Field("END", description="Whether documents may be cut, at their end.")


class NvidiaRanking(BaseModel):
    """One result."""

    index: int
    logit: float = Field(description="The log-odds of the relevance score.")


class NvidiaUsage(BaseModel):
    """What the models read and wrote."""

    prompt_tokens: int
    total_tokens: int


class NvidiaResponse(BaseModel):
    """Passages by position in the request, best first."""

    rankings: list[NvidiaRanking]
    usage: NvidiaUsage


def asked(request: NvidiaRequest) -> Asked:
    """What a request asks."""
    whole = "truncate: NONE" if request.truncate == "NONE" else None
    texts = [passage.text for passage in request.passages]
    return Asked(request.query.text, texts, None, RequestOptions(request.model, whole=whole))


def answer(request: NvidiaRequest, reranking: Reranking) -> NvidiaResponse:
    """A response."""
    del request
    usage = reranking.usage
    return NvidiaResponse(
        rankings=[NvidiaRanking(index=index, logit=log_odds(score)) for index, score in reranking.places],
        usage=NvidiaUsage(
            prompt_tokens=usage.prompt_tokens, total_tokens=usage.prompt_tokens + usage.completion_tokens
        ),
    )


def log_odds(score: float) -> float:
    """log(score / (1 - score)), finite, and falling where scores fall."""
    held = min(MOST, max(LEAST, score))
    return math.log(held) - math.log1p(-held)


NVIDIA = Dialect(
    "nvidia", "NVIDIA NIM", ("/v1/ranking",), NvidiaRequest, NvidiaResponse, openai_errors.word,
    openai_errors.RESPONSES,
    {
        "model": "default",
        "query": {"text": "how long do fleas live"},
        "passages": [{"text": "Fleas jump far."}, {"text": "A flea lives for two or three months."}],
        "truncate": "END",
    },
    {
        "rankings": [{"index": 1, "logit": 2.59}, {"index": 0, "logit": -1.32}],
        "usage": {"prompt_tokens": 158, "total_tokens": 158},
    },
    asked, answer,
)  # fmt: skip
