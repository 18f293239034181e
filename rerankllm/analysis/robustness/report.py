"""What is measured of systems under several orders: as JSON, and as tables for people.

`robustness.json` is this, with null for what is unknown or has no value:

```
{"version": 1, "results": [{
  "dataset", "first_stage", "system", "seed",   only of an experiment's folder
  "strategy", "model",                          absent for --ranked
  "seeds": {ORDER: SEED},                       of shuffles
  "failures": {ORDER: {QUERY: REASON}},         of the orders that were asked here
  "certified": {"top_k", "by_query": {QUERY: {"survives", "of", "exact", "leaves", "enters"} or why not}},
                                                of the first order, of those that were asked here
  "cost": {ORDER: {"calls", "rounds", "slots", "tokens", "seconds", "usd"} or null},
  "settings": {"measure", "depth", "persistence", "notable", "resamples", "seed", "relevant_from"},
  "judged": N,
  "orders": [{"name", "family", "same", "queries", "missing": [QUERY], "quality": ESTIMATE, "kept": ESTIMATE}],
  "families": [AGREEMENT], "pairs": [AGREEMENT],
  "same": VARIATION, "stages": VARIATION,
  "by_query": [{"query_id", "quality": {ORDER: X}, "range", "tau"}]}]}

ESTIMATE   {"mean", "low", "high"}, or null
AGREEMENT  {"first", "second", "queries", "documents", "ordered", "tau": ESTIMATE, "overlap", "rbo"}
VARIATION  {"orders": [ORDER], "queries", "means": {ORDER: X}, "range_of_means", "mean_range": ESTIMATE,
            "mean_deviation", "varying"}, or null
```

What the fields are is said in `rerankllm.analysis.robustness.results`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any, Self

from rerankllm.analysis.certified import certificates
from rerankllm.analysis.robustness.measure import measure_robustness
from rerankllm.analysis.robustness.orders import RESULT
from rerankllm.analysis.robustness.results import USUAL, Robustness, RobustnessSettings
from rerankllm.analysis.robustness.systems import SystemRuns
from rerankllm.analysis.robustness.tables import notes, tables
from rerankllm.errors import InputError
from rerankllm.evaluation.tables import as_markdown, as_text
from rerankllm.files import as_json, plain, replacing

VERSION = 1


@dataclass(frozen=True, slots=True)
class SystemRobustness:
    """One system.

    Attributes:
        runs: Its runs.
        found: What is measured of them.
    """

    runs: SystemRuns
    found: Robustness

    @property
    def heading(self) -> str:
        """The names that an experiment gives it; empty elsewhere."""
        labels = self.runs.labels
        named = ", ".join(str(labels[name]) for name in ("dataset", "system") if name in labels)
        return named + (f", seed {labels['seed']}" if labels.get("seed") else "")

    def to_dict(self) -> dict[str, Any]:
        """One of the results of `robustness.json`."""
        runs = self.runs
        known = {"seeds": runs.seeds, "failures": runs.failures, "cost": runs.costs}
        known |= {"certified": {"top_k": runs.certified_top, "by_query": runs.certified}} if runs.certified else {}
        return plain(runs.labels) | plain(known) | plain(self.found)  # type: ignore[no-any-return]

    def text(self, *, markdown: bool = False, width: int | None = None) -> str:
        """Tables and notes.

        Args:
            markdown: As Markdown, and not for a terminal.
            width: Columns of the terminal; None for as wide as the tables are.
        """
        runs = self.runs
        said = [
            *notes(self.found),
            *certificates(runs.certified, runs.certified_top, f", {runs.orders[0].order} order"),
        ]
        shown = tables(self.found, runs.costs), said
        text = as_markdown(*shown) if markdown else as_text(*shown, width)
        return (f"## {self.heading}\n\n" if self.heading else "") + text


@dataclass(frozen=True, slots=True)
class RobustnessReport:
    """How far systems depend on the order of their candidates. Printed, it is the tables of `rerankllm robustness`.

    Attributes:
        systems: One, or every system of an experiment.
    """

    systems: tuple[SystemRobustness, ...]

    @classmethod
    def of(cls, systems: Iterable[SystemRuns], settings: RobustnessSettings = USUAL) -> Self:
        """Measures the runs of some systems.

        Raises:
            InputError: Orders of the same candidates hold different documents.
            MissingExtra: scipy is not installed.
        """
        return cls(
            tuple(SystemRobustness(each, measure_robustness(each.orders, each.qrels, settings)) for each in systems)
        )

    @property
    def failed(self) -> bool:
        """Whether some query failed in some order."""
        return any(each.runs.failures for each in self.systems)

    def to_dict(self) -> dict[str, Any]:
        """All of it, as `robustness.json` has it."""
        return {"version": VERSION, "results": [each.to_dict() for each in self.systems]}

    def text(self, *, markdown: bool = False, width: int | None = None) -> str:
        """Tables and notes of every system; the arguments mean what they mean for one."""
        return "\n\n".join(each.text(markdown=markdown, width=width) for each in self.systems)

    def save(self, folder: str | PathLike[str]) -> None:
        """Writes `robustness.json` into a folder, which is made where it is not there.

        Raises:
            InputError: It cannot be written.
        """
        try:
            Path(folder).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"cannot make the folder {folder}: {error.strerror}") from error
        with replacing(Path(folder) / RESULT) as file:
            file.write(f"{as_json(self.to_dict(), indent=2)}\n")

    def __str__(self) -> str:
        return self.text()
