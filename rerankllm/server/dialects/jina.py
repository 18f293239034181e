"""The rerank API that Jina began and vLLM serves: POST /v1/rerank, and /rerank where the request has `documents`."""

import uuid
from typing import Annotated, Any

from pydantic import BaseModel, Field

from rerankllm.server.dialects import openai_errors
from rerankllm.server.dialects.body import (
    Alias,
    Body,
    Documents,
    DocumentTokens,
    FloatsOnly,
    Idle,
    NoPriority,
    NoStream,
    Text,
    Whole,
    texts_of,
)
from rerankllm.server.dialects.dialect import Dialect
from rerankllm.server.service import Asked, RequestOptions, Reranking


class JinaRequest(Body):
    """A query and documents."""

    model: Alias | None = None
    query: Text
    documents: Documents
    top_n: Whole | None = Field(None, ge=0, description="How many results are wanted; 0, or left out, is all.")
    return_documents: bool = Field(True, description="Whether results carry their document.")
    instruction: str | None = Field(None, description="What counts as relevant, where the alias's prompts show it.")
    max_tokens_per_doc: DocumentTokens | None = None
    truncate_prompt_tokens: Whole | None = Field(
        None, ge=-1, description="What `max_tokens_per_doc` is, if that is left out; -1 is what the model has room for."
    )
    truncation: bool | None = Field(None, description="Whether documents may be cut, as they may when it is left out.")
    return_embeddings: Annotated[Any, Idle((False,)), Field(description="There are none.")] = None
    use_activation: Annotated[Any, Idle((True,)), Field(description="Scores are from 0 to 1.")] = None
    encoding_format: FloatsOnly = None
    priority: NoPriority = None
    stream: NoStream = None


class JinaDocument(BaseModel):
    """A document."""

    text: str


class JinaResult(BaseModel):
    """One result."""

    index: int
    document: JinaDocument | None = None
    relevance_score: float


class JinaUsage(BaseModel):
    """What the models read and wrote."""

    prompt_tokens: int
    total_tokens: int


class JinaResponse(BaseModel):
    """Documents by position in the request, best first."""

    id: str
    model: str
    usage: JinaUsage
    results: list[JinaResult]


def asked(request: JinaRequest) -> Asked:
    """What a request asks."""
    cut = request.max_tokens_per_doc or limit(request.truncate_prompt_tokens)
    whole = "truncation: false" if request.truncation is False else None
    options = RequestOptions(request.model, request.instruction, cut, whole)
    return Asked(request.query, texts_of(request.documents), request.top_n or None, options)


def limit(truncate_prompt_tokens: int | None) -> int | None:
    """The cut that vLLM's field asks for, if any."""
    return max(truncate_prompt_tokens or 0, 0) or None


def answer(request: JinaRequest, reranking: Reranking) -> JinaResponse:
    """A response."""
    texts, usage = reranking.asked.documents, reranking.usage
    return JinaResponse(
        id=f"rerank-{uuid.uuid4().hex}",
        model=reranking.model,
        usage=JinaUsage(prompt_tokens=usage.prompt_tokens, total_tokens=usage.prompt_tokens + usage.completion_tokens),
        results=[
            JinaResult(
                index=index,
                document=JinaDocument(text=texts[index]) if request.return_documents else None,
                relevance_score=score,
            )
            for index, score in reranking.places
        ],
    )


JINA = Dialect(
    "jina", "Jina, vLLM", ("/v1/rerank", "/rerank"), JinaRequest, JinaResponse, openai_errors.word,
    openai_errors.RESPONSES,
    {
        "model": "default",
        "query": "how long do fleas live",
        "documents": ["Fleas jump far.", "A flea lives for two or three months."],
        "top_n": 1,
    },
    {
        "id": "rerank-5b0d4c6e9f6b4d0f8a3f4d1f0a9c7e21",
        "model": "default",
        "usage": {"prompt_tokens": 158, "total_tokens": 158},
        "results": [
            {"index": 1, "document": {"text": "A flea lives for two or three months."}, "relevance_score": 0.93}
        ],
    },
    asked, answer,
)  # fmt: skip
