"""What a server offers: its aliases, from the options that say them."""

from collections.abc import Sequence
from typing import Annotated, TypeAlias

import typer

from rerankllm.cli import options
from rerankllm.cli.output import tell
from rerankllm.errors import InputError
from rerankllm.reranker import DEFAULT_MODEL, Reranker
from rerankllm.server.aliases import DEFAULT, Alias, offer
from rerankllm.spec import Stage

Aliases: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME=SPEC",
        help="A name that requests may give as their model, and what answers to it: STRATEGY / ELICITATION "
        "@ MODEL, of which the last two may be left out, or '@ MODEL' for a model's default strategy. May be "
        "repeated; the first is the default, unless --strategy or --model make one called 'default'.",
    ),
]


def offered(
    alias: Sequence[str] | None,
    strategy: str | None,
    model: str | None,
    *,
    base_url: str | None = None,
    concurrency: int | None = None,
    instruction: str | None = None,
    passage_tokens: int | None = None,
) -> dict[str, Reranker]:
    """The rerankers by name, the default first, told on stderr; closing that closes all.

    Raises:
        InputError: An alias does not parse, or options are about no model.
    """
    aliases = [Alias.parse(text) for text in alias or []]
    own = bool(strategy or model or not aliases)
    if own:
        aliases.insert(0, Alias.of(DEFAULT, strategy))
    elif base_url or concurrency:
        raise InputError("--base-url and --concurrency are about --model: give it, or write them into an alias's model")
    given = options.model_options(model, base_url=base_url, concurrency=concurrency) if own else None

    def make(stage: Stage | None, judge: str) -> Reranker:
        return Reranker(
            stage, judge, instruction=instruction, passage_tokens=passage_tokens, options=given, driver="concurrent"
        )

    found = offer(aliases, model or DEFAULT_MODEL, make)
    for name, reranker in found.items():
        tell(f"{name}: {reranker.stage} on {', '.join(reranker.models)}")
    return found
