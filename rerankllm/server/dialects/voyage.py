"""Voyage's rerank API: POST /v1/rerank where the request has `top_k` or `truncation`."""

from pydantic import BaseModel, Field

from rerankllm.server.dialects import openai_errors
from rerankllm.server.dialects.body import Alias, Body, Text, Texts, TopN
from rerankllm.server.dialects.dialect import Dialect
from rerankllm.server.service import Asked, RequestOptions, Reranking


class VoyageRequest(Body):
    """A query and documents."""

    model: Alias | None = None
    query: Text
    documents: Texts
    top_k: TopN | None = None
    return_documents: bool = Field(False, description="Whether results carry their document.")
    truncation: bool = Field(True, description="Whether documents may be cut.")


class VoyageResult(BaseModel):
    """One result."""

    relevance_score: float
    index: int
    document: str | None = None


class VoyageUsage(BaseModel):
    """What the models read and wrote."""

    total_tokens: int


class VoyageResponse(BaseModel):
    """Documents by position in the request, best first."""

    object: str = "list"
    data: list[VoyageResult]
    model: str
    usage: VoyageUsage


def asked(request: VoyageRequest) -> Asked:
    """What a request asks."""
    whole = None if request.truncation else "truncation: false"
    return Asked(request.query, request.documents, request.top_k, RequestOptions(request.model, whole=whole))


def answer(request: VoyageRequest, reranking: Reranking) -> VoyageResponse:
    """A response."""
    texts, usage = request.documents, reranking.usage
    return VoyageResponse(
        data=[
            VoyageResult(
                relevance_score=score, index=index, document=texts[index] if request.return_documents else None
            )
            for index, score in reranking.places
        ],
        model=reranking.model,
        usage=VoyageUsage(total_tokens=usage.prompt_tokens + usage.completion_tokens),
    )


VOYAGE = Dialect(
    "voyage", "Voyage", ("/v1/rerank",), VoyageRequest, VoyageResponse, openai_errors.word,
    openai_errors.RESPONSES,
    {
        "model": "default",
        "query": "how long do fleas live",
        "documents": ["Fleas jump far.", "A flea lives for two or three months."],
        "top_k": 1,
        "truncation": True,
    },
    {
        "object": "list",
        "data": [{"relevance_score": 0.93, "index": 1}],
        "model": "default",
        "usage": {"total_tokens": 158},
    },
    asked, answer, marks=frozenset({"top_k", "truncation"}), unless=frozenset({"top_n"}),
)  # fmt: skip
