"""Infinity's rerank API: POST /rerank where the request has `raw_scores` and `documents`."""

import time
import uuid

from pydantic import BaseModel, Field

from rerankllm.server.dialects import openai_errors
from rerankllm.server.dialects.body import Alias, Body, Text, Texts, TopN
from rerankllm.server.dialects.dialect import Dialect
from rerankllm.server.dialects.jina import JinaUsage
from rerankllm.server.service import Asked, RequestOptions, Reranking


class InfinityRequest(Body):
    """A query and documents."""

    model: Alias | None = None
    query: Text
    documents: Texts
    top_n: TopN | None = None
    return_documents: bool = Field(False, description="Whether results carry their document.")
    raw_scores: bool = Field(False, description="The strategy's own scores, where it has them, as they are.")


class InfinityResult(BaseModel):
    """One result."""

    relevance_score: float
    index: int
    document: str | None = None


class InfinityResponse(BaseModel):
    """Documents by position in the request, best first."""

    object: str = "rerank"
    results: list[InfinityResult]
    model: str
    usage: JinaUsage
    id: str
    created: int


def asked(request: InfinityRequest) -> Asked:
    """What a request asks."""
    return Asked(request.query, request.documents, request.top_n, RequestOptions(request.model))


def answer(request: InfinityRequest, reranking: Reranking) -> InfinityResponse:
    """A response.

    Raises:
        Problem: Raw scores are asked for, and there are none.
    """
    texts, usage, places = request.documents, reranking.usage, reranking.places
    scores = reranking.own_scores() if request.raw_scores else [score for _, score in places]
    return InfinityResponse(
        results=[
            InfinityResult(
                relevance_score=score, index=index, document=texts[index] if request.return_documents else None
            )
            for (index, _), score in zip(places, scores, strict=True)
        ],
        model=reranking.model,
        usage=JinaUsage(prompt_tokens=usage.prompt_tokens, total_tokens=usage.prompt_tokens + usage.completion_tokens),
        id=f"infinity-{uuid.uuid4()}",
        created=int(time.time()),
    )


INFINITY = Dialect(
    "infinity", "Infinity", ("/rerank", "/v1/rerank"), InfinityRequest, InfinityResponse,
    openai_errors.word, openai_errors.RESPONSES,
    {
        "model": "default",
        "query": "how long do fleas live",
        "documents": ["Fleas jump far.", "A flea lives for two or three months."],
        "raw_scores": False,
    },
    {
        "object": "rerank",
        "results": [{"relevance_score": 0.93, "index": 1}, {"relevance_score": 0.21, "index": 0}],
        "model": "default",
        "usage": {"prompt_tokens": 158, "total_tokens": 158},
        "id": "infinity-4c9b8d0e-8f0e-4f0e-9d0a-0c6f5b3f8f11",
        "created": 1763712000,
    },
    asked, answer, marks=frozenset({"raw_scores"}), unless=frozenset({"texts"}),
)  # fmt: skip
