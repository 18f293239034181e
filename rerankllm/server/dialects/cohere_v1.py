"""Cohere's v1 rerank API, as its older client asks: POST /v1/rerank."""

from typing import Annotated, Any

from pydantic import Field

from rerankllm.server.dialects import cohere
from rerankllm.server.dialects.body import Alias, Body, DocumentTokens, Text, TopN, Whole
from rerankllm.server.dialects.dialect import Dialect
from rerankllm.server.problems import Fault, Problem
from rerankllm.server.service import Asked, RequestOptions, Reranking


class CohereV1Request(Body):
    """A query and documents, which may be objects."""

    model: Alias | None = None
    query: Text
    documents: Annotated[list[str | dict[str, Any]], Field(json_schema_extra={"minItems": 1})]
    top_n: TopN | None = None
    rank_fields: list[str] | None = Field(
        None, description="The fields of documents that are objects which the model is shown; `text` when left out."
    )
    return_documents: bool = Field(False, description="Whether results carry their document.")
    max_chunks_per_doc: Whole | None = Field(None, ge=1, description="No effect: documents are cut, and never split.")
    max_tokens_per_doc: DocumentTokens | None = None


def asked(request: CohereV1Request) -> Asked:
    """What a request asks.

    Raises:
        Problem: A document has none of the fields.
    """
    fields = request.rank_fields or ["text"]
    texts = [_text(document, place, fields) for place, document in enumerate(request.documents)]
    options = RequestOptions(request.model, passage_tokens=request.max_tokens_per_doc)
    return Asked(request.query, texts, request.top_n, options)


def _text(document: str | dict[str, Any], place: int, fields: list[str]) -> str:
    if isinstance(document, str):
        return document
    found = [str(document[name]) for name in fields if document.get(name) is not None]
    if not found:
        wanted = " or ".join(f"'{name}'" for name in fields)
        raise Problem(Fault.INVALID, f"documents.{place} has no {wanted}", param=f"documents.{place}")
    return "\n".join(found)


def answer(request: CohereV1Request, reranking: Reranking) -> cohere.CohereResponse:
    """A response in the shape of version 1."""
    return cohere.response_of("1", reranking, with_documents=request.return_documents)


COHERE_V1 = Dialect(
    "cohere", "Cohere v1", ("/v1/rerank",), CohereV1Request, cohere.CohereResponse, cohere.word,
    cohere.ERRORS, {**cohere.EXAMPLE, "rank_fields": ["text"]}, cohere.sample("1"),
    asked, answer, marks=frozenset({"rank_fields", "max_chunks_per_doc"}), headers={"x-fern-sdk-name": "cohere"},
)  # fmt: skip
