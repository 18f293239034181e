"""What reranking APIs are sent and what they answer. Pure: values in, JSON out, and back.

An API is described by the names that it gives to the same few things.
"""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from rerankllm.backends.openai.completion import UnusableError
from rerankllm.backends.remote import Host
from rerankllm.data import Usage
from rerankllm.formats.lines import storable

TEI_MOST = 32
"""Texts a call that text-embeddings-inference takes unless it is told otherwise."""
A_SEARCH = 100
"""Documents that Cohere counts as one search with their query."""


def _plain(text: str) -> Any:
    return text


def _in_object(text: str) -> Any:
    return {"text": text}


@dataclass(frozen=True, slots=True)
class Dialect:
    """One API.

    Attributes:
        name: What it is called in specs.
        url: Where its own host is; None where everybody has a server of their own. `{model}` is the model's name.
        path: Its route below that.
        key_env: Environment variables that may hold the key, in this order.
        most: Documents a call, at most.
        documents: What it calls the documents.
        shape: How a text is put.
        names_model: Whether requests say which model.
        fixed: Sent with every request.
        cut: What it calls the most tokens of a document that are read; None where it has no such field.
        instruction: What it calls an instruction; "query" where that goes before the query; None where there is none.
        results: Where its answer has the list of results; None where it is that list.
        score: What it calls a score.
        a_search: How many documents count as one search unit; None where it counts tokens.
        elsewhere: Its route on other hosts, where that is another.
    """

    name: str
    url: str | None
    path: str
    key_env: tuple[str, ...] = ("RERANK_API_KEY",)
    most: int = 1000
    documents: str = "documents"
    shape: Callable[[str], Any] = _plain
    names_model: bool = True
    fixed: Mapping[str, Any] = field(default_factory=dict)
    cut: str | None = None
    instruction: str | None = None
    results: str | None = "results"
    score: str = "relevance_score"
    a_search: int | None = None
    elsewhere: str | None = None

    def route(self, host: str) -> str:
        """Its route on a host."""
        own = self.url is not None and urlsplit(self.url).netloc == host
        return self.path if own or self.elsewhere is None else self.elsewhere


DIALECTS = {
    each.name: each
    for each in (
        Dialect("cohere", "https://api.cohere.com", "/v2/rerank", ("CO_API_KEY", "COHERE_API_KEY"),
                cut="max_tokens_per_doc", a_search=A_SEARCH),
        Dialect("jina", "https://api.jina.ai/v1", "/rerank", ("JINA_API_KEY",), fixed={"return_documents": False}),
        Dialect("voyage", "https://api.voyageai.com/v1", "/rerank", ("VOYAGE_API_KEY",), fixed={"truncation": True},
                instruction="query", results="data"),
        Dialect("mixedbread", "https://api.mixedbread.com/v1", "/reranking", ("MXBAI_API_KEY",), documents="input",
                fixed={"return_input": False}, results="data", score="score"),
        Dialect("zeroentropy", "https://api.zeroentropy.dev/v1", "/models/rerank", ("ZEROENTROPY_API_KEY",)),
        Dialect("nvidia", "https://ai.api.nvidia.com/v1/retrieval/{model}", "/reranking", ("NVIDIA_API_KEY",),
                most=512, documents="passages", shape=_in_object, fixed={"truncate": "END"}, results="rankings",
                score="logit", elsewhere="/ranking"),
        Dialect("tei", None, "/rerank", most=TEI_MOST, documents="texts", names_model=False,
                fixed={"truncate": True}, results=None, score="score"),
        Dialect("vllm", None, "/rerank", cut="truncate_prompt_tokens", instruction="instruction"),
    )
}  # fmt: skip


class Scores(NamedTuple):
    """What an API answered.

    Attributes:
        values: One a document, in the order sent; NaN where it has none.
        usage: What it counted.
        attempts: How many requests it took.
    """

    values: tuple[float, ...]
    usage: Usage
    attempts: int = 1


def body_of(
    dialect: Dialect,
    model: str,
    query: str,
    documents: Sequence[str],
    *,
    instruction: str | None = None,
    cut: int | None = None,
) -> dict[str, Any]:
    """The JSON to post: every document is wanted back, and none of the texts."""
    asked = f"{instruction}\n{query}" if instruction and dialect.instruction == "query" else query
    body: dict[str, Any] = {"model": model} if dialect.names_model else {}
    body |= {"query": dialect.shape(storable(asked))}
    body |= {dialect.documents: [dialect.shape(storable(text)) for text in documents], **dialect.fixed}
    if instruction and dialect.instruction not in {None, "query"}:
        body[str(dialect.instruction)] = storable(instruction)
    if cut and dialect.cut:
        body[dialect.cut] = cut
    return body


def read_scores(dialect: Dialect, body: str, count: int) -> Scores:
    """The scores in an answer about so many documents.

    Raises:
        UnusableError: It is not what this API answers, or names a document that was not sent, or one twice.
    """
    try:
        told: Any = json.loads(body)
    except (ValueError, RecursionError):
        raise UnusableError("answered 200 with something that is no JSON", body, Host.FAILS) from None
    results = told.get(dialect.results) if dialect.results and isinstance(told, dict) else told
    if not isinstance(results, list):
        raise UnusableError("answered 200 with something that is no list of results", body, Host.FAILS)
    values = [math.nan] * count
    for result in results:
        index = result.get("index") if isinstance(result, dict) else None
        score: Any = result.get(dialect.score) if isinstance(result, dict) else None
        if type(index) is not int or type(score) not in (int, float):
            raise UnusableError("answered 200 with a result without index and score", body, Host.FAILS)
        if not 0 <= index < count or not math.isnan(values[index]):
            raise UnusableError(f"named document {index}, which was not sent or is named twice", body)
        values[index] = float(score)
    return Scores(tuple(values), _usage(dialect, told, count))


def _usage(dialect: Dialect, told: Any, count: int) -> Usage:
    """Tokens or search units, as they are told; search units that are not told are counted."""
    answer = _object(told)
    usage, billed = _object(answer.get("usage")), _object(_object(answer.get("meta")).get("billed_units"))
    counted = (
        usage.get("total_tokens"),
        usage.get("prompt_tokens"),
        billed.get("input_tokens"),
        answer.get("total_tokens"),
    )
    counted_here = -(-count // dialect.a_search) if dialect.a_search else 0
    units = _count(billed.get("search_units"))
    tokens = next((found for found in map(_count, counted) if found is not None), 0.0)
    return Usage(int(tokens), searches=float(counted_here) if units is None else units)


def _count(value: Any) -> float | None:
    good = type(value) in (int, float) and math.isfinite(value) and value >= 0
    return float(value) if good else None


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
