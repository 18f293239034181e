"""ZeroEntropy's rerank API: POST /v1/models/rerank."""

from typing import Literal

from pydantic import BaseModel, Field

from rerankllm.server.dialects import openai_errors
from rerankllm.server.dialects.body import Alias, Body, Text, Texts, TopN
from rerankllm.server.dialects.dialect import Dialect
from rerankllm.server.service import Asked, RequestOptions, Reranking

Latency = Literal["fast", "slow"]


class ZeroEntropyRequest(Body):
    """A query and documents."""

    model: Alias | None = None
    query: Text
    documents: Texts
    top_n: TopN | None = None
    latency: Latency = Field("fast", description="Changes nothing: requests are taken in the order they come.")


class ZeroEntropyResult(BaseModel):
    """One result."""

    index: int
    relevance_score: float


class ZeroEntropyResponse(BaseModel):
    """Documents by position in the request, best first."""

    results: list[ZeroEntropyResult]
    total_bytes: int = Field(description="Of the query and the documents, in UTF-8.")
    total_tokens: int = Field(description="That the models read and wrote.")
    e2e_latency: float = Field(description="Seconds that ranking took.")
    inference_latency: float = Field(description="The same.")
    actual_latency_mode: Latency


def asked(request: ZeroEntropyRequest) -> Asked:
    """What a request asks."""
    return Asked(request.query, request.documents, request.top_n, RequestOptions(request.model))


def answer(request: ZeroEntropyRequest, reranking: Reranking) -> ZeroEntropyResponse:
    """A response."""
    usage, seconds = reranking.usage, reranking.seconds
    return ZeroEntropyResponse(
        results=[ZeroEntropyResult(index=index, relevance_score=score) for index, score in reranking.places],
        total_bytes=sum(len(text.encode()) for text in (request.query, *request.documents)),
        total_tokens=usage.prompt_tokens + usage.completion_tokens,
        e2e_latency=seconds,
        inference_latency=seconds,
        actual_latency_mode=request.latency,
    )


ZEROENTROPY = Dialect(
    "zeroentropy", "ZeroEntropy", ("/v1/models/rerank",), ZeroEntropyRequest, ZeroEntropyResponse,
    openai_errors.word, openai_errors.RESPONSES,
    {
        "model": "default",
        "query": "how long do fleas live",
        "documents": ["Fleas jump far.", "A flea lives for two or three months."],
        "top_n": 1,
    },
    {
        "results": [{"index": 1, "relevance_score": 0.93}],
        "total_bytes": 74,
        "total_tokens": 158,
        "e2e_latency": 0.04,
        "inference_latency": 0.04,
        "actual_latency_mode": "fast",
    },
    asked, answer,
)  # fmt: skip
