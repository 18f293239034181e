"""A page at `/`, on which a query and passages can be tried with every strategy there is."""

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
from rerankllm.server import sse as telling
from rerankllm.server.context import RequestContext
from rerankllm.server.custom_strategy import Mixing
from rerankllm.server.dialects import common
from rerankllm.server.middleware import Limits
from rerankllm.server.problems import Fault, Problem
from rerankllm.server.service import Service
from rerankllm.server.stream import Live
from rerankllm.version import __version__
from rerankllm.web import files

ROOM = "rerankllm.server"
SCRIPTS = ("passages.js", "server.js", "calls.js", "result.js", "form.js", "main.js")
"""In the order they are read, after those that all pages have."""
RANK = "/page/rerank"
"""Ranks, and tells what happens meanwhile."""
ASSETS = ("/", "/page/page.css", "/page/page.js", "/page/icon.svg")
"""What a browser needs before anybody has given it a key: the same for everybody, without a word of what is served."""
DATA = ("/page/choices", "/page/plan", "/page/sample")
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}


class Passage(common.Body):
    """A passage with a name of its own."""

    id: str | None = None
    title: str = ""
    text: str


class PageRequest(common.Body):
    """A query and passages.

    Attributes:
        model: An alias; None for the first.
        strategy: Another strategy than the alias's own, on the same model.
        query: The query.
        query_id: What a model may know the query by, such as one that answers from qrels.
        documents: Texts, or objects.
        top_n: How many first places matter.
    """

    model: str | None = None
    strategy: str | None = None
    query: str
    query_id: str = "query"
    documents: list[str | Passage]
    top_n: int | None = Field(None, ge=1)

    def passages(self) -> list[Document]:
        """The documents; those without an id are called by their place, from 0."""
        named = [Passage(text=each) if isinstance(each, str) else each for each in self.documents]
        return [
            Document(str(place) if each.id is None else each.id, each.text, each.title)
            for place, each in enumerate(named)
        ]


def add_page(app: FastAPI, service: Service, limits: Limits, *, keyed: bool) -> None:
    """Adds the page and what it asks for. None of it is in the API's description: it belongs to this page.

    Args:
        app: The app.
        service: Who ranks.
        limits: What is taken.
        keyed: Whether a key is needed.
    """
    mixing = Mixing(service, limits.page_calls)

    async def choices() -> Response:
        aliases = await asyncio.to_thread(mixing.offers)
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
        mixed = await mixing.mixed(request.scope["visit"], model, strategy, n, top_n)
        return JSONResponse({"strategy": str(mixed.reranker.stage), "plan": telling.plan(mixed.plan)})

    async def rank(request: Request, body: PageRequest) -> Response:
        visit: RequestContext = request.scope["visit"]
        mixed = await mixing.mixed(visit, body.model, body.strategy, len(body.documents), body.top_n)
        return Live(service, visit, mixed, Query(body.query_id, body.query), body.passages())

    for path, get in (("/page/choices", choices), ("/page/plan", plan), ("/page/sample", _sample)):
        app.get(path, include_in_schema=False)(get)
    app.post(RANK, include_in_schema=False)(rank)
    _add_assets(app, keyed)


def _sample(query_id: str) -> Response:
    """A query of the sample with its passages as models are shown them, in the first stage's order."""
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
