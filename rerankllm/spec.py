"""Spec strings and the objects they name.

```
STAGE = strategy(k=v, …) [/ elicitation(k=v, …)] [@ MODEL]
VALUE = 3 | 0.5 | true | none | word | 'quoted' | [VALUE, …] | STAGE
MODEL = kind:name[@revision][?key=value&…]
```

Strategies, elicitations and aggregations are frozen dataclasses: their fields are the parameters, the annotations
say what is accepted, and `str(Stage)` prints every parameter in declaration order, in this same grammar. Backends
are classes whose keyword-only constructor parameters are the options of a MODEL.
"""

import dataclasses
import difflib
import importlib
import inspect
import re
import types
import typing
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Protocol, Self

from rerankllm.data import Candidate, Query, Ranking
from rerankllm.errors import SpecError
from rerankllm.judgements import Steps
from rerankllm.plan import Plan


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

    def settles(self, n: int) -> int:
        """How many first places are ideal whenever every answer is right."""
        ...


class Registry:
    """Names and what they stand for, imported on first use.

    Args:
        kind: What the names are ("strategy"), for error messages.
        entries: Name to "module:attribute".
    """

    def __init__(self, kind: str, entries: Mapping[str, str]) -> None:
        self.kind = kind
        self._entries: dict[str, str | type] = dict(entries)

    def register(self, name: str, target: type) -> None:
        """Adds an entry of your own under `name`."""
        self._entries[name] = target

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __getitem__(self, name: str) -> Any:
        entry = self._entries.get(name)
        if entry is None:
            raise SpecError(f"unknown {self.kind} '{name}'{_instead(name, self._entries)}")
        if isinstance(entry, str):
            module, attribute = entry.split(":")
            entry = self._entries[name] = getattr(importlib.import_module(module), attribute)
        return entry

    def name_of(self, cls: type) -> str:
        """The name under which `cls` is registered."""
        for name in self:
            if self[name] is cls:
                return name
        raise SpecError(f"{cls.__name__} is not registered: {self.kind.upper()} registry .register(name, class)")


STRATEGIES = Registry(
    "strategy",
    {
        "pointwise": "rerankllm.strategies.pointwise:Pointwise",
        "prp": "rerankllm.strategies.prp:Prp",
        "sliding": "rerankllm.strategies.sliding:Sliding",
        "interpolate": "rerankllm.strategies.interpolate:Interpolate",
    },
)
ELICITATIONS = Registry(
    "elicitation",
    {
        "text": "rerankllm.elicitation.text:Text",
        "labels": "rerankllm.elicitation.logprobs:Labels",
        "likelihood": "rerankllm.elicitation.likelihood:Likelihood",
    },
)
AGGREGATIONS = Registry(
    "aggregation",
    {
        "rrf": "rerankllm.aggregation.rrf:ReciprocalRankFusion",
        "borda": "rerankllm.aggregation.borda:Borda",
        "bradley_terry": "rerankllm.aggregation.bradley_terry:BradleyTerry",
    },
)
BACKENDS = Registry(
    "backend",
    {
        "llamacpp": "rerankllm.backends.llamacpp:LlamaCpp",
        "openai": "rerankllm.backends.openai:OpenAI",
        "recorded": "rerankllm.backends.recorded:Recorded",
        "oracle": "rerankllm.backends.oracle:Oracle",
    },
)


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
        node = _Parser(text).whole()
        return typing.cast("Self", _stage(node))

    def __str__(self) -> str:
        parts = [show(self.strategy, STRATEGIES)]
        if self.elicitation is not None:
            parts.append(f"/ {show(self.elicitation, ELICITATIONS)}")
        if self.model is not None:
            parts.append(f"@ {self.model if _MODEL.fullmatch(self.model) else _quote(self.model)}")
        return " ".join(parts)

    def aiming(self, top_k: int) -> "Stage":
        """The same stage with `top_k` set wherever it, or a stage inside it, has one."""
        changes: dict[str, Any] = {}
        for f in dataclasses.fields(typing.cast("Any", self.strategy)):
            value = getattr(self.strategy, f.name)
            if f.name == "top_k":
                changes["top_k"] = top_k
            elif isinstance(value, Stage):
                changes[f.name] = value.aiming(top_k)
        return dataclasses.replace(self, strategy=dataclasses.replace(typing.cast("Any", self.strategy), **changes))


def parse_aggregation(text: str) -> Any:
    """Reads the spec of an aggregation, such as `rrf(k=60)`."""
    return _build(_Parser(text).whole().call, AGGREGATIONS)


