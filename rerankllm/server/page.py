"""The page at `/`, on which any strategy can be tried on a query and passages."""

import asyncio
from typing import Annotated

from fastapi import FastAPI, Request, Response
from fastapi import Query as Param
from pydantic import Field
from starlette.responses import JSONResponse

from rerankllm.data import Document, Query
from rerankllm.formats.beir import read_corpus, read_queries
from rerankllm.formats.trec import read_run
from rerankllm.sample import path as sample
from rerankllm.server import sse
from rerankllm.server.context import RequestContext
from rerankllm.server.custom_strategy import CustomStrategies
from rerankllm.server.dialects.body import Strict
from rerankllm.server.middleware import Limits
from rerankllm.server.problems import Fault, Problem
from rerankllm.server.service import Service
from rerankllm.server.stream import RankingStream
from rerankllm.version import __version__
from rerankllm.web import files

ROOM = "rerankllm.server"
SCRIPTS = ("passages.js", "server.js", "calls.js", "result.js", "form.js", "table.js", "share.js", "main.js")
"""The page's scripts in order, after those that all pages have."""
RANK = "/page/rerank"
"""The route that ranks and streams every call."""
ASSETS = ("/", "/page/page.css", "/page/page.js", "/page/icon.svg")
"""What a browser loads before its user has entered a key. It says nothing about what is served."""
PLAN = "/page/plan"
DATA = ("/page/choices", PLAN, "/page/sample")
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}


class PagePassage(Strict):
    """A passage as an object."""

    id: str | None = None
    title: str = ""
    text: str


class PageRequest(Strict):
    """A query and passages.

    Attributes:
        model: An alias; None for the first.
        strategy: A strategy to use on the alias's model instead of its own.
        query: The query.
        query_id: Needed by models that look the query up, such as one that answers from qrels.
        documents: Texts, or objects.
        top_n: How many first places matter.
    """

    model: str | None = None
    strategy: str | None = None
    query: str
    query_id: str = "query"
    documents: list[str | PagePassage]
    top_n: int | None = Field(None, ge=1)

    def passages(self) -> list[Document]:
        """The documents; the id of one without an id is its position, from 0."""
        named = [PagePassage(text=each) if isinstance(each, str) else each for each in self.documents]
        return [
            Document(str(place) if each.id is None else each.id, each.text, each.title)
            for place, each in enumerate(named)
        ]


def add_page(app: FastAPI, service: Service, limits: Limits, *, keyed: bool) -> None:
    """Adds the page and its routes, which are not part of the API's description.

    Args:
        app: The app.
        service: Ranks.
        limits: The server's limits, which the page shows.
        keyed: Whether clients need a key.
    """
    custom = CustomStrategies(service, limits.page_calls)

    async def choices() -> Response:
        aliases = await asyncio.to_thread(custom.offers)
        samples = [{"id": query_id, "query": text} for query_id, text in read_queries(sample("queries.tsv")).items()]
        said = {"documents": limits.documents, "seconds": limits.seconds, "calls": limits.page_calls}
        return JSONResponse({"limits": said, "aliases": aliases, "samples": samples})

    async def plan(
        request: Request,
        n: Annotated[int, Param(ge=1)],
        model: str | None = None,
        strategy: str | None = None,
        top_n: Annotated[int | None, Param(ge=1)] = None,
    ) -> Response:
        choice = await custom.choose(request.scope["context"], model, strategy, n, top_n)
        return JSONResponse({"strategy": str(choice.reranker.stage), "plan": sse.plan(choice.plan)})

    async def rank(request: Request, body: PageRequest) -> Response:
        context: RequestContext = request.scope["context"]
        choice = await custom.choose(context, body.model, body.strategy, len(body.documents), body.top_n)
        return RankingStream(service, context, choice, Query(body.query_id, body.query), body.passages())

    for path, get in (("/page/choices", choices), (PLAN, plan), ("/page/sample", _sample)):
        app.get(path, include_in_schema=False)(get)
    app.post(RANK, include_in_schema=False)(rank)
    _add_assets(app, keyed)


def _sample(query_id: str) -> Response:
    """The passages of a query of the sample as models are shown them, in the first stage's order."""
    found = read_run(sample("run.txt")).get(query_id)
    if found is None:
        raise Problem(Fault.INVALID, "there is no such query in the sample", param="query_id")
    corpus = read_corpus(sample("corpus.jsonl"))
    documents = [{"id": doc_id, "text": corpus[doc_id].content} for doc_id, _ in found]
    return JSONResponse(documents)


def _add_assets(app: FastAPI, keyed: bool) -> None:  # noqa: FBT001
    kinds = ("text/html", "text/css", "text/javascript", "image/svg+xml")
    html = (
        files.read(ROOM, "page.html").replace("{{ version }}", __version__).replace("{{ keyed }}", str(keyed).lower())
    )
    texts = (html, files.style(ROOM, "page.css"), files.script(ROOM, SCRIPTS), files.read(ROOM, "icon.svg"))
    for path, text, kind in zip(ASSETS, texts, kinds, strict=True):
        response = Response(text, media_type=kind, headers=HEADERS)
        app.get(path, include_in_schema=False)(lambda response=response: response)
