"""Names that requests may give as their model: each stands for a strategy and a model, and all share one engine."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

from rerankllm.drivers.budget import Budget
from rerankllm.drivers.recipe import Recipe
from rerankllm.errors import InputError
from rerankllm.journal.store import Journal
from rerankllm.reranker import Reranker
from rerankllm.spec.stage import Stage

DEFAULT = "default"
ANY = "*"
"""The alias of requests that name a model which no other alias is called."""
_NAME = re.compile(r"[\w.:/-]+|\*")


@dataclass(frozen=True, slots=True)
class Alias:
    """A name with its strategy and model.

    Attributes:
        name: What requests call it.
        stage: The strategy; None for the model's default.
        model: Which model judges where the strategy names none; None for the server's.
    """

    name: str
    stage: Stage | None
    model: str | None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Reads `NAME=STAGE` or `NAME=@ MODEL`.

        Raises:
            InputError: It reads otherwise.
        """
        name, equals, spec = (part.strip() for part in text.partition("="))
        if not equals or not spec or not _NAME.fullmatch(name):
            raise InputError(
                f"--alias '{text}' should read NAME=SPEC, as in fast='pointwise / labels @ llamacpp:smollm2', or "
                "NAME='@ MODEL' for the model's default strategy"
            )
        return cls(name, None, spec[1:].strip()) if spec.startswith("@") else cls.of(name, spec)

    @classmethod
    def of(cls, name: str, spec: str | None) -> Self:
        """A name for a stage; None for the model's default strategy."""
        if spec is None:
            return cls(name, None, None)
        stage = Stage.parse(spec)
        return cls(name, replace(stage, model=None), stage.model)


def offer(
    aliases: Sequence[Alias], recipe: Recipe, budget: Budget | None = None, *, journal: Journal | None = None
) -> dict[str, Reranker]:
    """The rerankers by name, the default first; closing that closes all.

    Args:
        aliases: At least one.
        recipe: What all of them are made from; an alias fills in the strategy, and the model if it names one.
        budget: What all requests together may spend.
        journal: Keeps every call.

    Raises:
        InputError: Two have one name; and whatever making a `Reranker` raises.
    """
    names = [alias.name for alias in aliases]
    repeated = {name for name in names if names.count(name) > 1}
    if repeated:
        raise InputError(f"two aliases are called {min(repeated)}: give each its own name")
    default = replace(recipe, strategy=aliases[0].stage, model=aliases[0].model or recipe.model)
    first = Reranker.from_recipe(default, budget, journal=journal)
    try:
        others = {alias.name: first.beside(alias.stage, alias.model or recipe.model) for alias in aliases[1:]}
    except BaseException:
        first.close()
        raise
    return {aliases[0].name: first, **others}
