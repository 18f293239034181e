"""Puts the routes of the server together."""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import JSONResponse

from rerankllm.reranker import Reranker
from rerankllm.server import page
from rerankllm.server.aliases import ANY
from rerankllm.server.context import RequestContext, Wording
from rerankllm.server.describe import describe, examples, request_of, responses_of
from rerankllm.server.dialects import DIALECTS, by_header, by_path, cohere, common, openai_errors, score
from rerankllm.server.dialects.body import AS_OBJECT, AS_TEXT, strictly
from rerankllm.server.dialects.dialect import Dialect, speaker
from rerankllm.server.ignored import IgnoredFields
from rerankllm.server.in_flight import InFlight
from rerankllm.server.invalid import problem_of
from rerankllm.server.keys import Keys
from rerankllm.server.metrics import Metrics
from rerankllm.server.middleware import Gate, Limits
from rerankllm.server.problems import Fault, Problem
from rerankllm.server.routing import Routing
from rerankllm.server.service import Service
from rerankllm.version import __version__

if TYPE_CHECKING:
    from opentelemetry.trace import Tracer

PATHS = by_path()
SCORES = ("/score", "/v1/score")
WORDINGS: Mapping[str, Wording] = {
    **{path: dialects[-1].word for path, dialects in PATHS.items()},
    **dict.fromkeys(SCORES, openai_errors.word),
    page.RANK: openai_errors.word,
}
"""The routes that rank, with the wording of their errors. One that dialects share changes to that of the request's."""
DOCS = "/docs"
OPEN = ("/health", DOCS, "/openapi.json", *page.ASSETS)
"""The routes that need no key: they say nothing of what is served."""
MODELS = "/v1/models"
MODEL = f"{MODELS}/{{model_id:path}}"
OTHERS = (*OPEN, "/metrics", MODELS, *page.DATA)


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
    *,
    strict: bool = False,
    origins: Sequence[str] = (),
    tracer: "Tracer | None" = None,
) -> Server:
    """Makes the server.

    Args:
        aliases: Rerankers by the name that requests call them, the first being the default. They should share one
            engine (`Reranker.beside`), and are the caller's to close.
        limits: What a request may contain, and how many there may be.
        keys: The keys that clients need; None if they need none.
        hosts: Names by which clients may call it; any if none are given. A server on loopback should have some.
        strict: Whether to refuse what would be ignored: fields not known, idle values, numbers as texts.
        origins: The origins of pages in browsers that may ask; `*` is any.
        tracer: Makes a span of every request that ranks, and of every judgement; None for no traces.
    """
    limits, keys, metrics = limits or Limits(), keys or Keys(), Metrics()
    metrics.watch(aliases.values())
    service, in_flight = Service(aliases, limits.documents, metrics), InFlight(limits.in_flight, metrics)
    app = FastAPI(
        title="rerankllm", version=__version__, docs_url=DOCS, redoc_url=None, swagger_ui_oauth2_redirect_url=None,
        redirect_slashes=False,
    )  # fmt: skip
    app.add_middleware(
        Gate, in_flight=in_flight, context=context_of, limits=limits, keys=keys, metrics=metrics,
        hosts=frozenset(hosts), tracer=tracer,
    )  # fmt: skip
    app.add_middleware(Routing, aliases=aliases, known=by_header())
    if origins:
        app.add_middleware(
            CORSMiddleware, allow_origins=origins, allow_methods=["GET", "POST"], allow_headers=["*"],
            expose_headers=["*"],
        )  # fmt: skip
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _refused)
    _add_rankers(app, service, strict=strict)
    _add_others(app, service, in_flight, metrics)
    page.add_page(app, service, limits, keyed=bool(keys))
    describe(app, keyed=bool(keys))
    return Server(app, in_flight)


