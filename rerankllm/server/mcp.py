"""A server of the Model Context Protocol with one tool, `rerank`."""

import asyncio
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Annotated, Any

from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp_types import CallToolResult, InputRequiredResult, ToolAnnotations
from pydantic import BaseModel, ConfigDict, Field

from rerankllm.calibration.scale import Relevance, Scale
from rerankllm.data import Ledger, Ranking
from rerankllm.drivers.events import ranking_of
from rerankllm.errors import RerankError
from rerankllm.reranker import Reranker
from rerankllm.version import __version__

SHOWN = 10
"""Names that a note has."""
UNKNOWN: ContextVar[tuple[str, ...]] = ContextVar("unknown", default=())
"""The arguments of the call under way that the tool does not know."""


class Passage(BaseModel):
    """A document as an object."""

    model_config = ConfigDict(extra="allow")

    text: str
    id: str | None = Field(default=None, description="Comes back with the result.")
    title: str = Field(default="", description="Shown to the model before the text.")


class RankedItem(BaseModel):
    """One result."""

    rank: int = Field(description="From 1, which is best.")
    index: int = Field(description="Position in `documents`, from 0.")
    id: str | None = Field(description="The document's id, where it has one.")
    score: float = Field(description="From 0 to 1, strictly decreasing; comparable within this answer only.")
    moved_from: int = Field(description="Its rank as the documents were given, from 1.")
    text: str | None = Field(default=None, description="The document, where it was asked for.")


class Cost(BaseModel):
    """What it took."""

    calls: int = Field(description="Questions that the judging model answered.")
    repaired: int = Field(description="How many answers had something dropped or added.")
    prompt_tokens: int
    completion_tokens: int
    usd: float | None = Field(description="0 for local models, null where the price is unknown.")

    @classmethod
    def of(cls, ledger: Ledger) -> "Cost":
        """The cost that a ledger says."""
        usage = ledger.usage
        return cls(
            calls=ledger.calls,
            repaired=ledger.repaired,
            prompt_tokens=usage.prompt_tokens,
            completion_tokens=usage.completion_tokens,
            usd=ledger.cost_usd,
        )


class Reranked(BaseModel):
    """Documents, best first."""

    results: list[RankedItem]
    strategy: str = Field(description="Who ranked.")
    scale: Scale = Field(
        description="What scores are: `calibrated` (how likely each is relevant), `probability` (its own, such as "
        "P(yes)), `own` (its own, such as cosines), `logistic` (of its own scores) or `rank` (nothing but the rank)."
    )
    cost: Cost
    notes: list[str] = Field(default=[], description="What of the call had no effect.")


class NotingServer(MCPServer[Any]):
    """A server whose tools can see which arguments they were given and do not know."""

    async def call_tool(
        self, name: str, arguments: dict[str, Any], context: Context[Any, Any] | None = None
    ) -> CallToolResult | InputRequiredResult:
        """Calls a tool."""
        known: Mapping[str, Any] = next(
            (tool.input_schema["properties"] for tool in await self.list_tools() if tool.name == name), {}
        )
        given = UNKNOWN.set(tuple(argument for argument in arguments if argument not in known))
        try:
            return await super().call_tool(name, arguments, context)
        finally:
            UNKNOWN.reset(given)


def make_mcp(aliases: Mapping[str, Reranker]) -> MCPServer[Any]:
    """Makes the server.

    Args:
        aliases: Rerankers by name, the first of which is the default.
    """
    server = NotingServer("rerankllm", version=__version__, log_level="WARNING")
    default = next(iter(aliases))
    told = "; ".join(f"{name}: {reranker.stage} on {', '.join(reranker.models)}" for name, reranker in aliases.items())

    @server.tool(annotations=ToolAnnotations(read_only_hint=True, idempotent_hint=True, open_world_hint=False))
    async def rerank(
        query: Annotated[str, Field(description="What is looked for.")],
        documents: Annotated[
            list[str | Passage], Field(min_length=1, description="Candidates, in the order that search gave them.")
        ],
        top_k: Annotated[int | None, Field(ge=1, description="How many results are wanted; all when left out.")] = None,
        strategy: Annotated[
            str, Field(json_schema_extra={"enum": list(aliases)}, description=f"Who ranks. {told}.")
        ] = default,
        return_text: Annotated[bool, Field(description="Whether results carry their text.")] = False,  # noqa: FBT002
    ) -> Reranked:
        """Orders documents by how well they answer a query, judged by a language model; the best come first."""
        if strategy not in aliases:
            raise ToolError(f"there is no strategy '{strategy}' here; there are: {', '.join(aliases)}")
        passages = [Passage(text=document) if isinstance(document, str) else document for document in documents]
        aim = None if top_k is None else min(top_k, len(passages))
        given = [{"text": passage.text, "title": passage.title} for passage in passages]
        try:
            ranking = ranking_of(await asyncio.wrap_future(aliases[strategy].submit(query, given, top_k=aim)))
        except RerankError as error:
            raise ToolError(str(error)) from error
        relevance = Relevance.of(ranking, aliases[strategy].scale)
        places = _results(ranking, relevance, passages, return_text=return_text)
        return Reranked(
            results=places[:top_k],
            strategy=strategy,
            scale=relevance.scale,
            cost=Cost.of(ranking.ledger),
            notes=_notes(passages),
        )

    return server


def _notes(passages: list[Passage]) -> list[str]:
    """What was given and is not known."""
    fields = dict.fromkeys(name for passage in passages for name in passage.model_extra or ())
    unknown = [*UNKNOWN.get(), *(f"documents.*.{name}" for name in fields)]
    return [f"ignored, as this tool does not know it: {', '.join(unknown[:SHOWN])}"] if unknown else []


def _results(ranking: Ranking, relevance: Relevance, passages: list[Passage], *, return_text: bool) -> list[RankedItem]:
    found = []
    for result, score in zip(ranking, relevance.values, strict=True):
        index = int(result.doc_id)
        passage = passages[index]
        text = result.document.text if return_text else None
        found.append(
            RankedItem(rank=result.rank, index=index, id=passage.id, score=score, moved_from=index + 1, text=text)
        )
    return found
