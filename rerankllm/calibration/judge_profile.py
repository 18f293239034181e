"""A judge's profile: how it errs, with how sure that is, in a small JSON file that `active` goes by."""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from os import PathLike
from pathlib import Path
from typing import Any, Literal, Self, TypeAlias

from rerankllm.errors import InputError
from rerankllm.files import plain
from rerankllm.registry import STRATEGIES
from rerankllm.spec.stage import Stage, inner_stages, map_stages
from rerankllm.version import __version__

FORMAT, VERSION = "rerankllm-judge-profile", 1
TrustFrom: TypeAlias = Literal["qrels", "evidence"]
_SET = ("trust", "scale", "sharpness")


@dataclass(frozen=True, slots=True)
class Fitted:
    """A number with its bootstrap interval over queries, of 95 %; no bounds where there were too few queries.

    Attributes:
        value: The fit.
        low: Lower bound.
        high: Upper bound.
    """

    value: float
    low: float | None = None
    high: float | None = None

    def __str__(self) -> str:
        return f"{self.value:g}" if self.low is None else f"{self.value:g} ({self.low:g} to {self.high:g})"


@dataclass(frozen=True, slots=True)
class JudgeProfile:
    """How a judge errs, as `rerankllm judge-profile` found it.

    Attributes:
        models: Who judged, as their specs print.
        trust: Share of relevance in what the judge sees; the rest is error that it repeats whenever it is asked.
        scale: How large differences of worth are in its noise, compared with a middling judge's.
        sharpness: How much larger they are in the noise of its scores; None without scores beside orders.
        position: By how much the first place of a prompt looks better than the last, in its noise. For people:
            `active` learns it anew for every query.
        trust_from: Where `trust` is from: grades, or the evidence of the answers alone.
        queries: How many it was fitted on.
        answers: Answers that were read, by kind of judgement.
        ignored: Those that were not, by the reason.
        source: Names of the files it was fitted on.
        seed: Of the bootstrap.
    """

    models: tuple[str, ...]
    trust: Fitted
    scale: Fitted
    sharpness: Fitted | None
    position: Fitted
    trust_from: TrustFrom
    queries: int
    answers: Mapping[str, int]
    ignored: Mapping[str, int] = field(default_factory=dict)
    source: Mapping[str, str] = field(default_factory=dict)
    seed: int = 0

    @property
    def spec(self) -> str:
        """The strategy that goes by it."""
        return f"active({', '.join(f'{name}={value}' for name, value in self._parameters().items())})"

    def apply(self, stage: Stage) -> Stage:
        """The stage with the profile's numbers in every `active` that is in it.

        Raises:
            InputError: There is none.
        """
        if not _has_active(stage):
            raise InputError(
                f"a judge's profile sets trust, scale and sharpness of `active`, and {stage} has none in it: use a "
                "strategy that has, such as --strategy active, or leave the profile out"
            )
        return self._set(stage)

    def to_dict(self, version: str = __version__) -> dict[str, Any]:
        """The profile as its file has it.

        Args:
            version: Of the package that made it.
        """
        found: dict[str, Any] = plain(self)
        return {"format": FORMAT, "version": VERSION, "made_by": version, **found}

    def save(self, path: str | PathLike[str], version: str = __version__) -> None:
        """Writes it as JSON.

        Raises:
            InputError: It cannot be written.
        """
        text = json.dumps(self.to_dict(version), indent=1, ensure_ascii=False)
        try:
            Path(path).write_text(f"{text}\n", encoding="utf-8")
        except OSError as error:
            raise InputError(f"cannot write the profile {path}: {error.strerror}") from None

    @classmethod
    def load(cls, path: str | PathLike[str]) -> Self:
        """Reads what `save` wrote.

        Raises:
            InputError: It is no profile.
        """
        try:
            profile = cls._read(json.loads(Path(path).read_text(encoding="utf-8")))
        except OSError as error:
            raise InputError(f"cannot read the profile {path}: {error.strerror}") from None
        except (ValueError, KeyError, TypeError, AttributeError):
            profile = None
        if profile is None:
            raise InputError(f"{path} is no profile of this version: `rerankllm judge-profile` writes one")
        return profile

    @classmethod
    def _read(cls, found: Mapping[str, Any]) -> Self | None:
        """The profile in a document; None where it is of another version or its numbers are none for `active`."""
        fitted = {name: Fitted(**found[name]) for name in (*_SET, "position") if found[name] is not None}
        most = {"trust": 1.0}
        sound = all(0 < fitted[name].value <= most.get(name, sys.float_info.max) for name in _SET if name in fitted)
        if (found["format"], found["version"]) != (FORMAT, VERSION) or not sound:
            return None
        return cls(
            tuple(map(str, found["models"])),
            fitted["trust"],
            fitted["scale"],
            fitted.get("sharpness"),
            fitted["position"],
            found["trust_from"],
            int(found["queries"]),
            dict(found["answers"]),
            dict(found["ignored"]),
            dict(found["source"]),
            int(found["seed"]),
        )

    def differs(self, models: Sequence[str]) -> str | None:
        """What to say where none of these models is the one it was fitted on."""
        if set(models) & set(self.models):
            return None
        return f"the profile is that of {', '.join(self.models)}, and {', '.join(models)} judges: others err otherwise"

    def _parameters(self) -> dict[str, float]:
        found = {name: getattr(self, name) for name in _SET}
        return {name: value.value for name, value in found.items() if value is not None}

    def _set(self, stage: Stage) -> Stage:
        strategy: Any = map_stages(stage.strategy, self._set)
        if _is_active(stage):
            strategy = replace(strategy, **self._parameters())
        return replace(stage, strategy=strategy)


def _is_active(stage: Stage) -> bool:
    return STRATEGIES.name_of(type(stage.strategy)) == "active"


def _has_active(stage: Stage) -> bool:
    return _is_active(stage) or any(map(_has_active, inner_stages(stage.strategy)))
