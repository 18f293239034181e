"""Rules that pick combinations out of the matrix."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from rerankllm.errors import InputError
from rerankllm.experiments.yaml_section import Section
from rerankllm.registry import instead

AXES = ("dataset", "first_stage", "strategy", "model", "seed")


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule that fits some combinations.

    Attributes:
        names: The names that fit along each axis; an axis that is not there fits whatever it is.
        origin: Where the rule stands, for messages.
    """

    names: Mapping[str, tuple[str, ...]]
    origin: str

    @classmethod
    def read(cls, part: Section, apart: tuple[str, ...] = ()) -> Self:
        """A rule in a file: `{dataset: NAME, model: [NAME, NAME]}`; the keys `apart` are not part of the rule."""
        part.known(*AXES, *apart)
        found: dict[str, tuple[str, ...]] = {}
        for axis in (key for key in part if key not in apart):
            kind = int if axis == "seed" else str
            found[axis] = tuple(map(str, part.listed(axis, kind) or ()))
        if not found:
            raise part.error("dataset", f"a rule should name at least one of {', '.join(AXES)}")
        return cls(found, f"{part.file}: {'.'.join(part.trail)}")

    @classmethod
    def parse(cls, text: str) -> Self:
        """`dataset=NAME,model=NAME`; an axis that comes twice fits either name.

        Raises:
            InputError: It does not parse.
        """
        found: dict[str, tuple[str, ...]] = {}
        for item in text.split(","):
            axis, equals, name = (part.strip() for part in item.partition("="))
            if axis not in AXES or not equals or not name:
                raise InputError(f"--only {text}: '{item}' should read AXIS=NAME, with an axis of {', '.join(AXES)}")
            found[axis] = (*found.get(axis, ()), name)
        return cls(found, f"--only {text}")

    def check(self, axes: Mapping[str, Sequence[str]]) -> None:
        """Raises InputError for a name that no axis has."""
        for axis, names in self.names.items():
            for name in names:
                if name not in axes[axis]:
                    raise InputError(f"{self.origin}: there is no {axis} '{name}'{instead(name, axes[axis])}")

    def fits(self, combination: Mapping[str, str]) -> bool:
        """Whether it fits a combination, which has a name for each axis."""
        return all(combination[axis] in names for axis, names in self.names.items())


def read_rules(whole: Section, key: str) -> tuple[Rule, ...]:
    """The rules of a list."""
    return tuple(map(Rule.read, whole.sections(key)))
