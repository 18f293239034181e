"""Names that requests may call, each a strategy and a model, all on one engine."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Self

from rerankllm.errors import InputError
from rerankllm.reranker import Reranker
from rerankllm.spec.stage import Stage

DEFAULT = "default"
_NAME = re.compile(r"[\w.:/-]+")


@dataclass(frozen=True, slots=True)
class Alias:
    """One name.

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


def offer(aliases: Sequence[Alias], model: str, make: Callable[[Stage | None, str], Reranker]) -> dict[str, Reranker]:
    """The rerankers by name, the default first; closing that closes all.

    Args:
        aliases: At least one.
        model: Judges for those that name no model.
        make: Makes the first one of a strategy and a model; the others are beside it.

    Raises:
        InputError: Two have one name; and whatever making a `Reranker` raises.
    """
    names = [alias.name for alias in aliases]
    repeated = {name for name in names if names.count(name) > 1}
    if repeated:
        raise InputError(f"two aliases are called {min(repeated)}: give each its own name")
    first = make(aliases[0].stage, aliases[0].model or model)
    try:
        others = {alias.name: first.beside(alias.stage, alias.model or model) for alias in aliases[1:]}
    except BaseException:
        first.close()
        raise
    return {aliases[0].name: first, **others}
