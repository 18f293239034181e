"""The arguments of a `Reranker` as data, which can be sent to another process."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, TypeAlias, get_args

from rerankllm.calibration.cutoff import Cutoff
from rerankllm.calibration.judge_profile import JudgeProfile
from rerankllm.calibration.relevance import Calibration
from rerankllm.drivers.budget import Limits
from rerankllm.drivers.results import Finish
from rerankllm.drivers.unusable import Unusable
from rerankllm.errors import InputError
from rerankllm.spec.stage import Stage

DEFAULT_MODEL = "embed:minilm"
"""Judges where no model is named."""

DriverName: TypeAlias = Literal["rounds", "concurrent"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What `Reranker.from_recipe` makes a `Reranker` from. The attributes are `Reranker`'s arguments of the same names.

    What belongs to one process, such as an observer or an open journal, is not part of it. Files that are named are
    read where the `Reranker` is made; `read` does that here, for a process that may not have them.

    Raises:
        InputError: A number is out of range.
    """

    strategy: str | Stage | None = None
    model: str | None = None
    instruction: str | None = None
    passage_tokens: int | None = None
    demonstrations: str | Path | None = None
    depth: int | None = None
    driver: DriverName | None = None
    options: Mapping[str, str] = field(default_factory=dict)
    limits: Limits = field(default_factory=Limits)
    per_query: Limits | None = None
    calibration: str | Path | Calibration | None = None
    cutoff: str | Cutoff | None = None
    profile: str | Path | JudgeProfile | None = None
    unusable: Unusable = "keep"

    def __post_init__(self) -> None:
        if self.depth is not None and self.depth < 1:
            raise InputError(f"depth should be at least 1, found {self.depth}")
        if self.passage_tokens is not None and self.passage_tokens < 1:
            raise InputError(f"a passage should be cut to at least 1 token, found {self.passage_tokens}")
        if self.unusable not in get_args(Unusable):
            raise InputError(f"unusable should be keep or fail, found {self.unusable}")

    @property
    def stage(self) -> Stage | None:
        """The strategy, parsed; None for the model's default.

        Raises:
            SpecError: It does not parse.
        """
        return Stage.parse(self.strategy) if isinstance(self.strategy, str) else self.strategy

    @property
    def finish(self) -> Finish:
        """The calibration and the cut-off, read and parsed.

        Raises:
            InputError: The file is no calibration, the cut-off does not parse, or it has no calibration to go by.
        """
        given, rule = self.calibration, self.cutoff
        fitted = given if isinstance(given, Calibration | None) else Calibration.load(given)
        return Finish(fitted, Cutoff.parse(rule) if isinstance(rule, str) else rule)

    @property
    def judge_profile(self) -> JudgeProfile | None:
        """The judge's profile, read.

        Raises:
            InputError: The file is no profile.
        """
        return self.profile if isinstance(self.profile, JudgeProfile | None) else JudgeProfile.load(self.profile)

    def read(self) -> "Recipe":
        """The same recipe with the strategy parsed, and the calibration and the profile read from their files.

        Raises:
            InputError: A file is not what it should be, or the strategy does not parse.
        """
        finish = self.finish
        return replace(
            self,
            strategy=self.stage,
            calibration=finish.calibration,
            cutoff=finish.cutoff,
            profile=self.judge_profile,
        )
