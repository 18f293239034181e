"""What a server offers: its aliases, from the options that say them."""

from collections.abc import Mapping, Sequence
from typing import Annotated, TypeAlias

import typer

from rerankllm.calibration.relevance import Calibration
from rerankllm.cli import options
from rerankllm.cli.console import waiting
from rerankllm.drivers.budget import Budget, Limits
from rerankllm.drivers.recipe import DEFAULT_MODEL, Recipe
from rerankllm.drivers.unusable import Unusable
from rerankllm.errors import InputError
from rerankllm.journal.store import Journal
from rerankllm.notes import tell
from rerankllm.reranker import Reranker
from rerankllm.runs.notices import tell_other_scores
from rerankllm.server.aliases import DEFAULT, Alias, offer

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
    journal: Journal | None = None,
    budget: Budget | None = None,
    per_query: Limits | None = None,
    unusable: Unusable = "keep",
) -> dict[str, Reranker]:
    """The rerankers by name, the default first, told on stderr; closing that closes all.

    Args:
        alias: NAME=SPEC each.
        strategy: Of the alias `default`, which is there where this or a model is given, or no other alias.
        model: Judges where an alias names none.
        base_url: Of that model.
        concurrency: Of that model.
        instruction: What counts as relevant.
        passage_tokens: Cut of every passage.
        journal: Keeps every call; what it holds is not asked again.
        budget: What all requests together may spend.
        per_query: What each request may spend.
        unusable: What follows an answer that cannot be used.

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

    recipe = Recipe(
        model=model or DEFAULT_MODEL, instruction=instruction, passage_tokens=passage_tokens, options=given or {},
        driver="concurrent", per_query=per_query, unusable=unusable,
    )  # fmt: skip
    with waiting(f"loading {', '.join(dict.fromkeys(alias.model or recipe.model or '' for alias in aliases))}"):
        found = offer(aliases, recipe, budget, journal=journal)
    for name, reranker in found.items():
        tell(f"{name}: {reranker.stage} on {', '.join(reranker.models)}")
    return found


def calibrated(offered: Mapping[str, Reranker], files: Sequence[str]) -> dict[str, Reranker]:
    """The rerankers, with a calibration where one is given.

    Args:
        offered: The rerankers by name, the default first.
        files: `[ALIAS=]FILE` each; without an alias, the default's.

    Raises:
        InputError: There is no such alias, it is given two, or a file is no calibration.
    """
    found: dict[str, Calibration] = {}
    for text in files:
        name, equals, file = text.partition("=")
        name, file = (name, file) if equals and name in offered else (next(iter(offered)), text)
        if name in found:
            raise InputError(f"--calibration {text}: '{name}' has one already; write ALIAS=FILE for that of another")
        found[name] = Calibration.load(file)
        tell_other_scores(offered[name], found[name])
    return {name: reranker.calibrated(found.get(name)) for name, reranker in offered.items()}
