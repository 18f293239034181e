"""Mixedbread's rerank API: POST /v1/reranking."""

from typing import Annotated, Any

from pydantic import BaseModel, Field

from rerankllm.server.dialects import openai_errors
from rerankllm.server.dialects.body import Alias, Body, Documents, Idle, Text, TopN, texts_of
from rerankllm.server.dialects.dialect import Dialect
from rerankllm.server.service import Asked, RequestOptions, Reranking


class MixedbreadRequest(Body):
    """A query and documents, which are called `input`."""

    model: Alias | None = None
    query: Text
    input: Documents
    top_k: TopN | None = None
    return_input: bool = Field(False, description="Whether results carry their document.")
    instruction: str | None = Field(None, description="What counts as relevant, where the alias's prompts show it.")
    rank_fields: Annotated[Any, Idle((["text"],)), Field(description="Of objects, `text` is read.")] = None
    rewrite_query: Annotated[Any, Idle((False,)), Field(description="The query is taken as it is.")] = None


class MixedbreadResult(BaseModel):
    """One result, without the `object` that their older and newer clients call by different names."""

    index: int
    score: float
    input: str | None = None


class MixedbreadUsage(BaseModel):
    """What the models read and wrote."""

    prompt_tokens: int
    total_tokens: int
    completion_tokens: int


class MixedbreadResponse(BaseModel):
    """Documents by position in the request, best first."""

    usage: MixedbreadUsage
    model: str
    data: list[MixedbreadResult]
    object: str = "list"
    top_k: int
    return_input: bool


def asked(request: MixedbreadRequest) -> Asked:
    """What a request asks."""
    options = RequestOptions(request.model, request.instruction)
    return Asked(request.query, texts_of(request.input), request.top_k, options)


def answer(request: MixedbreadRequest, reranking: Reranking) -> MixedbreadResponse:
    """A response."""
    texts, usage = reranking.asked.documents, reranking.usage
    return MixedbreadResponse(
        usage=MixedbreadUsage(
            prompt_tokens=usage.prompt_tokens,
            total_tokens=usage.prompt_tokens + usage.completion_tokens,
            completion_tokens=usage.completion_tokens,
        ),
        model=reranking.model,
        data=[
            MixedbreadResult(index=index, score=score, input=texts[index] if request.return_input else None)
            for index, score in reranking.places
        ],
        top_k=len(reranking.places),
        return_input=request.return_input,
    )


MIXEDBREAD = Dialect(
    "mixedbread", "Mixedbread", ("/v1/reranking",), MixedbreadRequest, MixedbreadResponse,
    openai_errors.word, openai_errors.RESPONSES,
    {
        "model": "default",
        "query": "how long do fleas live",
        "input": ["Fleas jump far.", "A flea lives for two or three months."],
        "top_k": 1,
    },
    {
        "usage": {"prompt_tokens": 158, "total_tokens": 158, "completion_tokens": 0},
        "model": "default",
        "data": [{"index": 1, "score": 0.93}],
        "object": "list",
        "top_k": 1,
        "return_input": False,
    },
    asked, answer,
)  # fmt: skip
