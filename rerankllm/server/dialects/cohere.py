"""Cohere's v2 rerank API: POST /v2/rerank."""

import math
import uuid
from collections.abc import Mapping
from typing import Any

from fastapi import Response
from pydantic import BaseModel, Field

from rerankllm.calibration.scale import Scale
from rerankllm.server.context import RequestContext
from rerankllm.server.dialects import common
from rerankllm.server.problems import STATUS, Problem
from rerankllm.server.service import RequestOptions, Service

DOCUMENTS_A_UNIT = 100
"""Cohere's search unit: one query with up to so many documents."""


class RerankRequest(common.Body):
    """A query and documents."""

    model: str = Field(description="An alias of this server.")
    query: common.Text
    documents: common.Texts
    top_n: common.TopN | None = None
    max_tokens_per_doc: common.DocumentTokens | None = None


class CohereResult(BaseModel):
    """One result."""

    index: int
    relevance_score: float


class ApiVersion(BaseModel):
    """Which API this is."""

    version: str = "2"


class BilledUnits(BaseModel):
    """What Cohere would bill; this server bills nothing."""

    search_units: int


class Tokens(BaseModel):
    """What the models read and wrote."""

    input_tokens: int
    output_tokens: int


class Meta(BaseModel):
    """About the answer."""

    api_version: ApiVersion = ApiVersion()
    billed_units: BilledUnits
    tokens: Tokens
    warnings: list[str] | None = None


class RerankResponse(BaseModel):
    """Documents by position in the request, best first."""

    id: str
    results: list[CohereResult]
    meta: Meta


class ErrorResponse(BaseModel):
    """What went wrong."""

    id: str
    message: str


EXAMPLE = {
    "model": "default",
    "query": "how long do fleas live",
    "documents": ["Fleas jump far.", "A flea lives for two or three months."],
    "top_n": 1,
}
ANSWER = {
    "id": "4c9b8d0e-8f0e-4f0e-9d0a-0c6f5b3f8f11",
    "results": [{"index": 1, "relevance_score": 0.93}],
    "meta": {
        "api_version": {"version": "2"},
        "billed_units": {"search_units": 1},
        "tokens": {"input_tokens": 158, "output_tokens": 0},
    },
}
ERROR = {"id": "4c9b8d0e-8f0e-4f0e-9d0a-0c6f5b3f8f11", "message": "there are no documents: give at least one"}
BY_RANK = "this strategy orders documents and gives no scores: relevance_score is 1 - (rank - 1) / n"
RESPONSES = common.errors(ErrorResponse, ERROR)


def word(problem: Problem) -> tuple[int, Mapping[str, Any]]:
    """An error response in Cohere's shape."""
    return STATUS[problem.fault], {"id": str(uuid.uuid4()), "message": problem.message}


async def rerank(service: Service, context: RequestContext, request: RerankRequest) -> Response:
    """Answers a request. Documents are cut, not split, so that each counts once in search units."""
    options = RequestOptions(request.model, passage_tokens=request.max_tokens_per_doc)
    reranking = await service.rank(context, options, request.query, request.documents, request.top_n)
    usage = reranking.ranking.ledger.usage
    meta = Meta(
        billed_units=BilledUnits(search_units=math.ceil(len(request.documents) / DOCUMENTS_A_UNIT)),
        tokens=Tokens(input_tokens=usage.prompt_tokens, output_tokens=usage.completion_tokens),
        warnings=[BY_RANK] if reranking.relevance.scale is Scale.RANK else None,
    )
    places = [CohereResult(index=index, relevance_score=value) for index, value in reranking.places(request.top_n)]
    return common.respond(RerankResponse(id=str(uuid.uuid4()), results=places, meta=meta), reranking.relevance.scale)
