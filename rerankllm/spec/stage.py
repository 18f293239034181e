"""Spec strings and the objects they name.

```
STAGE = strategy(k=v, …) [/ elicitation(k=v, …)] [@ MODEL]
VALUE = 3 | 0.5 | true | none | word | 'quoted' | [VALUE, …] | STAGE
MODEL = kind:name[@revision][?key=value&…]
```

Strategies, elicitations and aggregations are frozen dataclasses: their fields are the parameters, the annotations
say what is accepted, and `str(Stage)` prints every parameter in declaration order, in this same grammar. Only a
parameter that is declared `unsaid` is left out while it has its default, so that specs from before it read the same:
they are part of journals' keys. Backends
are classes whose keyword-only constructor parameters are the options of a MODEL.
"""

import dataclasses
import re
import typing
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, Self, runtime_checkable

from rerankllm.aggregation.base import Aggregation
from rerankllm.data import Candidate, Query, Ranking
from rerankllm.errors import SpecError
from rerankllm.judgements import Steps
from rerankllm.plan import Plan
from rerankllm.registry import AGGREGATIONS, ELICITATIONS, STRATEGIES, Registry, instead
from rerankllm.spec.grammar import MODEL, WORDS, Call, Node, Parser, quote
from rerankllm.spec.values import Builders, coerce


class Strategy(Protocol):
    """A ranking algorithm: which judgements, in what order.

    Attributes:
        asks: The kinds of judgement it asks for.
    """

    @property
    def asks(self) -> tuple[type, ...]: ...

    def rank(self, query: Query, candidates: Sequence[Candidate]) -> Steps[Ranking]:
        """The generator that ranks one query; its ranking holds every candidate exactly once."""
        ...

    def plan(self, n: int) -> Plan:
        """What ranking `n` candidates takes: exact where the algorithm is fixed, bounds where it adapts."""
        ...

    def settles(self, n: int) -> int | None:
        """How many first places are ideal whenever every answer is right; None where that cannot be said."""
        ...


@runtime_checkable
class Composite(Protocol):
    """What a strategy of several stages says besides."""

    def parts(self, n: int) -> "Sequence[tuple[Stage, Plan]]":
        """How much of the plan for `n` candidates each stage takes."""
        ...

    def aiming(self, top_k: int) -> Strategy:
        """The same strategy for `top_k` first places, each stage aiming at what the next one needs."""
        ...


