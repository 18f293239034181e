"""Which strategies a list of stages covers, and which are left."""

from collections.abc import Iterable, Iterator

from rerankllm.backends.simulated import READINGS
from rerankllm.errors import SpecError
from rerankllm.registry import STRATEGIES
from rerankllm.spec.stage import Stage, inner_stages


def names_in(stage: Stage) -> Iterator[str]:
    """The strategies that a stage is made of."""
    yield STRATEGIES.name_of(type(stage.strategy))
    for inner in inner_stages(stage.strategy):
        yield from names_in(inner)


def unlisted(covered: Iterable[str]) -> list[str]:
    """Registered strategies beside those, as they come; says which of them cannot be run."""
    found = []
    for name in set(STRATEGIES) - set(covered):
        try:
            asks = Stage.parse(name).strategy.asks
        except SpecError as error:
            print(f"skipped: {error}; no list says how to run it")
            continue
        if not set(asks) <= set(READINGS):
            print(f"skipped: {name}: a simulated judge cannot answer it")
            continue
        found.append(name)
    return sorted(found)
