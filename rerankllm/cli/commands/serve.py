"""`rerankllm serve`: strategies and models behind the rerank APIs that others speak."""

import importlib.util
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

import typer

from rerankllm.cli import aliases as offering
from rerankllm.cli import options
from rerankllm.drivers.budget import Budget, check_searches
from rerankllm.drivers.budget import Limits as Spent
from rerankllm.errors import InputError, MissingExtra
from rerankllm.journal.store import Journal
from rerankllm.notes import tell
from rerankllm.version import __version__

NEEDED = ("fastapi", "uvicorn", "prometheus_client")
SpentCalls: TypeAlias = Annotated[
    int | None, typer.Option(min=0, metavar="N", help="Budget: calls of all requests together, from now on.")
]
SpentTokens: TypeAlias = Annotated[
    int | None, typer.Option(min=0, metavar="N", help="Budget: tokens of all requests together, from now on.")
]
SpentCost: TypeAlias = Annotated[
    float | None, typer.Option(min=0, metavar="USD", help="Budget: US dollars of all requests together, from now on.")
]
SpentSearches: TypeAlias = Annotated[
    int | None,
    typer.Option(min=0, metavar="N", help="Budget: search units (cohere:) of all requests together, from now on."),
]
MB = 1_000_000
LogLevel: TypeAlias = Literal["debug", "info", "warning", "error"]
LogFormat: TypeAlias = Literal["text", "json"]
EXAMPLES = """
# and a page to try it on, at http://127.0.0.1:8000
rerankllm serve
rerankllm serve --model openai:NAME --base-url http://localhost:9000/v1 --strategy 'sliding(window=20, stride=10)'
rerankllm serve --alias fast='pointwise / labels @ llamacpp:smollm2' --alias best='sliding @ openai:NAME'
rerankllm serve --model openai:NAME --journal asked.journal --max-cost 20 --per-query calls=50,cost=0.05
# scores are how likely a document is relevant
rerankllm serve --strategy pointwise --calibration fit.json
rerankllm serve --alias rerank-v3.5='@ embed:minilm' --host 0.0.0.0 --keys keys.txt
# from another shell
curl localhost:8000/v2/rerank --json '{"model": "default", "query": "how long?", "documents": ["Weeks.", "Far."]}'
"""


