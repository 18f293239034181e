"""Request bodies: what is taken as it is, what changes nothing, and what is refused by name."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Self, TypeAlias

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    GetCoreSchemaHandler,
    Tag,
    model_validator,
)
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from rerankllm.formats.lines import storable

AS_TEXT, AS_OBJECT = "as a text", "as an object"
"""Parts of an error's location that are no field: how a document was given."""
DOCUMENT, UNSUPPORTED = "document", "unsupported"
"""The types of errors: what is no document, and a field that is known and cannot be honoured."""


@dataclass(frozen=True, slots=True)
class Idle:
    """Marks a field that clients send and this server has nothing to do with: only what changes nothing is taken.

    Attributes:
        values: What changes nothing.
    """

    values: tuple[Any, ...]

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self._checked, handler(source))

    def _checked(self, value: Any) -> Any:
        if any(_same(value, idle) for idle in self.values):
            return value
        taken = " or ".join(_json(idle) for idle in self.values)
        raise PydanticCustomError(UNSUPPORTED, f"is not supported here, but for {taken}: leave it out")


def _same(value: Any, idle: Any) -> bool:
    if isinstance(idle, bool):
        return value is idle or (isinstance(value, str) and value.lower() == _json(idle))
    return bool(value == idle) and not isinstance(value, bool)


def _json(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else repr(value).replace("'", '"')


def _no_truth(value: Any) -> Any:
    if isinstance(value, bool):
        raise PydanticCustomError("whole_number", "Input should be a whole number")
    return value


Whole: TypeAlias = Annotated[int, BeforeValidator(_no_truth)]
"""A whole number; `2.0` and `"2"` are 2, and true is none."""


class Body(BaseModel):
    """A request body.

    Null counts as left out; lone surrogates, which no UTF-8 can carry, become `?`. A field that is not known is
    ignored, and `ignored` names it.
    """

    model_config = ConfigDict(extra="allow", json_schema_extra={"additionalProperties": True})
    strict: ClassVar[bool] = False

    @model_validator(mode="before")
    @classmethod
    def _cleaned(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        given = {storable(name): _repaired(value) for name, value in values.items() if value is not None}
        for name in given if cls.strict else ():
            if name in cls.model_fields and any(isinstance(each, Idle) for each in cls.model_fields[name].metadata):
                raise PydanticCustomError(UNSUPPORTED, "is not supported here: leave it out", {"field": name})
        return given

    @model_validator(mode="after")
    def _nothing_ignored(self) -> Self:
        for name in self.ignored() if self.strict else ():
            raise PydanticCustomError(UNSUPPORTED, "is not supported here: leave it out", {"field": name})
        return self

    def ignored(self) -> Iterator[str]:
        """Names of the fields that are not known, those of list entries with `*` for the position; each once."""
        yield from self.model_extra or ()
        inner = {}
        for name in type(self).model_fields:
            value = getattr(self, name)
            for each, path in [(value, name)] if isinstance(value, Body) else _entries(value, name):
                inner.update(dict.fromkeys(f"{path}.{field}" for field in each.ignored()))
        yield from inner


def _entries(value: Any, name: str) -> Iterator[tuple[Body, str]]:
    return ((each, f"{name}.*") for each in (value if isinstance(value, list) else ()) if isinstance(each, Body))


def _repaired(value: Any) -> Any:
    if isinstance(value, str):
        return storable(value)
    return [storable(each) if isinstance(each, str) else each for each in value] if isinstance(value, list) else value


class Strict(Body):
    """A body that refuses what another ignores: fields not known, numbers as texts, idle values."""

    model_config = ConfigDict(extra="forbid", strict=True, json_schema_extra={"additionalProperties": False})
    strict = True


def strictly(model: type[Body]) -> type[Body]:
    """A strict body of the same fields."""
    return type(model.__name__, (Strict, model), {"__doc__": model.__doc__, "__module__": model.__module__})


class TextObject(Body):
    """A document as an object."""

    text: str


def _kind(document: Any) -> str | None:
    return AS_TEXT if isinstance(document, str) else AS_OBJECT if isinstance(document, (Mapping, BaseModel)) else None


TextOrObject: TypeAlias = Annotated[
    Annotated[str, Tag(AS_TEXT)] | Annotated[TextObject, Tag(AS_OBJECT)],
    Discriminator(
        _kind, custom_error_type=DOCUMENT, custom_error_message="should be a text, or an object with a 'text'"
    ),
]
"""A document as a text, or as an object that has one."""
Text: TypeAlias = Annotated[str, Field(description="A text.")]
Texts: TypeAlias = Annotated[
    list[str], Field(json_schema_extra={"minItems": 1}, description="Texts, in the first stage's order.")
]
Documents: TypeAlias = Annotated[
    list[TextOrObject],
    Field(json_schema_extra={"minItems": 1}, description="Texts, or objects with a text, in the first stage's order."),
]
TopN: TypeAlias = Annotated[Whole, Field(ge=1, description="How many results are wanted. The strategy aims for them.")]
DocumentTokens: TypeAlias = Annotated[
    Whole, Field(ge=1, description="Cut of every document, in the model's tokens; the alias's own when left out.")
]
NoPriority: TypeAlias = Annotated[Any, Idle((0,)), Field(description="Requests are taken in the order they come.")]
NoStream: TypeAlias = Annotated[Any, Idle((False,)), Field(description="Answers come whole.")]
FloatsOnly: TypeAlias = Annotated[Any, Idle(("float",)), Field(description="Scores are numbers.")]
Alias: TypeAlias = Annotated[str, Field(description="An alias of this server; its first when left out.")]


def texts_of(documents: list[str | TextObject]) -> list[str]:
    """The texts of documents, whichever way each is given."""
    return [document if isinstance(document, str) else document.text for document in documents]
