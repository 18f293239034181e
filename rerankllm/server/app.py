"""Puts the routes of the server together."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, NoReturn

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import Discriminator, Tag
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from rerankllm.reranker import Reranker
from rerankllm.server import page
from rerankllm.server.context import RequestContext, Wording
from rerankllm.server.describe import describe, example, responses_of
from rerankllm.server.dialects import cohere, jina, openai_errors, score, tei
from rerankllm.server.in_flight import InFlight
from rerankllm.server.keys import Keys
from rerankllm.server.metrics import Metrics
from rerankllm.server.middleware import Gate, Limits
from rerankllm.server.problems import Fault, Problem
from rerankllm.server.service import Service
from rerankllm.version import __version__

WORDINGS: Mapping[str, Wording] = {
    "/v2/rerank": cohere.word,
    "/v1/rerank": jina.word,
    "/rerank": jina.word,
    "/score": score.word,
    "/v1/score": score.word,
    page.RANK: openai_errors.word,
}
"""The routes that rank, with the wording of their errors. /rerank changes to TEI's for a request in TEI's form."""
OPEN = ("/health", *page.ASSETS)
"""The routes that need no key."""
OTHERS = (*OPEN, "/metrics", "/v1/models", "/openapi.json", *page.DATA)


def _dialect_of(body: Any) -> str:
    return "tei" if isinstance(body, tei.RerankRequest) or _is_tei(body) else "jina"


def _is_tei(body: Any) -> bool:
    return isinstance(body, dict) and "texts" in body and "documents" not in body


EitherRequest = Annotated[
    Annotated[tei.RerankRequest, Tag("tei")] | Annotated[jina.RerankRequest, Tag("jina")], Discriminator(_dialect_of)
]


@dataclass(frozen=True, slots=True)
class Server:
    """A server that is ready to run.

    Attributes:
        app: The ASGI app.
        in_flight: Its requests under way; closing it ends the server.
    """

    app: FastAPI
    in_flight: InFlight


def make_server(
    aliases: Mapping[str, Reranker],
    limits: Limits | None = None,
    keys: Keys | None = None,
    hosts: Collection[str] = (),
) -> Server:
    """Makes the server.

    Args:
        aliases: Rerankers by the name that requests call them, the first being the default. They should share one
            engine (`Reranker.beside`), and are the caller's to close.
        limits: What a request may contain, and how many there may be.
        keys: The keys that clients need; None if they need none.
        hosts: Names by which clients may call it; any if none are given. A server on loopback should have some.
    """
    limits, keys, metrics = limits or Limits(), keys or Keys(), Metrics()
    service, in_flight = Service(aliases, limits.documents, metrics), InFlight(limits.in_flight, metrics)
    app = FastAPI(title="rerankllm", version=__version__, docs_url=None, redoc_url=None, redirect_slashes=False)
    names = frozenset(hosts)
    app.add_middleware(
        Gate, in_flight=in_flight, context=context_of, limits=limits, keys=keys, metrics=metrics, hosts=names
    )
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _refused)
    _add_rankers(app, service)
    _add_others(app, service, in_flight, metrics)
    page.add_page(app, service, limits, keyed=bool(keys))
    describe(app, keyed=bool(keys))
    return Server(app, in_flight)


def context_of(path: str) -> RequestContext:
    """The context of a request, as far as its path says."""
    if path in WORDINGS:
        return RequestContext(path, WORDINGS[path], ranks=True)
    word = cohere.word if path.startswith("/v2/") else openai_errors.word
    return RequestContext(path if path in OTHERS else "other", word, plans=path == page.PLAN, open=path in OPEN)


def _add_rankers(app: FastAPI, service: Service) -> None:
    @app.post("/v2/rerank", summary="Cohere v2", **responses_of((cohere, cohere.RerankResponse)))
    async def cohere_rerank(request: Request, body: Annotated[cohere.RerankRequest, example(cohere)]) -> Response:
        return await cohere.rerank(service, request.scope["context"], body)

    @app.post("/v1/rerank", summary="Jina, vLLM", **responses_of((jina, jina.RerankResponse)))
    async def jina_rerank(request: Request, body: Annotated[jina.RerankRequest, example(jina)]) -> Response:
        return await jina.rerank(service, request.scope["context"], body)

    either = responses_of((jina, jina.RerankResponse), (tei, tei.RerankResponse))

    @app.post("/rerank", summary="text-embeddings-inference with `texts`, Jina and vLLM with `documents`", **either)
    async def either_rerank(request: Request, body: Annotated[EitherRequest, example(jina, tei)]) -> Response:
        if isinstance(body, tei.RerankRequest):
            return await tei.rerank(service, request.scope["context"], body)
        return await jina.rerank(service, request.scope["context"], body)

    async def scores(request: Request, body: Annotated[score.ScoreRequest, example(score)]) -> Response:
        return await score.score(service, request.scope["context"], body)

    for path in ("/score", "/v1/score"):
        app.post(path, summary="vLLM", **responses_of((score, score.ScoreResponse)))(scores)


def _add_others(app: FastAPI, service: Service, in_flight: InFlight, metrics: Metrics) -> None:
    @app.get("/health", summary="Whether requests are taken", responses={503: {"description": "Shutting down."}})
    async def health() -> Response:
        state = "closing" if in_flight.closing else "ok"
        return JSONResponse({"status": state, "version": __version__}, 503 if in_flight.closing else 200)

    @app.get("/metrics", summary="For Prometheus", response_class=Response)
    async def numbers() -> Response:
        return Response(metrics.text(), media_type=metrics.content_type)

    @app.get("/v1/models", summary="Aliases, and what they stand for")
    async def models() -> Response:
        entries = [
            {"id": name, "object": "model", "created": 0, "owned_by": "rerankllm", "strategy": str(reranker.stage)}
            for name, reranker in service.aliases.items()
        ]
        return JSONResponse({"object": "list", "data": entries})


async def _invalid(request: Request, error: Exception) -> NoReturn:
    """Raises the problem of a body that the route does not take."""
    assert isinstance(error, RequestValidationError)  # noqa: S101
    context: RequestContext = request.scope["context"]
    if context.route == "/rerank" and _is_tei(error.body):
        context.wording = tei.word
    first = error.errors()[0]
    where = [str(part) for part in first["loc"] if part not in {"body", "tei", "jina"}]
    name = ".".join(where) if where and first["type"] != "json_invalid" else None
    match first["type"]:
        case "extra_forbidden":
            raise Problem(Fault.UNSUPPORTED, f"'{name}' is not supported here: leave it out", param=name)
        case "json_invalid":
            raise Problem(Fault.INVALID, "the body is not JSON")
        case "value_error":
            raise Problem(Fault.INVALID, str(first["ctx"]["error"]))
    raise Problem(Fault.INVALID, f"{name or 'body'}: {first['msg']}", param=name)


async def _refused(request: Request, error: Exception) -> NoReturn:
    """Raises the problem of a request that the framework refuses: an unknown route or method, or an unreadable body."""
    assert isinstance(error, HTTPException)  # noqa: S101
    path = request.url.path
    match error.status_code:
        case 404:
            raise Problem(Fault.NO_ROUTE, f"there is no route {path} here")
        case 405:
            raise Problem(Fault.NO_METHOD, f"{request.method} is not for {path}", headers=error.headers)
    raise Problem(Fault.INVALID, "the body is not JSON in UTF-8")
