"""What the cells of an experiment will take."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import reduce
from operator import add

from rerankllm.runs.forecast import Forecast


@dataclass(frozen=True, slots=True)
class CellForecast:
    """What one cell will take.

    Attributes:
        label: The cell: its system, dataset, first stage and seed.
        forecast: Calls, tokens and money; None where it cannot run.
        reason: Why it cannot run.
        kept: How many calls its journal holds already.
    """

    label: str
    forecast: Forecast | None
    reason: str | None = None
    kept: int = 0

    def __str__(self) -> str:
        held = f"; its journal holds {self.kept:,} calls already" if self.kept else ""
        found = f"cannot run: {self.reason}" if self.forecast is None else f"{self.forecast}{held}"
        return f"{self.label}: {found}"


@dataclass(frozen=True, slots=True)
class ExperimentForecast:
    """What the cells that are to run will take; `print` shows a line for each.

    Attributes:
        cells: In the order in which they would run.
    """

    cells: tuple[CellForecast, ...]

    @property
    def total(self) -> Forecast | None:
        """Of all cells that can run; None where there are none."""
        found = [each.forecast for each in self.cells if each.forecast is not None]
        return reduce(add, found) if found else None

    def __iter__(self) -> Iterator[CellForecast]:
        return iter(self.cells)

    def __str__(self) -> str:
        total = self.total
        return "\n".join([*map(str, self.cells), *([] if total is None else [f"all: {total}"])])
