"""The rerank API of Hugging Face's text-embeddings-inference: POST /rerank where the request has `texts`."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal

from fastapi import Response
from pydantic import BaseModel, Field, RootModel

from rerankllm.calibration.scale import own_scores
from rerankllm.server.context import RequestContext
from rerankllm.server.dialects import common
from rerankllm.server.problems import STATUS, Fault, Problem
from rerankllm.server.service import RequestOptions, Service

STATUSES: Mapping[Fault, int] = MappingProxyType({
    **STATUS,
    Fault.INVALID: 422,
    Fault.UNSUPPORTED: 422,
    Fault.TOO_MANY: 413,
    Fault.FAILED: 424,
})  # fmt: skip
TYPES: Mapping[Fault, str] = MappingProxyType({
    Fault.EMPTY: "Empty",
    Fault.BUSY: "Overloaded",
    Fault.UNAFFORDABLE: "Overloaded",
    Fault.CLOSING: "Unhealthy",
    Fault.FAILED: "Backend",
    Fault.LATE: "Backend",
    Fault.BUG: "Backend",
})  # fmt: skip
"""TEI's error types; `Validation` where it is none of these."""


class RerankRequest(common.Body):
    """A query and texts. It names no model: the server's first alias answers."""

    query: common.Text
    texts: common.Texts
    truncate: Literal[True] | None = Field(
        None, description="Texts longer than the model's prompts have room for are always cut; false is refused."
    )
    truncation_direction: Literal["right", "Right"] | None = Field(None, description="Only the end is cut.")
    raw_scores: bool = Field(False, description="The strategy's own scores, where it has them, as they are.")
    return_text: bool = False


class TeiResult(BaseModel):
    """One result."""

    index: int
    text: str | None = None
    score: float


class RerankResponse(RootModel[list[TeiResult]]):
    """Texts by position in the request, best first."""


class ErrorResponse(BaseModel):
    """What went wrong."""

    error: str
    error_type: Literal["Unhealthy", "Backend", "Overloaded", "Validation", "Tokenizer", "Empty"]


EXAMPLE = {
    "query": "how long do fleas live",
    "texts": ["Fleas jump far.", "A flea lives for two or three months."],
    "return_text": False,
}
ANSWER = [{"index": 1, "score": 0.93}, {"index": 0, "score": 0.21}]
ERROR = {"error": "there are no documents: give at least one", "error_type": "Empty"}
RESPONSES = common.errors(ErrorResponse, ERROR, STATUSES)


def word(problem: Problem) -> tuple[int, Mapping[str, Any]]:
    """An error response in TEI's shape."""
    return STATUSES[problem.fault], {
        "error": problem.message,
        "error_type": TYPES.get(problem.fault, "Validation"),
    }


async def rerank(service: Service, context: RequestContext, request: RerankRequest) -> Response:
    """Answers a request."""
    context.wording = word
    reranking = await service.rank(context, RequestOptions(), request.query, request.texts)
    places = reranking.places(None)
    scores = [value for _, value in places]
    if request.raw_scores:
        own = own_scores(reranking.ranking)
        if own is None:
            raise Problem(Fault.UNSUPPORTED, f"'{reranking.alias}' gives no scores of its own: leave raw_scores out")
        scores = own
    answer = [
        TeiResult(index=index, text=request.texts[index] if request.return_text else None, score=score)
        for (index, _), score in zip(places, scores, strict=True)
    ]
    return common.respond(RerankResponse(answer), reranking.relevance.scale)