def show(value: Any, registry: Registry) -> str:
    """The spec of a registered dataclass, every parameter in declaration order."""
    parameters = ", ".join(f"{f.name}={_show(getattr(value, f.name))}" for f in dataclasses.fields(value))
    name = registry.name_of(type(value))
    return f"{name}({parameters})" if parameters else name


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """A MODEL, taken apart.

    Attributes:
        kind: Which backend.
        name: What that backend calls the model: a name or a path.
        options: The keys and values after `?`.
    """

    kind: str
    name: str
    options: Mapping[str, str]

    @classmethod
    def parse(cls, text: str) -> Self:
        """Reads a MODEL.

        Raises:
            SpecError: No `kind:`, or an unknown one.
        """
        kind, colon, rest = text.partition(":")
        if not colon or kind not in BACKENDS:
            known = ", ".join(f"{kind}:…" for kind in BACKENDS)
            raise SpecError(f"model '{text}' should read kind:name, with a kind of {known}")
        name, _, query = rest.partition("?")
        options: dict[str, str] = {}
        for item in filter(None, query.split("&")):
            key, equals, value = item.partition("=")
            if not equals:
                raise SpecError(f"model '{text}': '{item}' should read key=value")
            options[key] = value
        return cls(kind, name, options)

    def load(self, **overrides: str | None) -> Any:
        """Makes the backend.

        Args:
            overrides: Options from elsewhere (a command line); they win over those in the spec; None for not given.

        Raises:
            SpecError: A key the backend does not have, or a value of the wrong type.
        """
        factory = BACKENDS[self.kind]
        options = {**self.options, **{k: v for k, v in overrides.items() if v is not None}}
        parameters = {
            p.name: p
            for p in inspect.signature(factory).parameters.values()
            if p.kind is inspect.Parameter.KEYWORD_ONLY and p.name != "name"
        }
        hints = typing.get_type_hints(factory.__init__)
        values: dict[str, Any] = {}
        for key, text in options.items():
            if key not in parameters:
                raise SpecError(f"{self.kind}: has no option '{key}'{_instead(key, parameters)}")
            literal = text if str in (hints[key], *typing.get_args(hints[key])) else _literal(text)
            values[key] = _coerce(literal, hints[key], f"{self.kind}: option '{key}'")
        return factory(name=self.name, **values)


# --- grammar ---------------------------------------------------------------------------------------------------------

_MODEL = re.compile(r"[^\s,()\[\]']+")
_TOKEN = re.compile(
    r"""\s*(?:(?P<number>[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?(?![\w.]))|(?P<word>[A-Za-z_][\w.-]*)
    |(?P<string>'(?:[^'\\]|\\.)*')|(?P<mark>[()\[\],=/@]))""",
    re.VERBOSE,
)
_WORDS: dict[str, Any] = {"true": True, "false": False, "none": None}


class _Call(NamedTuple):
    name: str
    positional: list[Any]
    named: dict[str, Any]


class _Node(NamedTuple):
    """A stage as written; a bare word is one with nothing but a name until an annotation says otherwise."""

    call: _Call
    elicitation: _Call | None
    model: str | None

    @property
    def word(self) -> str | None:
        bare = self.elicitation is None and self.model is None
        return self.call.name if bare and not self.call.positional and not self.call.named else None


