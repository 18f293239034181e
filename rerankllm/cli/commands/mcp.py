"""`rerankllm mcp`: a tool for language models that call tools."""

import importlib.util
from typing import Annotated

import typer

from rerankllm.cli import aliases as offering
from rerankllm.cli import options
from rerankllm.errors import MissingExtra
from rerankllm.notes import tell

LOOPBACK = "127.0.0.1"
EXAMPLES = """
rerankllm mcp
rerankllm mcp --alias fast='pointwise / labels @ llamacpp:smollm2' --alias best='sliding @ openai:NAME'
rerankllm mcp --port 8001

In a client's configuration: {"command": "rerankllm", "args": ["mcp", "--strategy", "pointwise / labels"]}
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
    port: Annotated[
        int | None,
        typer.Option(
            min=1, max=65535, help="Serve streamable HTTP at http://127.0.0.1:PORT/mcp instead of standard input."
        ),
    ] = None,
) -> None:
    """Serves the tool `rerank` over the Model Context Protocol, on standard input and output."""
    if importlib.util.find_spec("mcp") is None:
        raise MissingExtra("pip install 'rerankllm[mcp]'")
    from rerankllm.server.mcp import make_mcp  # noqa: PLC0415

    offered = offering.offered(
        alias,
        strategy,
        model,
        base_url=base_url,
        concurrency=concurrency,
        instruction=instruction,
        passage_tokens=max_passage_tokens,
        unusable=unusable,
    )
    with next(iter(offered.values())):
        server = make_mcp(offered)
        if port is None:
            server.run()
        else:
            tell(f"opening http://{LOOPBACK}:{port}/mcp; Ctrl-C ends it")
            server.run("streamable-http", host=LOOPBACK, port=port)