def context_of(path: str) -> RequestContext:
    """The context of a request, as far as its path says."""
    if path in WORDINGS:
        return RequestContext(path, WORDINGS[path], ranks=True)
    word = cohere.word if path.startswith("/v2/") else openai_errors.word
    route = MODEL if path.startswith(f"{MODELS}/") else path if path in OTHERS else "other"
    return RequestContext(route, word, plans=path == page.PLAN, open=path in OPEN)


def _add_rankers(app: FastAPI, service: Service, *, strict: bool) -> None:
    ignored = IgnoredFields()
    known = [replace(each, request=strictly(each.request)) for each in DIALECTS] if strict else DIALECTS
    for path, dialects in by_path(known).items():
        handler, title = _ranking(service, ignored, dialects), ", or ".join(each.title for each in dialects)
        app.post(path, summary=title, operation_id=_name(path), **responses_of(dialects))(handler)

    pairs: Any = strictly(score.ScoreRequest) if strict else score.ScoreRequest

    async def scores(request: Request, body: Annotated[pairs, examples((score.SCORE,))]) -> Response:
        context: RequestContext = request.scope["context"]
        ignored.note(context, body.ignored())
        found = await service.score(context, body.options, body.pairs())
        return common.respond(score.answer(found), found.scale, found.usage, context.warnings)

    for path in SCORES:
        app.post(path, summary=score.SCORE.title, operation_id=_name(path), **responses_of((score.SCORE,)))(scores)


def _name(path: str) -> str:
    """What generators of clients call the route."""
    return path.strip("/").replace("/", "_")


def _ranking(
    service: Service, ignored: IgnoredFields, dialects: Sequence[Dialect]
) -> Callable[..., Awaitable[Response]]:
    """The handler of a path, for the dialects that share it."""
    kind: Any = request_of(dialects)

    async def rank(request: Request, body: Annotated[kind, examples(dialects)]) -> Response:
        dialect, context = speaker(dialects, body), request.scope["context"]
        context.wording = dialect.word
        ignored.note(context, body.ignored())
        reranking = await service.rank(context, dialect.asked(body))
        answer, scale = dialect.answer(body, reranking), reranking.relevance.scale
        return common.respond(answer, scale, reranking.usage, context.warnings)

    return rank


def _add_others(app: FastAPI, service: Service, in_flight: InFlight, metrics: Metrics) -> None:
    @app.head("/health", include_in_schema=False)
    @app.get("/health", summary="Whether requests are taken", responses={503: {"description": "Shutting down."}})
    async def health() -> Response:
        state = "closing" if in_flight.closing else "ok"
        return JSONResponse({"status": state, "version": __version__}, 503 if in_flight.closing else 200)

    @app.get("/metrics", summary="For Prometheus", response_class=Response)
    async def numbers() -> Response:
        return Response(metrics.text(), media_type=metrics.content_type)

    def entry(name: str, reranker: Reranker) -> dict[str, Any]:
        return {
            "id": name, "object": "model", "created": 0, "owned_by": "rerankllm", "strategy": str(reranker.stage),
            "model_type": "rerank",
        }  # fmt: skip

    @app.get("/v1/models", summary="Aliases, and what they stand for")
    async def models() -> Response:
        entries = [entry(name, reranker) for name, reranker in service.aliases.items() if name != ANY]
        return JSONResponse({"object": "list", "data": entries})

    @app.get(MODEL, summary="An alias, and what it stands for", responses={404: openai_errors.RESPONSES[404]})
    async def model(request: Request, model_id: str) -> Response:
        _, reranker = service.find(request.scope["context"], model_id, 1)
        return JSONResponse(entry(model_id, reranker))


async def _invalid(request: Request, error: Exception) -> NoReturn:
    """Raises the problem of a body that the route does not take."""
    assert isinstance(error, RequestValidationError)  # noqa: S101
    context: RequestContext = request.scope["context"]
    dialects = PATHS.get(context.route, ())
    if dialects:
        context.wording = speaker(dialects, error.body).word
    raise problem_of(error.errors(), {"body", AS_TEXT, AS_OBJECT, *(dialect.name for dialect in dialects)})


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