class _Parser:
    """Recursive descent over one spec string."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def whole(self) -> _Node:
        node = self.stage()
        if self.text[self.at :].strip():
            raise self.error("expected the end")
        return node

    def stage(self) -> _Node:
        call = self.call()
        elicitation = self.call() if self.take("/") else None
        model = None
        if self.take("@"):
            kind, text = self.peek()
            if kind == "string":
                model = _unquote(text)
                self.advance()
            else:
                while self.text[self.at : self.at + 1].isspace():
                    self.at += 1
                match = _MODEL.match(self.text, self.at)
                if match is None:
                    raise self.error("expected a model, such as llamacpp:smollm2")
                model, self.at = match.group(), match.end()
        return _Node(call, elicitation, model)

    def call(self) -> _Call:
        kind, name = self.peek()
        if kind != "word":
            raise self.error("expected a name")
        self.advance()
        positional: list[Any] = []
        named: dict[str, Any] = {}
        if self.take("("):
            while not self.take(")"):
                self.argument(positional, named)
                if self.peek()[1] != ")" and not self.take(","):
                    raise self.error("expected ',' or ')'")
        return _Call(name, positional, named)

    def argument(self, positional: list[Any], named: dict[str, Any]) -> None:
        start = self.at
        kind, name = self.peek()
        if kind == "word":
            self.advance()
            if self.take("="):
                if name in named:
                    raise self.error(f"'{name}' is given twice")
                named[name] = self.value()
                return
            self.at = start
        if named:
            raise self.error("expected name=value after the first name=value")
        positional.append(self.value())

    def value(self) -> Any:
        kind, text = self.peek()
        if kind == "string":
            self.advance()
            return _unquote(text)
        if kind == "number":
            self.advance()
            return _literal(text)
        if self.take("["):
            items: list[Any] = []
            while not self.take("]"):
                items.append(self.value())
                if self.peek()[1] != "]" and not self.take(","):
                    raise self.error("expected ',' or ']'")
            return items
        return self.stage()

    def peek(self) -> tuple[str | None, str]:
        match = _TOKEN.match(self.text, self.at)
        return (match.lastgroup, match.group(match.lastgroup or 0)) if match else (None, "")

    def advance(self) -> None:
        match = _TOKEN.match(self.text, self.at)
        self.at = match.end() if match else len(self.text)

    def take(self, mark: str) -> bool:
        if self.peek() == ("mark", mark):
            self.advance()
            return True
        return False

    def error(self, what: str) -> SpecError:
        rest = self.text[self.at :].strip()
        found = f"found '{rest[:20]}'" if rest else "found nothing more"
        return SpecError(f"cannot read '{self.text}': {what} at character {self.at + 1}, {found}")


# --- from what is written to objects ---------------------------------------------------------------------------------


def _stage(node: _Node) -> Stage:
    elicitation = _build(node.elicitation, ELICITATIONS) if node.elicitation else None
    return Stage(_build(node.call, STRATEGIES), elicitation, node.model)


def _build(call: _Call, registry: Registry) -> Any:
    cls = registry[call.name]
    fields = [f.name for f in dataclasses.fields(cls)]
    if len(call.positional) > len(fields):
        raise SpecError(f"{call.name} takes {len(fields)} values, found {len(call.positional)}")
    written = dict(zip(fields, call.positional, strict=False))
    for name, value in call.named.items():
        if name not in fields:
            raise SpecError(f"{call.name} has no parameter '{name}'{_instead(name, fields)}")
        if name in written:
            raise SpecError(f"{call.name}: '{name}' is given twice")
        written[name] = value
    for f in dataclasses.fields(cls):
        if f.name not in written and f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING:
            raise SpecError(f"{call.name} needs {f.name}=…")
    hints = typing.get_type_hints(cls)
    return cls(**{k: _coerce(v, hints[k], f"{call.name}: {k}") for k, v in written.items()})


def _coerce(value: Any, hint: Any, where: str) -> Any:
    """The value an annotation asks for, from one that was written."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        if (_bare(value) is None) and type(None) in arguments:
            return None
        return _coerce(value, next(a for a in arguments if a is not type(None)), where)
    if origin is tuple:
        if not isinstance(value, list):
            raise SpecError(f"{where} should be a [list], found {_written(value)}")
        return tuple(_coerce(item, arguments[0], where) for item in value)
    if hint is Stage:
        if not isinstance(value, _Node):
            raise SpecError(f"{where} should be a stage, found {_written(value)}")
        return _stage(value)
    if getattr(hint, "__name__", "") == "Aggregation" and isinstance(value, _Node):
        return _build(value.call, AGGREGATIONS)
    plain = _bare(value)
    if origin is Literal:
        if plain not in arguments:
            raise SpecError(f"{where} should be one of {', '.join(map(str, arguments))}; found {_written(value)}")
        return plain
    if hint is float and isinstance(plain, int) and not isinstance(plain, bool):
        return float(plain)
    if type(plain) is not hint:
        noun = {int: "a whole number", float: "a number", bool: "true or false", str: "a word or 'text'"}[hint]
        raise SpecError(f"{where} should be {noun}, found {_written(value)}")
    return plain


def _bare(value: Any) -> Any:
    if isinstance(value, _Node):
        word = value.word
        return _WORDS.get(word, word) if word is not None else value
    return value


def _written(value: Any) -> str:
    return f"'{value.call.name}…'" if isinstance(value, _Node) and value.word is None else f"'{_bare(value)}'"


def _literal(text: str) -> Any:
    if text in _WORDS:
        return _WORDS[text]
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _show(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (tuple, list)):
        return f"[{', '.join(map(_show, value))}]"
    if isinstance(value, str):
        plain = re.fullmatch(r"[A-Za-z_][\w.-]*", value) and value not in _WORDS
        return value if plain else _quote(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, Stage):
        return show(value, AGGREGATIONS)
    return str(value)


def _quote(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _unquote(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text[1:-1])


def _instead(name: str, known: typing.Iterable[str]) -> str:
    names = list(known)
    close = difflib.get_close_matches(name, names, 1)
    hint = f"; did you mean '{close[0]}'?" if close else "."
    return f"{hint} There are: {', '.join(names) or 'none'}"
