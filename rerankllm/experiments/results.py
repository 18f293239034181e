"""The results of an experiment, as its results.json holds them."""

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rerankllm.errors import InputError
from rerankllm.evaluation.tables import write_csv
from rerankllm.experiments import table
from rerankllm.experiments.folder import RESULTS, Cell
from rerankllm.files import as_json, replace_text


@dataclass(frozen=True, slots=True)
class Results:
    """One row for each system on each first stage of each dataset, with its quality, its differences and its cost.

    `print` shows the table as Markdown; a notebook shows it as a table.

    Attributes:
        document: All of it: what results.json holds.
        ran: How many cells were run for it.
        unfinished: Which of the cells that were asked for are not done.
    """

    document: Mapping[str, Any]
    ran: int = 0
    unfinished: tuple[Cell, ...] = ()

    @classmethod
    def read(cls, folder: Path, unfinished: tuple[Cell, ...] = ()) -> "Results":
        """The results that an experiment's folder holds.

        Raises:
            InputError: There are none yet, or the file is damaged.
        """
        path, again = folder / RESULTS, "run the experiment again; no call is repeated"
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise InputError(f"{folder} holds no results yet: run the experiment to its end") from None
        except (OSError, ValueError) as error:
            raise InputError(f"{path} cannot be read ({error}): {again}") from None
        if not isinstance(found, dict) or not found.get("rows"):
            raise InputError(f"{path} is damaged (it has no rows): {again}")
        return cls(found, unfinished=unfinished)

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The rows of the table, each with its measures and its cost."""
        return list(self.document["rows"])

    @property
    def notes(self) -> list[str]:
        """How the numbers came about, and which cells are not done."""
        return list(self.document["notes"])

    def to_dict(self) -> dict[str, Any]:
        """What results.json holds."""
        return dict(self.document)

    def markdown(self) -> str:
        """One table and its notes, as in results.md; the same bytes for the same results."""
        return table.markdown(self.document)

    def csv(self) -> str:
        """The rows as CSV, as in results.csv."""
        page = io.StringIO()
        write_csv(page, table.flat(self.document))
        return page.getvalue()

    def write(self, folder: Path) -> None:
        """Writes results.json, results.csv and results.md.

        Raises:
            InputError: The folder cannot be written.
        """
        replace_text(folder / RESULTS, f"{as_json(self.document, indent=2)}\n")
        replace_text(folder / "results.csv", self.csv())
        replace_text(folder / "results.md", self.markdown())

    def __str__(self) -> str:
        return self.markdown()

    def _repr_markdown_(self) -> str:
        return self.markdown()
