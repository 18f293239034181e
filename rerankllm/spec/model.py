"""MODEL specs: `kind:name[?key=value&…]`."""

import difflib
import inspect
import re
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from rerankllm.errors import SpecError
from rerankllm.registry import BACKENDS, instead
from rerankllm.spec.grammar import literal
from rerankllm.spec.values import coerce

_SERVED = re.compile(
    r"(?:openai/)?(?:gpt-|chatgpt-|o\d|claude|gemini|mistral-|magistral|grok|deepseek-(?:chat|reasoner)|qwen-)",
    re.IGNORECASE,
)
"""Names under which models are served, not published."""
_ABSOLUTE = re.compile(r"[/~]|[A-Za-z]:[/\\]|\\\\")


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
            meant = f"; did you mean '{likely}'?" if (likely := _meant(text)) else ""
            raise SpecError(f"model '{text}' should read kind:name, with a kind of {known}{meant}")
        name, _, query = rest.partition("?")
        options: dict[str, str] = {}
        for item in filter(None, query.split("&")):
            key, equals, value = item.partition("=")
            if not equals:
                raise SpecError(f"model '{text}': '{item}' should read key=value")
            options[key] = value
        return cls(kind, name, options)

    def known_options(self) -> list[str]:
        """The options that this kind of model has, those aside that its class has settled."""
        factory = BACKENDS[self.kind]
        aside = {"name", *getattr(factory, "settled", ())}
        parameters = inspect.signature(factory).parameters.values()
        return [p.name for p in parameters if p.kind is inspect.Parameter.KEYWORD_ONLY and p.name not in aside]

    def load(self, options: Mapping[str, str] | None = None) -> Any:
        """Makes the backend.

        Args:
            options: Options from elsewhere (a command line); they win over those in the spec.

        Raises:
            SpecError: A key the backend does not have, or a value of the wrong type.
        """
        factory, parameters = BACKENDS[self.kind], self.known_options()
        hints = typing.get_type_hints(factory.__init__)
        values: dict[str, Any] = {}
        for key, text in {**self.options, **(options or {})}.items():
            if key not in parameters:
                raise SpecError(f"{self.kind}: has no option '{key}'{instead(key, parameters)}")
            written = text if str in (hints[key], *typing.get_args(hints[key])) else literal(text)
            values[key] = coerce(written, hints[key], f"{self.kind}: option '{key}'")
        if hasattr(factory, "class_for"):  # one kind of model, computed in several ways
            factory = factory.class_for(self.name)
            idle = [key for key in values if key not in inspect.signature(factory).parameters]
            if idle:
                raise SpecError(
                    f"{self.kind}:{self.name} is shown no prompt and writes nothing: '{idle[0]}' does nothing"
                )
        return factory(name=self.name, **values)


def _meant(text: str) -> str | None:
    """The spec that was probably meant by one without a kind, or with one that is not known."""
    kind, colon, rest = text.partition(":")
    close = difflib.get_close_matches(kind, list(BACKENDS), 1) if colon else []
    if close:
        return f"{close[0]}:{rest}"
    name = text.partition("?")[0]
    if name.endswith(".gguf"):
        return f"llamacpp:{text}"
    if _SERVED.match(name):
        return f"openai:{text.removeprefix('openai/')}"
    if "cross-encoder/" in name or "/ms-marco" in name:
        return f"cross-encoder:{text}"
    return f"hf:{text}" if re.fullmatch(r"[\w.-]+/[\w.-]+", name) else None


def without_folders(model: str) -> str:
    """A printed MODEL without the folders of this machine's files, for pages and reports that others read."""
    kind, colon, rest = model.partition(":")
    name, mark, query = rest.partition("?")
    options = (item.partition("=") for item in query.split("&"))
    return f"{kind}{colon}{_file(name)}{mark}{'&'.join(f'{key}{equals}{_file(v)}' for key, equals, v in options)}"


def _file(text: str) -> str:
    """The last part of an absolute path; any other text as it is."""
    return re.split(r"[/\\]", text)[-1] if _ABSOLUTE.match(text) else text
