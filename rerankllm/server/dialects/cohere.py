"""Cohere's v2 rerank API: POST /v2/rerank."""

import math
import uuid
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, Field

from rerankllm.calibration.scale import Scale
from rerankllm.server.dialects import common
from rerankllm.server.dialects.body import Body, DocumentTokens, Idle, NoPriority, Text, Texts, TopN
from rerankllm.server.dialects.dialect import Dialect
from rerankllm.server.problems import STATUS, Problem
from rerankllm.server.service import Asked, RequestOptions, Reranking

DOCUMENTS_A_UNIT = 100
"""Cohere's search unit: one query with up to so many documents."""
BY_RANK = "this strategy orders documents and gives no scores: relevance_score is 1 - (rank - 1) / n"


class CohereRequest(Body):
    """A query and documents."""

    model: str = Field(description="An alias of this server.")
    query: Text
    documents: Texts
    top_n: TopN | None = None
    max_tokens_per_doc: DocumentTokens | None = None
    return_documents: bool = Field(False, description="Whether results carry their document.")
    priority: NoPriority = None
    relevant_spans: Annotated[Any, Idle((False,)), Field(description="Spans are not told.")] = None


class CohereDocument(BaseModel):
    """A document."""

    text: str


class CohereResult(BaseModel):
    """One result."""

    index: int
    relevance_score: float
    document: CohereDocument | None = None


class CohereApiVersion(BaseModel):
    """Which API this is."""

    version: str


class CohereBilledUnits(BaseModel):
    """What Cohere would bill; this server bills nothing."""

    search_units: int


class CohereTokens(BaseModel):
    """What the models read and wrote."""

    input_tokens: int
    output_tokens: int


class CohereMeta(BaseModel):
    """About the answer."""

    api_version: CohereApiVersion
    billed_units: CohereBilledUnits
    tokens: CohereTokens
    warnings: list[str] | None = None


class CohereResponse(BaseModel):
    """Documents by position in the request, best first."""

    id: str
    results: list[CohereResult]
    meta: CohereMeta


class CohereError(BaseModel):
    """What went wrong."""

    id: str
    message: str


ERRORS = common.errors(
    CohereError, {"id": "4c9b8d0e-8f0e-4f0e-9d0a-0c6f5b3f8f11", "message": "there are no documents: give at least one"}
)


def word(problem: Problem) -> tuple[int, Mapping[str, Any]]:
    """An error response in Cohere's shape."""
    return STATUS[problem.fault], {"id": str(uuid.uuid4()), "message": problem.message}


def asked(request: CohereRequest) -> Asked:
    """What a request asks."""
    options = RequestOptions(request.model, passage_tokens=request.max_tokens_per_doc)
    return Asked(request.query, request.documents, request.top_n, options)


def answer(request: CohereRequest, reranking: Reranking) -> CohereResponse:
    """A response in the shape of version 2."""
    return response_of("2", reranking, with_documents=request.return_documents)


def response_of(version: str, reranking: Reranking, *, with_documents: bool) -> CohereResponse:
    """A response in Cohere's shape. Documents are cut, not split, so that each counts once in search units."""
    texts, usage = reranking.asked.documents, reranking.usage
    warnings = [*([BY_RANK] if reranking.relevance.scale is Scale.RANK else []), *reranking.warnings]
    return CohereResponse(
        id=str(uuid.uuid4()),
        results=[
            CohereResult(
                index=index,
                relevance_score=score,
                document=CohereDocument(text=texts[index]) if with_documents else None,
            )
            for index, score in reranking.places
        ],
        meta=CohereMeta(
            api_version=CohereApiVersion(version=version),
            billed_units=CohereBilledUnits(search_units=math.ceil(len(texts) / DOCUMENTS_A_UNIT)),
            tokens=CohereTokens(input_tokens=usage.prompt_tokens, output_tokens=usage.completion_tokens),
            warnings=warnings or None,
        ),
    )


def sample(version: str) -> dict[str, Any]:
    """A response, for OpenAPI."""
    return {
        "id": "4c9b8d0e-8f0e-4f0e-9d0a-0c6f5b3f8f11",
        "results": [{"index": 1, "relevance_score": 0.93}],
        "meta": {
            "api_version": {"version": version},
            "billed_units": {"search_units": 1},
            "tokens": {"input_tokens": 158, "output_tokens": 0},
        },
    }


EXAMPLE = {
    "model": "default",
    "query": "how long do fleas live",
    "documents": ["Fleas jump far.", "A flea lives for two or three months."],
    "top_n": 1,
}
COHERE = Dialect(
    "cohere", "Cohere v2", ("/v2/rerank",), CohereRequest, CohereResponse, word, ERRORS, EXAMPLE,
    sample("2"),
    asked, answer,
)  # fmt: skip
