"""What a row of the benchmark is: what it measures, against what, and within which limit."""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self


class NotHereError(Exception):
    """A row cannot run on this machine; the message says why, in a line."""


@dataclass(frozen=True, slots=True)
class Limit:
    """What a ratio has to reach, or not to exceed.

    Attributes:
        sign: `≥` or `≤`.
        value: Of the ratio.
    """

    sign: str
    value: float

    @classmethod
    def parse(cls, text: str) -> Self:
        """Reads a limit as it is printed, such as `≥ 1.5`.

        Raises:
            ValueError: It is none.
        """
        sign, _, number = text.partition(" ")
        if sign not in {"≥", "≤"}:
            raise ValueError(f"a limit is `≥ NUMBER` or `≤ NUMBER`, found '{text}'")
        return cls(sign, float(number))

    def holds(self, ratio: float) -> bool:
        """Whether a ratio is within it."""
        return ratio >= self.value if self.sign == "≥" else ratio <= self.value

    def __str__(self) -> str:
        return f"{self.sign} {self.value:g}"


@dataclass(frozen=True, slots=True)
class Line:
    """One comparison.

    Attributes:
        what: What was measured, where a row has several.
        unit: Of both figures, such as tokens/s.
        ours: What each round gave.
        peer: What it is compared with.
        theirs: What each round gave the peer; one value where it is no measurement but a bound.
        limit: Of ours over theirs; None where nothing is asked.
    """

    what: str
    unit: str
    ours: tuple[float, ...]
    peer: str
    theirs: tuple[float, ...]
    limit: Limit | None = None

    def __post_init__(self) -> None:
        if not self.ours or len(self.theirs) not in {1, len(self.ours)} or min(self.theirs) <= 0:
            raise ValueError(f"{self.what}: {len(self.ours)} rounds of ours, {self.theirs} of {self.peer}")

    @property
    def ratio(self) -> float:
        """The median of the rounds' ratios: what shared a round shared the machine's state."""
        return statistics.median(self._ratios())

    @property
    def spread(self) -> tuple[float, float]:
        """The least and the largest ratio of a round."""
        return min(self._ratios()), max(self._ratios())

    @property
    def within(self) -> bool | None:
        """Whether the ratio keeps its limit; None without one."""
        return None if self.limit is None else self.limit.holds(self.ratio)

    def _ratios(self) -> list[float]:
        theirs = self.theirs * len(self.ours) if len(self.theirs) == 1 else self.theirs
        return [one / other for one, other in zip(self.ours, theirs, strict=True)]

    def as_json(self) -> dict[str, Any]:
        """For the results file, and for `--json` of a command."""
        shown = None if self.limit is None else str(self.limit)
        return {"what": self.what, "unit": self.unit, "ours": self.ours, "peer": self.peer, "theirs": self.theirs,
                "limit": shown}  # fmt: skip

    @classmethod
    def of(cls, given: dict[str, Any]) -> Self:
        """The reverse of `as_json`."""
        limit = None if given["limit"] is None else Limit.parse(given["limit"])
        numbers = {side: tuple(map(float, given[side])) for side in ("ours", "theirs")}
        return cls(given["what"], given["unit"], numbers["ours"], given["peer"], numbers["theirs"], limit)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a row gave.

    Attributes:
        lines: Its comparisons.
        notes: What else there is to say, a sentence each.
        packages: Whose versions the figures depend on, in our environment.
        seeds: Of everything drawn; None where nothing is.
    """

    lines: Sequence[Line]
    notes: Sequence[str] = ()
    packages: tuple[str, ...] = ()
    seeds: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True)
class Setting:
    """How the rows are to be measured.

    Attributes:
        data: A folder with corpus.jsonl, queries.tsv, run.txt and qrels.txt.
        cache: Where models and the peers' environments are kept.
        quick: Measure little and once: a rehearsal, whose figures say nothing.
        device: `cpu` or `cuda`.
    """

    data: Path
    cache: Path
    quick: bool = False
    device: str = "cpu"

    @property
    def rounds(self) -> int:
        """How often everything is measured."""
        return 1 if self.quick else 3


@dataclass(frozen=True, slots=True)
class Row:
    """A row.

    Attributes:
        name: What it is called on the command line.
        item: The item of the list of aims that it belongs to.
        about: What it measures.
        minutes: How long it takes on two quiet cores.
        measure: Does it; raises `NotHereError` where this machine cannot.
    """

    name: str
    item: int
    about: str
    minutes: float
    measure: Callable[[Setting], Outcome] = field(compare=False)