@dataclass(frozen=True, slots=True)
class Stage:
    """A strategy, with the elicitation and the model its judgements go to.

    Attributes:
        strategy: The algorithm.
        elicitation: How answers are elicited; None for the default for strategy and backend.
        model: A MODEL spec; None for the one the caller gives.
    """

    strategy: Strategy
    elicitation: Any = None
    model: str | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Reads a STAGE.

        Raises:
            SpecError: It does not parse, or names something unknown; the message says what exists.
        """
        node = Parser(text).whole()
        return typing.cast("Self", _stage(node))

    def __str__(self) -> str:
        parts = [show(self.strategy, STRATEGIES)]
        if self.elicitation is not None:
            parts.append(f"/ {show(self.elicitation, ELICITATIONS)}")
        if self.model is not None:
            parts.append(f"@ {self.model if MODEL.fullmatch(self.model) else quote(self.model)}")
        return " ".join(parts)

    def aiming(self, top_k: int) -> "Stage":
        """The same stage with `top_k` set wherever it, or a stage inside it, has one."""
        if isinstance(self.strategy, Composite):
            return dataclasses.replace(self, strategy=self.strategy.aiming(top_k))
        strategy = map_stages(self.strategy, lambda stage: stage.aiming(top_k))
        if "top_k" in (f.name for f in dataclasses.fields(typing.cast("Any", strategy))):
            strategy = dataclasses.replace(typing.cast("Any", strategy), top_k=top_k)
        return dataclasses.replace(self, strategy=strategy)


def map_stages(strategy: Strategy, change: Callable[[Stage], Stage]) -> Strategy:
    """The strategy with `change` applied to every stage among its parameters, in lists too."""
    changed: dict[str, Any] = {}
    for f in dataclasses.fields(typing.cast("Any", strategy)):
        value = getattr(strategy, f.name)
        if isinstance(value, Stage):
            changed[f.name] = change(value)
        elif isinstance(value, tuple) and any(isinstance(item, Stage) for item in value):
            changed[f.name] = tuple(map(change, value))
    return typing.cast("Strategy", dataclasses.replace(typing.cast("Any", strategy), **changed))


def parts(strategy: Strategy, n: int, plan: Plan) -> Sequence[tuple[Stage, Plan]]:
    """How much of a strategy's `plan` each stage inside it takes; nothing where there is none.

    Inside a cascade a strategy may rank fewer than `n`: where one stage takes all there is, the plan is believed.
    """
    if isinstance(strategy, Composite):
        return strategy.parts(n)
    return [(stage, plan) for stage in inner_stages(strategy)]


def inner_stages(strategy: Strategy) -> list[Stage]:
    """Every stage among the parameters of a strategy, in lists too."""
    values = (getattr(strategy, f.name) for f in dataclasses.fields(typing.cast("Any", strategy)))
    flat = (item for value in values for item in (value if isinstance(value, tuple) else (value,)))
    return [item for item in flat if isinstance(item, Stage)]


def said(value: Any) -> dict[str, Any]:
    """The parameters of a registered dataclass that its spec says: all but those `unsaid` that have their default."""
    values = ((f, getattr(value, f.name)) for f in dataclasses.fields(value))
    return {f.name: found for f, found in values if not (f.metadata.get("unsaid") and found == f.default)}


def show(value: Any, registry: Registry) -> str:
    """The spec of a registered dataclass, every parameter that is said in declaration order."""
    parameters = ", ".join(f"{name}={show_value(found)}" for name, found in said(value).items())
    name = registry.name_of(type(value))
    return f"{name}({parameters})" if parameters else name


def parse_aggregation(text: str) -> Aggregation:
    """Reads the spec of an aggregation, such as `rrf(k=60)`.

    Raises:
        SpecError: It does not parse, or names something unknown; the message says what exists.
    """
    node = Parser(text).whole()
    if node.elicitation is not None or node.model is not None:
        raise SpecError(f"'{text}' should be an aggregation alone, such as rrf(k=60)")
    return typing.cast("Aggregation", _build(node.call, AGGREGATIONS))


def parse_elicitation(text: str) -> Any:
    """Reads the spec of an elicitation, such as `labels(prompt=monot5)`.

    Raises:
        SpecError: It does not parse, or names something unknown; the message says what exists.
    """
    return _build(Parser(text).whole().call, ELICITATIONS)


def _stage(node: Node) -> Stage:
    elicitation = _build(node.elicitation, ELICITATIONS) if node.elicitation else None
    return Stage(_build(node.call, STRATEGIES), elicitation, node.model)


def _build(call: Call, registry: Registry) -> Any:
    cls = registry[call.name]
    fields = [f.name for f in dataclasses.fields(cls)]
    if len(call.positional) > len(fields):
        raise SpecError(f"{call.name} takes {len(fields)} values, found {len(call.positional)}")
    written = dict(zip(fields, call.positional, strict=False))
    for name, value in call.named.items():
        if name not in fields:
            raise SpecError(f"{call.name} has no parameter '{name}'{instead(name, fields)}")
        if name in written:
            raise SpecError(f"{call.name}: '{name}' is given twice")
        written[name] = value
    for f in dataclasses.fields(cls):
        if f.name not in written and f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING:
            raise SpecError(f"{call.name} needs {f.name}=…")
    hints = typing.get_type_hints(cls)
    return cls(**{k: coerce(v, hints[k], f"{call.name}: {k}", BUILDERS) for k, v in written.items()})


BUILDERS: Builders = {
    Stage: ("a stage", _stage),
    Aggregation: ("an aggregation", lambda node: _build(node.call, AGGREGATIONS)),
}


def show_value(value: Any) -> str:
    """A parameter's value as a spec says it."""
    if value is None or isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (tuple, list)):
        return f"[{', '.join(map(show_value, value))}]"
    if isinstance(value, str):
        plain = re.fullmatch(r"[A-Za-z_][\w.-]*", value) and value not in WORDS
        return value if plain else quote(value)
    if isinstance(value, Stage):
        return str(value)
    return show(value, AGGREGATIONS) if dataclasses.is_dataclass(value) else str(value)