def command(
    *,
    alias: offering.Aliases = None,
    strategy: options.Strategy = None,
    model: options.Model = None,
    base_url: options.BaseUrl = None,
    concurrency: options.Concurrency = None,
    instruction: options.Instruction = None,
    max_passage_tokens: options.PassageTokens = None,
    unusable: options.WhenUnusable = "keep",
    host: Annotated[str, typer.Option(help="Address to listen at; 0.0.0.0 is all of this machine's.")] = "127.0.0.1",
    allow_host: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="A name by which clients may call it, as behind a proxy. At 127.0.0.1 it is localhost and the address "
            "only, at another address any name. May be repeated.",
        ),
    ] = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 is any that is free.")] = 8000,
    keys: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Bearer keys, one a line; more in $RERANKLLM_API_KEYS. None: all may ask."),
    ] = None,
    journal: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Keep every completed call, with its texts, in this file; what it holds is not asked again.",
        ),
    ] = None,
    max_journal_mb: Annotated[
        float | None,
        typer.Option(min=1, metavar="MB", help="Megabytes the journal may hold; the oldest calls are forgotten."),
    ] = None,
    calibration: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[ALIAS=]FILE",
            help="What `rerankllm calibrate` wrote: that alias's scores are then how likely a document is relevant. "
            "Without a name the default's. May be repeated.",
        ),
    ] = None,
    max_calls: SpentCalls = None,
    max_tokens: SpentTokens = None,
    max_cost: SpentCost = None,
    max_searches: SpentSearches = None,
    per_query: options.PerQuery = None,
    max_documents: Annotated[int, typer.Option(min=1, metavar="N", help="Documents a request may have.")] = 1000,
    max_bytes: Annotated[int, typer.Option(min=1, metavar="N", help="Bytes a request may have.")] = 16_000_000,
    max_seconds: Annotated[
        float, typer.Option(min=0.001, metavar="S", help="Seconds from a request's first byte to its answer.")
    ] = 60.0,
    max_in_flight: Annotated[
        int, typer.Option(min=1, metavar="N", help="Requests under way at a time; more are told to ask again later.")
    ] = 256,
    max_page_calls: Annotated[
        int,
        typer.Option(
            min=0,
            metavar="N",
            help="Most calls of a strategy that a visitor writes on the page at /; 0 offers the aliases only.",
        ),
    ] = 20_000,
    strict: Annotated[
        bool, typer.Option("--strict", help="Refuse what would be ignored: fields not known, numbers as texts, …")
    ] = False,
    cors_origin: Annotated[
        list[str] | None,
        typer.Option(metavar="ORIGIN", help="Pages of this origin may ask from a browser; * is any. May be repeated."),
    ] = None,
    log_level: Annotated[
        LogLevel, typer.Option(help="What is logged on stderr: `info` has a line a request, `debug` all routes.")
    ] = "info",
    log_format: Annotated[LogFormat, typer.Option(help="How: `json` is an object a line.")] = "text",
    otel: Annotated[
        bool,
        typer.Option("--otel", help="Export a trace a request to OpenTelemetry, where the OTEL_… variables say."),
    ] = False,
    grace: Annotated[
        float, typer.Option(min=0, metavar="S", help="Seconds that requests under way have to finish at the end.")
    ] = 30.0,
) -> None:
    """Serves strategies and models behind the rerank APIs of Cohere, Jina, vLLM, Voyage, NVIDIA and others."""
    if any(importlib.util.find_spec(package) is None for package in NEEDED):
        raise MissingExtra("pip install 'rerankllm[server]'")
    from rerankllm.server import logs  # noqa: PLC0415
    from rerankllm.server.app import make_server  # noqa: PLC0415
    from rerankllm.server.keys import Keys  # noqa: PLC0415
    from rerankllm.server.middleware import Limits  # noqa: PLC0415
    from rerankllm.server.run import Running, is_loopback, keep_loaded, names_of, open_socket  # noqa: PLC0415
    from rerankllm.server.tracing import exporting_tracer  # noqa: PLC0415

    if max_journal_mb is not None and journal is None:
        raise InputError("--max-journal-mb is about --journal: give it, or leave this out")
    tracer = exporting_tracer(__version__) if otel else None
    known, limits = Keys.read(keys), Limits(max_documents, max_bytes, max_seconds, max_in_flight, max_page_calls)
    with ExitStack() as stack:
        stack.enter_context(logs.printed(log_level, log_format))
        opened = stack.enter_context(closing(open_socket(host, port)))
        kept = (
            None
            if journal is None
            else Journal(journal, limit=None if max_journal_mb is None else int(max_journal_mb * MB))
        )
        if kept is not None:
            stack.callback(kept.close)
        offered = offering.offered(
            alias,
            strategy,
            model,
            base_url=base_url,
            concurrency=concurrency,
            instruction=instruction,
            passage_tokens=max_passage_tokens,
            unusable=unusable,
            journal=kept,
            budget=Budget(Spent(max_calls, max_tokens, max_cost, searches=max_searches), "the server's budget"),
            per_query=options.limits_of(per_query),
        )
        stack.enter_context(next(iter(offered.values())))
        for reranker in offered.values():
            reranker.session.panel.check()
        if max_searches is not None:
            check_searches([each for reranker in offered.values() for each in reranker.session.panel.backends])
        offered = offering.calibrated(offered, calibration or [])
        if not is_loopback(host) and not known:
            tell(f"anyone who reaches {host} may ask, as there are no keys: see --keys")
        server = make_server(
            offered,
            limits,
            known,
            names_of(host, allow_host or ()),
            strict=strict,
            origins=cors_origin or (),
            tracer=tracer,
        )
        keep_loaded()
        Running(server, opened, grace, _tell_ready).run()


def _tell_ready(address: str) -> None:
    tell(f"listening at {address}; Ctrl-C ends it")
