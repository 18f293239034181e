"""The rerank API that Jina began and vLLM serves: POST /v1/rerank, and /rerank where the request has `documents`."""

import uuid

from fastapi import Response
from pydantic import BaseModel, Field

from rerankllm.server.context import RequestContext
from rerankllm.server.dialects import common, openai_errors
from rerankllm.server.service import RequestOptions, Service

word = openai_errors.word
RESPONSES = openai_errors.RESPONSES


class TextDocument(common.Body):
    """A document as an object."""

    text: str


class RerankRequest(common.Body):
    """A query and documents."""

    model: str | None = Field(None, description="An alias of this server; its first when left out.")
    query: common.Text
    documents: list[str | TextDocument] = Field(json_schema_extra={"minItems": 1})
    top_n: int | None = Field(None, ge=0, description="How many results are wanted; 0, or left out, is all.")
    return_documents: bool = Field(True, description="Whether results carry their document.")
    instruction: str | None = Field(None, description="What counts as relevant, where the alias's prompts show it.")
    max_tokens_per_doc: common.DocumentTokens | None = None

    @property
    def texts(self) -> list[str]:
        return [document if isinstance(document, str) else document.text for document in self.documents]


class Document(BaseModel):
    """A document."""

    text: str


class JinaResult(BaseModel):
    """One result."""

    index: int
    document: Document | None = None
    relevance_score: float


class JinaUsage(BaseModel):
    """What the models read and wrote."""

    prompt_tokens: int
    total_tokens: int


class RerankResponse(BaseModel):
    """Documents by position in the request, best first."""

    id: str
    model: str
    usage: JinaUsage
    results: list[JinaResult]


EXAMPLE = {
    "model": "default",
    "query": "how long do fleas live",
    "documents": ["Fleas jump far.", "A flea lives for two or three months."],
    "top_n": 1,
}
ANSWER = {
    "id": "rerank-5b0d4c6e9f6b4d0f8a3f4d1f0a9c7e21",
    "model": "default",
    "usage": {"prompt_tokens": 158, "total_tokens": 158},
    "results": [
        {"index": 1, "document": {"text": "A flea lives for two or three months."}, "relevance_score": 0.93}
    ],
}  # fmt: skip


async def rerank(service: Service, context: RequestContext, request: RerankRequest) -> Response:
    """Answers a request."""
    context.wording, texts, top_n = word, request.texts, request.top_n or None
    options = RequestOptions(request.model, request.instruction, request.max_tokens_per_doc)
    reranking = await service.rank(context, options, request.query, texts, top_n)
    usage = reranking.ranking.ledger.usage
    answer = RerankResponse(
        id=f"rerank-{uuid.uuid4().hex}",
        model=reranking.alias,
        usage=JinaUsage(prompt_tokens=usage.prompt_tokens, total_tokens=usage.prompt_tokens + usage.completion_tokens),
        results=[
            JinaResult(
                index=index,
                document=Document(text=texts[index]) if request.return_documents else None,
                relevance_score=value,
            )
            for index, value in reranking.places(top_n)
        ],
    )
    return common.respond(answer, reranking.relevance.scale)
