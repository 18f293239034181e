"""The rerank API of Hugging Face's text-embeddings-inference: POST /rerank where the request has `texts`."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, Field, RootModel

from rerankllm.server.dialects import common
from rerankllm.server.dialects.body import Body, Text, Texts, TopN
from rerankllm.server.dialects.dialect import Dialect
from rerankllm.server.problems import STATUS, Fault, Problem
from rerankllm.server.service import Asked, RequestOptions, Reranking

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


def _capitalized(value: Any) -> Any:
    return value.capitalize() if isinstance(value, str) else value


class TeiRequest(Body):
    """A query and texts. It names no model: the server's first alias answers, or the one that the path names."""

    query: Text
    texts: Texts
    truncate: bool = Field(True, description="Whether texts may be cut.")
    truncation_direction: Annotated[Literal["Left", "Right"], BeforeValidator(_capitalized)] = Field(
        "Right", description="Texts are cut at their end; `Left` is taken where none is cut."
    )
    raw_scores: bool = Field(False, description="The strategy's own scores, where it has them, as they are.")
    return_text: bool = False
    top_n: TopN | None = Field(None, description="How many results are wanted; LiteLLM sends it.")


class TeiResult(BaseModel):
    """One result."""

    index: int
    text: str | None = None
    score: float


class TeiResponse(RootModel[list[TeiResult]]):
    """Texts by position in the request, best first."""


class TeiError(BaseModel):
    """What went wrong."""

    error: str
    error_type: Literal["Unhealthy", "Backend", "Overloaded", "Validation", "Tokenizer", "Empty"]


ERRORS = common.errors(
    TeiError, {"error": "there are no documents: give at least one", "error_type": "Empty"}, STATUSES
)


def word(problem: Problem) -> tuple[int, Mapping[str, Any]]:
    """An error response in TEI's shape."""
    return STATUSES[problem.fault], {
        "error": problem.message,
        "error_type": TYPES.get(problem.fault, "Validation"),
    }


def asked(request: TeiRequest) -> Asked:
    """What a request asks."""
    left = request.truncation_direction == "Left"
    whole = "truncation_direction: Left" if left else None if request.truncate else "truncate: false"
    return Asked(request.query, request.texts, request.top_n, RequestOptions(whole=whole))


def answer(request: TeiRequest, reranking: Reranking) -> TeiResponse:
    """A response.

    Raises:
        Problem: Raw scores are asked for, and there are none.
    """
    places = reranking.places
    scores = reranking.own_scores() if request.raw_scores else [score for _, score in places]
    return TeiResponse([
        TeiResult(index=index, text=request.texts[index] if request.return_text else None, score=score)
        for (index, _), score in zip(places, scores, strict=True)
    ])  # fmt: skip


TEI = Dialect(
    "tei", "text-embeddings-inference", ("/rerank",), TeiRequest, TeiResponse, word, ERRORS,
    {
        "query": "how long do fleas live",
        "texts": ["Fleas jump far.", "A flea lives for two or three months."],
        "return_text": False,
    },
    [{"index": 1, "score": 0.93}, {"index": 0, "score": 0.21}],
    asked, answer, marks=frozenset({"texts"}), unless=frozenset({"documents"}),
)  # fmt: skip
