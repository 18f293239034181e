"""Reads a YAML file key by key; an error names the file, the key and what would work, in one line."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Self, TypeVar

from rerankllm.errors import InputError
from rerankllm.registry import instead

T = TypeVar("T")
_NOUNS = {str: "a text", int: "a whole number", float: "a number", bool: "true or false", Mapping: "keys with values",
          list: "a list"}  # fmt: skip


class Section:
    """A mapping of a YAML file.

    Args:
        file: The file.
        trail: The keys that lead to it.
        values: What it holds.
    """

    def __init__(self, file: Path, trail: tuple[str, ...], values: Mapping[Any, Any]) -> None:
        self.file, self.trail = file, trail
        self._values = {str(key): value for key, value in values.items()}

    @classmethod
    def read(cls, file: Path, text: str) -> Self:
        """The whole file.

        Raises:
            InputError: It is no YAML, or no mapping.
        """
        import yaml  # noqa: PLC0415

        try:
            found = yaml.load(text, Loader=_loader())  # noqa: S506 - a SafeLoader
        except yaml.YAMLError as error:
            raise InputError(f"{file} is no YAML: {' '.join(str(error).split())}") from None
        if not isinstance(found, Mapping):
            raise InputError(f"{file} should be keys with values, such as `datasets:`; found {_shown(found)}")
        return cls(file, (), found)

    def __contains__(self, key: str) -> bool:
        return key in self._values

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def error(self, key: str, message: str) -> InputError:
        """The error to raise about a key."""
        return InputError(f"{self.file}: {'.'.join((*self.trail, key))}: {message}")

    def known(self, *names: str) -> None:
        """Checks that it has no other keys than these."""
        for key in self:
            if key not in names:
                raise self.error(key, f"there is no such key{instead(key, names)}")

    def get(self, key: str, kind: Callable[..., T], default: T) -> T:
        """The value of a key, of this kind: `str`, `int`, `float` or `bool`; the default without one."""
        value = self._values.get(key)
        return default if value is None else self._checked(key, value, kind)

    def maybe(self, key: str, kind: Callable[..., T]) -> T | None:
        """The value of a key, or None."""
        value = self._values.get(key)
        return None if value is None else self._checked(key, value, kind)

    def raw(self, key: str) -> Any:
        """The value of a key, whatever it is."""
        return self._values[key]

    def listed(self, key: str, kind: Callable[..., T]) -> tuple[T, ...] | None:
        """The values of a list, a single one counting as such; None without the key."""
        value = self._values.get(key)
        if value is None:
            return None
        items = value if isinstance(value, list) else [value]
        return tuple(self._checked(key, item, kind) for item in items)

    def section(self, key: str) -> "Section":
        """The part under a key, empty without one."""
        value = self._values.get(key)
        return Section(self.file, (*self.trail, key), {} if value is None else self._checked(key, value, Mapping))

    def sections(self, key: str) -> "list[Section]":
        """The mappings of a list."""
        found: tuple[Mapping[Any, Any], ...] = self.listed(key, Mapping) or ()
        return [Section(self.file, (*self.trail, f"{key}[{i}]"), each) for i, each in enumerate(found)]

    def path(self, key: str) -> Path | None:
        """A path, relative to the file's folder."""
        text = self.maybe(key, str)
        return None if text is None else self.file.parent / text

    def _checked(self, key: str, value: Any, kind: Any) -> Any:
        if kind is float and type(value) is int:
            return float(value)
        fits = isinstance(value, kind) and (kind is bool or not isinstance(value, bool))
        if not fits:
            raise self.error(key, f"should be {_NOUNS[kind]}, found {_shown(value)}")
        return value


def _loader() -> Any:
    """A loader that refuses a key that is there twice, which YAML forbids and PyYAML does not mind."""
    import yaml  # noqa: PLC0415

    class Loader(yaml.SafeLoader):
        def construct_mapping(self, node: Any, deep: bool = False) -> Any:  # noqa: FBT001, FBT002 - PyYAML's
            keys = [self.construct_object(key, deep=True) for key, _ in node.value]
            for i, key in enumerate(keys):
                if key in keys[:i]:
                    mark = node.value[i][0].start_mark
                    raise yaml.MarkedYAMLError(None, None, f"the key '{key}' is there twice", mark)
            return super().construct_mapping(node, deep)

    return Loader


def _shown(value: Any) -> str:
    if value is None:
        return "nothing"
    text = repr(value) if not isinstance(value, Mapping) else f"keys ({', '.join(map(str, value))})"
    return text if len(text) <= 60 else f"{text[:59]}…"  # noqa: PLR2004
